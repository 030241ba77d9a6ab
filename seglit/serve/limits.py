"""Limits of the service."""

from dataclasses import dataclass

from seglit.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Args:
        max_mb: Largest image file, in units of 1,000,000 bytes.
        max_megapixels: Largest image, as height times width in units of 1,000,000; images, and probabilities, that take
            more than 16 bytes per pixel must be smaller.
        queue: Number of requests that are accepted at a time; others are answered by 503.
        batch: Largest number of images that are predicted together.
        timeout: Seconds after which a request is given up.

    Raises:
        InputError: A limit is not above 0.
    """

    max_mb: int = 32
    max_megapixels: int = 24
    queue: int = 32
    batch: int = 8
    timeout: int = 30

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"{name} is {value}, but must be above 0")

    @property
    def max_bytes(self) -> int:
        """Largest request body in bytes."""
        return self.max_mb * 1_000_000

    @property
    def max_pixels(self) -> int:
        """Largest image in pixels."""
        return self.max_megapixels * 1_000_000
