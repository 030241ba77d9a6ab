"""What a service accepts."""

from dataclasses import dataclass

from seglit.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Args:
        max_bytes: Largest request body in bytes.
        max_pixels: Largest image, as height times width; one of more than 16 bytes per pixel must be smaller.
        queue: Number of requests that are accepted at a time; others are answered by 503.
        batch: Largest number of images that are predicted together.
        timeout: Seconds after which a request is given up.

    Raises:
        InputError: A limit is not above 0.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 32_000_000
    queue: int = 32
    batch: int = 8
    timeout: float = 30.0

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"{name} is {value}, but must be above 0")
