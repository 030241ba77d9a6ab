"""Test scores: counts per image, and bit-identical scores on 1, 2 and 3 ranks."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from seglit.callbacks import ScoreFile
from seglit.data import FolderDataModule
from seglit.drawing.shapes import write_folder
from seglit.evaluation.bootstrap import bootstrap_iou
from seglit.evaluation.evaluation import TestEvaluation, TestScores
from seglit.evaluation.groups import groups_of
from seglit.evaluation.image_pair import image_pairs
from seglit.evaluation.saved_scores import as_saved
from seglit.labels import IGNORE_INDEX
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet
from seglit.runs.scores import Cost
from tests.conftest import CLASS_NAMES

CLASSES = "abcd"
NUM_CLASSES = len(CLASSES)


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor, list[str]]:
    """Logits, masks with void, and names; the last mask is all void."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, 3, (count, 12, 14), generator=generator)
    logits = torch.randn(count, NUM_CLASSES, 12, 14, generator=generator)
    logits += 2 * torch.nn.functional.one_hot(mask, NUM_CLASSES).permute(0, 3, 1, 2)
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = IGNORE_INDEX
    mask[-1] = IGNORE_INDEX
    return logits, mask, [f"{seed}-{index}" for index in range(count)]


def scores_of(*batches: tuple[Tensor, Tensor, list[str]]) -> TestScores:
    evaluation = TestEvaluation(CLASSES)
    for logits, mask, names in batches:
        evaluation.update(logits, mask, names)
    return evaluation.compute()


def test_counts_per_image() -> None:
    logits, mask, _ = batch(0)
    preds = logits.argmax(1)
    for image, pred, target in zip(image_pairs(preds, mask), preds.numpy(), mask.numpy(), strict=True):
        counts = image.count(NUM_CLASSES)
        pred, target = pred[target != IGNORE_INDEX], target[target != IGNORE_INDEX]  # noqa: PLW2901
        for c in range(NUM_CLASSES):
            correct = np.sum((pred == c) & (target == c))
            assert counts[:, c].tolist() == [correct, np.sum(target == c), np.sum(pred == c)]


def test_images_add_up_to_the_split_without_void_ones() -> None:
    scores = scores_of(batch(1), batch(0))
    assert scores.names == ["0-0", "0-1", "1-0", "1-1"]
    correct, target, predicted = scores.images.sum(axis=0)
    np.testing.assert_array_equal(correct, scores.confusion.diagonal())
    np.testing.assert_array_equal(target, scores.confusion.sum(axis=1))
    np.testing.assert_array_equal(predicted, scores.confusion.sum(axis=0))
    assert scores.intervals.miou == bootstrap_iou(scores.images).miou
    assert scores.intervals.miou[0] <= scores.miou <= scores.intervals.miou[1]


def test_groups_are_stated_or_in_the_names_of_slices() -> None:
    logits, mask, _ = batch(0, 6)
    evaluation = TestEvaluation(CLASSES)
    evaluation.groups = {"a": "patient", "b": "patient", "c[1]": "c[1]"}
    evaluation.update(logits, mask, ["a", "b", "c[1]", "d[0]", "d[11]", "void"])
    scores = evaluation.compute()
    assert scores.names == ["a", "b", "c[1]", "d[0]", "d[11]"]
    assert scores.groups == ["patient", "patient", "c[1]", "d", "d"]
    units = [scores.images[:2].sum(axis=0), scores.images[2], scores.images[3:].sum(axis=0)]
    assert scores.intervals.miou == bootstrap_iou(np.array(units)).miou
    cost = Cost("CPU", 1, 1.0, 1.0, None, 1, None)
    saved = as_saved(scores, {}, tuple(CLASSES), None, cost)
    assert groups_of(saved) == scores.groups
    assert [image.group for image in saved.images] == ["patient", "patient", "c[1]", "", ""]


def test_order_of_images_does_not_matter() -> None:
    one, other = scores_of(batch(0), batch(1)), scores_of(batch(1), batch(0))
    assert one.as_dict(CLASSES) == pytest.approx(other.as_dict(CLASSES), abs=0, nan_ok=True)
    assert one.names == other.names


def test_reset_clears_all_counts() -> None:
    evaluation = TestEvaluation(CLASSES)
    evaluation.update(*batch(0))
    evaluation.reset()
    evaluation.update(*batch(1))
    assert evaluation.compute().as_dict(CLASSES) == pytest.approx(scores_of(batch(1)).as_dict(CLASSES), nan_ok=True)


def test_all_scores_of_void_are_nan() -> None:
    logits, mask, names = batch(0)
    scores = scores_of((logits, torch.full_like(mask, IGNORE_INDEX), names))
    assert scores.names == []
    assert all(math.isnan(value) for value in scores.as_dict(CLASSES).values())


def score_file(root: Path, folder: Path, ranks: int, **settings: Any) -> str:
    """The content of scores_test.json, without its cost, after testing an untrained network."""
    torch.manual_seed(0)
    data = FolderDataModule(str(root), CLASS_NAMES, batch_size=1, num_workers=0, **settings)
    module = SegmentationModule(UNet(len(CLASS_NAMES), channels=[4, 8]), CrossEntropy(), torch.optim.SGD, data.labels)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=ranks,
        strategy="ddp_fork" if ranks > 1 else "auto",  # gloo, without starting a new Python process per rank
        callbacks=[ScoreFile()],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.test(module, data, verbose=False)
    content = json.loads((folder / "scores_test.json").read_text())
    assert content.pop("cost")["test_images_per_second"] > 0
    return json.dumps(content)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore::lightning_fabric.utilities.warnings.PossibleUserWarning")  # only advice
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_ranks_give_equal_scores_for_an_indivisible_split(tmp_path: Path) -> None:
    write_folder(tmp_path / "shapes", 1, 1, 5, (32, 40))
    one, two, three = (score_file(tmp_path / "shapes", tmp_path / str(ranks), ranks) for ranks in (1, 2, 3))
    assert one == two == three
    content = json.loads(one)
    assert np.sum(content["confusion"]) == 5 * 32 * 40
    assert [image["name"] for image in content["images"]] == [f"{index:05}" for index in range(5)]
    assert all(len(image["pixels"]) > 1 for image in content["images"])


@pytest.mark.parametrize(("group", "groups"), [("^(0000)[01]", ["0000", "0000", None]), ("^(0)", ["0", "0", "0"])])
def test_group_of_the_data_is_resampled_and_one_group_has_no_interval(
    tmp_path: Path, group: str, groups: list[str | None]
) -> None:
    write_folder(tmp_path / "shapes", 1, 1, 3, (16, 16))
    content = json.loads(score_file(tmp_path / "shapes", tmp_path, 1, group=group))
    assert [image.get("group") for image in content["images"]] == groups
    assert (content["scores"]["miou_low"] is None) == (len(set(groups)) == 1)
