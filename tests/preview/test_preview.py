"""`seglit preview`, and the picture of the first training batch."""

from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
from PIL import Image

from seglit.callbacks import pictures
from seglit.data import Augment, SyntheticDataModule
from seglit.drawing.shapes import LABELS
from seglit.drawing.training_batch import Panel, draw_batch
from seglit.labels import Labels
from seglit.module import SegmentationModule
from seglit.preview import pictures as preview_pictures
from seglit.preview.pictures import draw_preview
from tests.conftest import Run


def test_preview_trains_nothing(run: Run, tiny: list[str], tmp_path: Path) -> None:
    outcome = run("preview", *tiny, "--data.augment=standard", "--data.crop_size=[16,16]", "--output", "seen.png")
    assert (outcome.code, outcome.out, outcome.err) == (0, "preview: seen.png\n", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["seen.png"]
    with Image.open(tmp_path / "seen.png") as picture:
        colors = picture.getcolors(2**24) or []
    assert len(colors) > 1000  # photographs
    assert run("preview", *tiny, "--output").err == "seglit: error: --output needs a file: --output preview.png\n"
    assert "did you mean 'crop_size'?" in run("preview", *tiny, "--data.crop_sizes=[16,16]").err
    assert run("preview", *tiny, "--data.batch_size=0").err == "seglit: error: batch_size is 0; it must be 1 or more\n"
    assert "usage: seglit preview" in run("preview", "--help").out


def test_each_transform_is_beside_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[list[Panel]]] = []
    monkeypatch.setattr(preview_pictures, "draw_steps", lambda rows, _: drawn.append(rows))
    flip = A.HorizontalFlip(p=0.25)
    data = SyntheticDataModule(2, size=(32, 48), crop_size=(16, 16), augment=Augment((0.5, 0.5), [flip]))
    draw_preview(data)
    ((first, second),) = drawn
    image, mask, name = data.dataset("train").read(0)
    original, scaled, cropped, flipped, trained = first  # and no padding, which would change nothing
    assert original.title == f"{name}, 32x48"
    assert (original.image == image).all()
    assert (original.mask == mask).all()
    assert scaled.title == "scale, 16x24"
    assert cropped.title == "crop, 16x16"
    assert flipped.title == "HorizontalFlip (25%), 32x48"
    assert (flipped.image == image[:, ::-1]).all()
    assert (flipped.mask == mask[:, ::-1]).all()
    assert (trained.title, trained.image.shape) == ("as trained on, 16x16", (16, 16, 3))
    assert second[0].title == "00001, 32x48"


def test_crops_of_small_images_and_transforms_of_one_class_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[list[Panel]]] = []
    monkeypatch.setattr(preview_pictures, "draw_steps", lambda rows, _: drawn.append(rows))
    transforms = [A.RandomBrightnessContrast((value, value), 0, p=0.5) for value in (-0.3, 0.3)]
    crops = [A.CenterCrop(40, 24), A.CropNonEmptyMaskIfExists(40, 24)]
    data = SyntheticDataModule(1, size=(32, 48), crop_size=(64, 40), augment=Augment(transforms=[*transforms, *crops]))
    draw_preview(data)
    (((original, *steps),),) = drawn
    titles = ["padding, 64x48", "crop, 64x40", *2 * ["RandomBrightnessContrast (50%), 32x48"],
              "CenterCrop, 40x24", "CropNonEmptyMaskIfExists, 40x24", "as trained on, 40x24"]  # fmt: skip
    assert [panel.title for panel in steps] == titles
    cropped, dark, bright, centred = steps[1:5]
    assert dark.image.mean() < original.image.mean() < bright.image.mean()
    assert (cropped.mask == 255).any()
    assert (centred.mask[4:36] == original.mask[:, 12:36]).all()
    assert (centred.mask[:4] == 255).all()


def test_first_batch_is_drawn_as_the_network_gets_it(
    run: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    step = SegmentationModule.training_step

    def training_step(module: SegmentationModule, batch: Any, index: int) -> Any:
        seen.append(batch)
        return step(module, batch, index)

    def draw(panels: list[Panel], labels: Labels) -> Image.Image:
        seen.append(panels)
        return draw_batch(panels, labels)

    monkeypatch.setattr(SegmentationModule, "training_step", training_step)
    monkeypatch.setattr(pictures, "draw_batch", draw)
    options = ["--trainer.max_epochs=1", "--test_after_fit=false", "--data.crop_size=[16,16]", "--pictures.count=8"]
    outcome = run("fit", *tiny, *options)
    panels, batch, *_ = seen
    assert [panel.title for panel in panels] == batch["name"]
    for index, panel in enumerate(panels):
        assert (panel.image == batch["image"][index].permute(1, 2, 0).numpy()).all()
        assert (panel.mask == batch["mask"][index].numpy()).all()
    assert sum(isinstance(each, list) for each in seen) == 1
    with Image.open(outcome.folder / "pictures" / "train.png") as picture:
        assert picture.width > 4 * 240


def test_images_are_beside_their_masks() -> None:
    image, mask = np.full((20, 20, 3), 100, np.uint8), np.zeros((20, 20), np.uint8)
    mask[:, 10:] = 2
    page = np.asarray(draw_batch([Panel(image, mask, "name")], LABELS, width=20))
    row = page[30]
    assert (row[8:28] == 100).all()
    left, right = row[36:56][:9], row[36:56][11:]
    assert (left == 100).all()  # background
    blended = (0.6 * 100 + 0.4 * np.array(LABELS.palette[2])).astype(np.uint8)
    assert (right == blended).all()
    assert (row[36 + 10] == LABELS.palette[2]).all()  # the outline
