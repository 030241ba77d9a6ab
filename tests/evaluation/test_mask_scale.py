"""Masks at another scale than their images: scored at their own size, trained on at the image's."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from seglit.data import Augment, Cache, FolderDataModule
from seglit.data.batch import Batch
from seglit.drawing.predictions import Prediction, draw_grid, panels
from seglit.images.scaling import resize_nearest
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule

SIZE = (24, 32)
SCALED = [(12, 16), (48, 64), (24, 32), (12, 16), (8, 11)]
LABELS = Labels.create(["a", "b", "c"], ignore_values=[255])


def pair(index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(index)
    mask = rng.choice(np.array([0, 1, 2, 255], np.uint8), SCALED[index])
    return rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8), mask


@pytest.fixture
def data(tmp_path: Path) -> FolderDataModule:
    for index in range(len(SCALED)):
        for kind, array in zip(("images", "masks"), pair(index), strict=True):
            for split in ("train", "test"):
                file = tmp_path / kind / split / f"{index}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(file)
    return FolderDataModule(
        str(tmp_path),
        list(LABELS.class_names),
        ignore_values=[255],
        resize_masks=True,
        batch_size=4,
        num_workers=0,
        cache=Cache(str(tmp_path / "cache")),
    )


def resized_logits(network: nn.Module, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Logits (H, W, C), resized by OpenCV."""
    normalized = (image / 255 - 0.449) / 0.226
    with torch.no_grad():
        logits = network(torch.from_numpy(normalized.transpose(2, 0, 1)[None]).float())[0].numpy()
    return np.stack([cv2.resize(channel, size[::-1], interpolation=cv2.INTER_LINEAR) for channel in logits], -1)


@pytest.mark.parametrize("read_twice", [False, True], ids=["decoded", "cached"])
def test_scores_are_those_of_resized_logits(data: FolderDataModule, read_twice: bool) -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 3, kernel_size=3, padding=1)
    module = SegmentationModule(network, CrossEntropy(), torch.optim.SGD, LABELS).eval()
    loader = data.test_dataloader()
    if read_twice:
        list(loader)
    batches: list[list[Batch]] = list(loader)
    with torch.no_grad():
        preds = [module.test_step(each, index)["preds"] for index, each in enumerate(batches)]
    sizes = sorted(tuple(one.shape) for each in preds for one in each)
    assert sizes == [(1, 8, 11), (1, 24, 32), (1, 48, 64), (2, 12, 16)]

    confusion, losses, images = np.zeros((3, 3), int), [], []
    for index in range(len(SCALED)):
        image, mask = pair(index)
        logits = resized_logits(network, image, mask.shape[:2])
        known = mask != 255
        own = np.zeros((3, 3), int)
        np.add.at(own, (mask[known], logits.argmax(-1)[known]), 1)
        confusion += own
        images.append(np.stack([own.diagonal(), own.sum(1), own.sum(0)]))
        exp = np.exp(logits - logits.max(-1, keepdims=True))
        losses += (-np.log(exp / exp.sum(-1, keepdims=True)))[known, mask[known]].tolist()
    scores = module.test_evaluation.compute()
    np.testing.assert_array_equal(scores.confusion, confusion)
    np.testing.assert_array_equal(scores.images, images)
    assert module.test_evaluation.mean_loss.compute() == pytest.approx(np.mean(losses), rel=1e-5)


def test_training_masks_are_resized_before_augmentation(data: FolderDataModule) -> None:
    data.batch_size = 1
    names = set()
    for batch in data.train_dataloader():
        image, mask = pair(int(batch["name"][0]))
        np.testing.assert_array_equal(batch["image"][0].permute(1, 2, 0), image)
        np.testing.assert_array_equal(batch["mask"][0], resize_nearest(mask, SIZE))
        names.add(batch["name"][0])
    assert len(names) == len(SCALED)
    data.crop_size, data.augment = (16, 16), Augment(scale=(0.5, 1.5))
    assert all(batch["mask"].shape == (1, 16, 16) for batch in data.train_dataloader())


@pytest.mark.parametrize("size", [(12, 16), (48, 64), (8, 11)])
def test_pictures_show_masks_of_another_scale(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    target = np.random.default_rng(1).integers(0, 3, size, dtype=np.uint8)
    preds: dict[str, Any] = {"at the target": target, "at the image": np.zeros(SIZE, np.uint8)}
    for each in preds.values():
        prediction = Prediction(image, target, each, "x")
        assert {panel.shape for panel in panels(prediction, LABELS, 40)} == {
            (30, 40, 3) if size[1] != 11 else (29, 40, 3)
        }
        assert {array.shape[:2] for array in prediction.at_target_size()[:3]} == {size}
        draw_grid([prediction], LABELS)
