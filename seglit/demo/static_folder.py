"""A folder with the page, the network as ONNX, and ONNX Runtime: it predicts in the browser alone."""

from collections.abc import Collection
from pathlib import Path

from seglit.demo import onnxruntime_web
from seglit.demo.examples import Examples
from seglit.demo.page import IN_BROWSER, PageInput, describe_page, page_files, title_of
from seglit.errors import InputError
from seglit.export.exporter import Exporter
from seglit.exported.description import Proof, fill_values
from seglit.exported.file_formats import FORMATS
from seglit.images.replacing import replacing


def write_static(run: Path, folder: Path, num_examples: int, trust: Collection[str]) -> Proof:
    """Writes the folder.

    Args:
        run: Run folder or checkpoint.
        folder: A new folder, or an empty one.
        num_examples: Number of test images to copy into it.
        trust: Packages whose classes the run may name, see `import_class`.

    Returns:
        The proof of the exported network.

    Raises:
        InputError: The folder is not empty, the network takes other images than browsers read, npm is missing.
        RunError: The network cannot be exported, or the file differs from PyTorch.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--static {folder}: not an empty folder")
    runtime = onnxruntime_web.download()
    exporter = Exporter(run, None, "probabilities", trust)
    record = exporter.record
    if exporter.dtype != "uint8" or record.in_channels not in (1, 3):
        raise InputError(
            f"{run}: predicts images of {record.in_channels} bands of {exporter.dtype}; browsers read 8-bit grey or RGB"
        )
    examples = Examples.of_run(exporter.run, num_examples, trust)
    proof = exporter.export(FORMATS["onnx"], "float32", folder / "model.onnx", 0)
    page_input = PageInput(record.in_channels, fill_values(record, "uint8"), record.nodata)
    files = {
        **page_files(IN_BROWSER),
        **{f"onnxruntime-web/{name}": content for name, content in {**runtime, **onnxruntime_web.licences()}.items()},
        **examples.files(),
        "demo.json": describe_page(title_of(exporter.run), record.labels, examples, page_input),
    }
    for name, content in files.items():
        with replacing(folder / name) as part:
            part.write_bytes(content)
    return proof
