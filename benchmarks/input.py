"""The input pipeline alone: what one worker reads, augments and stacks, and what the whole loader gives.

Both with the cache of decoded pairs and without it.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from PIL import Image
from rich.box import MARKDOWN
from rich.table import Table
from torch.utils.benchmark import Timer

from seglit.data import Augment, Cache, FolderDataModule, SyntheticDataset
from seglit.data.batch import collate
from seglit.data.samples import Samples
from seglit.drawing.shapes import LABELS


def measure_input(
    augment: Augment,
    size: tuple[int, int] = (360, 480),
    crop_size: tuple[int, int] = (352, 480),
    batch_size: int = 8,
    images: int = 64,
    rounds: int = 5,
) -> Table:
    """Images per second of decoding, augmenting and collating apart, and of the whole loader, with the cache too.

    Args:
        augment: The augmentation.
        size: Height and width of the image files.
        crop_size: Height and width of the crops.
        batch_size: Images a batch.
        images: Number of files; a round reads each once.
        rounds: How often the whole loader is timed; the pieces are timed for a second each.
    """
    table = Table("what", title=f"input: JPEG and PNG of {size[0]} x {size[1]}", box=MARKDOWN, title_justify="left")
    table.add_column("images/s", justify="right")
    table.add_column("ms/image", justify="right")
    with TemporaryDirectory() as folder:
        write_pictures(Path(folder), images, size)
        cache = Cache(f"{folder}/cache")

        def make_data(num_workers: int, cache: Cache | None = None) -> FolderDataModule:
            names = list(LABELS.class_names)
            return FolderDataModule(
                folder,
                names,
                batch_size=batch_size,
                crop_size=crop_size,
                augment=augment,
                num_workers=num_workers,
                cache=cache,
            )

        speeds = {f"one process: {name}": speed for name, speed in time_pieces(make_data(0), cache).items()}
        for workers in (0, 1, 2):
            speeds[f"whole loader, {workers} workers"] = time_loader(make_data(workers), rounds)
            speeds[f"whole loader, {workers} workers, cache"] = time_loader(make_data(workers, cache), rounds)
    for name, speed in speeds.items():
        table.add_row(name, f"{speed:,.0f}", f"{1000 / speed:.2f}")
    return table


def write_pictures(root: Path, count: int, size: tuple[int, int]) -> None:
    """Writes shapes as most data sets come: images as JPEG, masks as PNG."""
    shapes = SyntheticDataset(count, size=size)
    for kind in ("images", "masks"):
        (root / kind / "train").mkdir(parents=True)
    for index in range(count):
        image, mask, name = shapes.read(index)
        Image.fromarray(image).save(root / "images" / "train" / f"{name}.jpg", quality=95)
        Image.fromarray(mask).save(root / "masks" / "train" / f"{name}.png")


def time_pieces(data: FolderDataModule, cache: Cache) -> dict[str, float]:
    """Images per second of each thing that a worker does, in a single thread as in a worker."""
    pipeline = (data.augment or Augment()).pipeline(data.crop_size)
    dataset = data.dataset("train")
    cached = Samples(dataset, cache=cache)
    pairs = [dataset.read(index)[:2] for index in range(data.batch_size)]
    augmented = Samples(dataset, pipeline)
    samples = [augmented[index] for index in range(data.batch_size)]
    pieces: dict[str, Callable[[], object]] = {
        "decode": lambda: [dataset.read(index) for index in range(data.batch_size)],
        "read from the cache": lambda: [cached.read(index) for index in range(data.batch_size)],
        "augment": lambda: [pipeline(image, mask, seed) for seed, (image, mask) in enumerate(pairs)],
        "collate": lambda: collate(samples),
    }
    times = {
        name: Timer("piece()", globals={"piece": piece}).blocked_autorange(min_run_time=1)
        for name, piece in pieces.items()
    }
    return {name: data.batch_size / time.median for name, time in times.items()}


def time_loader(data: FolderDataModule, rounds: int) -> float:
    """Images per second of the training loader: the median over epochs, the first (workers start) left out."""
    loader = data.train_dataloader()
    seconds = []
    for _ in range(1 + rounds):
        start = perf_counter()
        batches = sum(1 for _ in loader)
        seconds.append((perf_counter() - start) / batches)
    return data.batch_size / median(seconds[1:])
