"""The files that `seglit export` wrote into a run folder."""

from typing import NamedTuple

from seglit.exported.description import Description, Proof, SizeProof
from seglit.exported.file_formats import format_of
from seglit.runs.checkpoint import digest_of
from seglit.runs.tested import TestedRun


class ExportedFile(NamedTuple):
    """A file with its description.

    Args:
        name: File name.
        bytes: Size on disk.
        description: What stands beside it.
        proof: How it was compared with PyTorch.
        note: What was not compared, and whether it is of other weights than the report; empty if there is nothing.
    """

    name: str
    bytes: int
    description: Description
    proof: Proof
    note: str

    @property
    def least_equal(self) -> SizeProof:
        """The size at which the fewest pixels are those of PyTorch."""
        return min(self.proof.sizes, key=lambda size: size.equal_pixels)

    @property
    def largest_difference(self) -> float:
        """The largest difference of a probability at any size."""
        return max(size.largest_difference for size in self.proof.sizes)


def find_exported(run: TestedRun) -> list[ExportedFile]:
    """Reads the descriptions below `RUN/export/`, by file name.

    Raises:
        InputError: A description is damaged.
    """
    found = []
    tested = digest_of(run.checkpoint) if run.checkpoint and run.checkpoint.is_file() else ""
    for path in sorted((run.folder / "export").glob("*.json")):
        file = path.with_suffix("")
        kind = format_of(file)
        if kind is not None and file.is_file():
            description = Description.from_json(path.read_bytes(), path)
            if (proof := description.proof) is not None:
                size = sum(part.stat().st_size for part in kind.parts(file))
                is_other = tested and description.checkpoint not in ("", tested)
                notes = [proof.note, "not of the checkpoint that was tested here; export it again" if is_other else ""]
                found.append(ExportedFile(file.name, size, description, proof, "; ".join(filter(None, notes))))
    return found
