"""Image files in memory: received over a network, they are read as those on disk, and never written."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class MemoryFile:
    """The content of an image file; it has the methods of `Path` by which `seglit.images` reads files.

    Args:
        content: The bytes.
        max_pixels: Limit of height times width.
        name: Its name in messages.
    """

    content: bytes
    max_pixels: int
    name: str = "image"

    def __str__(self) -> str:
        return self.name

    @property
    def max_bytes(self) -> int:
        """Limit of the decoded values: four float32 bands of `max_pixels`."""
        return 16 * self.max_pixels

    @property
    def suffix(self) -> str:
        """The suffix of the format that is recognised by it alone."""
        return ".npy" if self.content.startswith(b"\x93NUMPY") else ""

    def is_file(self) -> bool:
        """True."""
        return True

    def is_symlink(self) -> bool:
        """False."""
        return False

    def read_bytes(self) -> bytes:
        """Returns the content."""
        return self.content

    def open(self, mode: str = "rb") -> BytesIO:
        """Opens the content for reading."""
        assert mode == "rb"  # noqa: S101  # read only
        return BytesIO(self.content)


ImageFile = Path | MemoryFile
