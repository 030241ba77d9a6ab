"""Prediction: `seglit predict` beside the bare network and a loop written by hand, on the same network and images.

All three take turns in one process, so that whatever else the machine does falls on all of them alike.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from rich.box import MARKDOWN
from rich.table import Table
from torch import Tensor, nn

from benchmarks.machine import autocast, fastest_layout, now
from seglit.data import SyntheticDataset
from seglit.drawing.shapes import LABELS
from seglit.hardware import fastest_precision, find_device, keep_freed_memory
from seglit.module import DEFAULT_NORMALIZATION
from seglit.networks import SMP
from seglit.predict.jobs import claim, find_jobs
from seglit.predict.pipeline import Pipeline
from seglit.predict.predictor import BATCH_PIXELS, Predictor
from seglit.predict.settings import Settings

Loop = Callable[[], None]
"""Predicts all images once."""


def measure_predict(
    encoder: str = "resnet18",
    size: tuple[int, int] = (360, 480),
    large: tuple[int, int] = (1080, 1440),
    tile: int = 512,
    images: int = 24,
    rounds: int = 5,
) -> Table:
    """Images per second of `seglit predict`, from files to files, of a loop with smp, and of the network alone.

    Args:
        encoder: Encoder of smp's U-Net, with random weights.
        size: Height and width of the images that are predicted whole.
        large: Height and width of those that are predicted in tiles.
        tile: Tile size.
        images: Number of images that are predicted whole, and of tiles' worth of pixels in the large ones.
        rounds: How often the loops take turns.
    """
    keep_freed_memory()
    table = Table("images", title=f"predict: smp U-Net {encoder}", box=MARKDOWN, title_justify="left")
    for heading in ("network alone", "loop with smp", "seglit predict", "predict / network", "of CPU time"):
        table.add_column(heading, justify="right")
    for name, (height, width), settings, number in (
        ("whole", size, Settings(), images),
        (f"tiles of {tile}", large, Settings(tile=tile), max(1, images * tile**2 // (large[0] * large[1]))),
    ):
        with TemporaryDirectory() as folder:
            loops = _make_loops(Path(folder), encoder, (height, width), settings, number)
            measured = [[_time(loop) for loop in loops] for _ in range(1 + rounds)][1:]
        network, by_hand, predicted = (number / median(turn[index][0] for turn in measured) for index in range(3))
        ratios = [median(turn[0][kind] / turn[2][kind] for turn in measured) for kind in range(2)]
        row = (f"{network:.1f}", f"{by_hand:.1f}", f"{predicted:.1f}", *(f"{ratio:.2f}" for ratio in ratios))
        table.add_row(f"{name}: {number} of {height} x {width}", *row)
    return table


def _time(loop: Loop) -> tuple[float, float]:
    """Seconds by the clock, and of all processors."""
    start, cpu = now(), process_time()
    loop()
    return now() - start, process_time() - cpu


def _make_loops(root: Path, encoder: str, size: tuple[int, int], settings: Settings, number: int) -> tuple[Loop, ...]:
    """The network alone, a loop with smp, and `seglit predict`, of the same weights."""
    write_photos(root / "images", number, size)
    torch.manual_seed(0)
    network = SMP(LABELS.num_classes, architecture="unet", encoder_name=encoder)
    predictor = Predictor(network, LABELS, DEFAULT_NORMALIZATION, settings=settings)
    places = [(row.seen, column.seen) for row, column in predictor.grid(*size).places()]
    model = smp.Unet(encoder, encoder_weights=None, classes=LABELS.num_classes).eval().to(find_device())
    outputs = (root / f"predictions{index}" for index in count())

    def predict() -> None:
        output = next(outputs)
        jobs = find_jobs([str(root / "images")], output, overlays=False, probabilities=False)
        claim(output, {})
        Pipeline(predictor, "stored").run(jobs, lambda _: None)

    def by_hand() -> None:
        output = next(outputs)
        output.mkdir()
        for file in sorted((root / "images").iterdir()):
            image = torch.from_numpy(np.array(Image.open(file))).to(find_device()).permute(2, 0, 1)[None]
            mask = predict_by_hand(model, (image.float() / 255 - 0.449) / 0.226, places)
            Image.fromarray(mask.byte().cpu().numpy()).save(output / f"{file.stem}.png")

    return bare_loop(network, number, places), by_hand, predict


def write_photos(folder: Path, number: int, size: tuple[int, int]) -> None:
    """Writes shapes as JPEG."""
    folder.mkdir()
    shapes = SyntheticDataset(number, size=size)
    for index in range(number):
        Image.fromarray(shapes.read(index)[0]).save(folder / f"{index}.jpg", quality=95)


def bare_loop(network: nn.Module, number: int, places: list[tuple[slice, slice]]) -> Loop:
    """Forward passes of batches as `seglit predict` makes them, which are ready on the device; masks are not made."""
    tiles = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in places] * number
    batch_size = max(1, BATCH_PIXELS // (tiles[0][0] * tiles[0][1]))
    batches = [
        torch.randn(len(batch), 3, *batch[0], device=find_device()).contiguous(memory_format=fastest_layout())
        for batch in (tiles[start : start + batch_size] for start in range(0, len(tiles), batch_size))
    ]

    def loop() -> None:
        with torch.inference_mode(), autocast(fastest_precision(find_device())):
            for batch in batches:
                network(batch)

    return loop


@torch.inference_mode()
def predict_by_hand(model: nn.Module, image: Tensor, places: list[tuple[slice, slice]]) -> Tensor:
    """Class indices (H, W) of an image (1, 3, H, W), in tiles whose probabilities are summed, or whole."""
    if len(places) == 1:
        return pad_and_score(model, image).argmax(0)
    total = image.new_zeros(LABELS.num_classes, *image.shape[2:])
    for rows, columns in places:
        total[:, rows, columns] += pad_and_score(model, image[:, :, rows, columns]).softmax(0)
    return total.argmax(0)


def pad_and_score(model: nn.Module, image: Tensor) -> Tensor:
    """Logits (num_classes, H, W) of an image (1, 3, H, W), padded to multiples of 32 pixels."""
    height, width = image.shape[2:]
    padded = nn.functional.pad(image, (0, -width % 32, 0, -height % 32), mode="replicate")
    logits: Tensor = model(padded)[0, :, :height, :width]
    return logits
