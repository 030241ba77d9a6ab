"""All scores of a test: each image counted from its pixels, and the same to the bit on 1, 2 and 3 ranks."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from seglit.callbacks import ScoreFile
from seglit.data import FolderDataModule
from seglit.data.synthetic import write_folder
from seglit.evaluation.bootstrap import bootstrap_iou
from seglit.evaluation.evaluation import TestEvaluation, TestScores, count_images
from seglit.labels import IGNORE_INDEX
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet
from tests.conftest import CLASS_NAMES

NUM_CLASSES = 4


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor, list[str]]:
    """Logits, masks with void and names; the last image is void throughout."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, 3, (count, 12, 14), generator=generator)
    logits = torch.randn(count, NUM_CLASSES, 12, 14, generator=generator)
    logits += 2 * torch.nn.functional.one_hot(mask, NUM_CLASSES).permute(0, 3, 1, 2)
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = IGNORE_INDEX
    mask[-1] = IGNORE_INDEX
    return logits, mask, [f"{seed}-{place}" for place in range(count)]


def scores_of(*batches: tuple[Tensor, Tensor, list[str]]) -> TestScores:
    evaluation = TestEvaluation(NUM_CLASSES)
    for logits, mask, names in batches:
        evaluation.update(logits, mask, names)
    return evaluation.compute()


def test_images_are_counted_one_by_one() -> None:
    logits, mask, _ = batch(0)
    preds = logits.argmax(1)
    found = count_images(preds, mask, NUM_CLASSES).numpy()
    for place, (pred, target) in enumerate(zip(preds.numpy(), mask.numpy(), strict=True)):
        pred, target = pred[target != IGNORE_INDEX], target[target != IGNORE_INDEX]  # noqa: PLW2901
        for c in range(NUM_CLASSES):
            right = np.sum((pred == c) & (target == c))
            assert found[place, :, c].tolist() == [right, np.sum(target == c), np.sum(pred == c)]


def test_images_add_up_to_the_split_and_void_ones_are_left_out() -> None:
    scores = scores_of(batch(1), batch(0))
    assert scores.names == ["0-0", "0-1", "1-0", "1-1"]
    right, target, predicted = scores.images.sum(axis=0)
    np.testing.assert_array_equal(right, scores.confusion.diagonal())
    np.testing.assert_array_equal(target, scores.confusion.sum(axis=1))
    np.testing.assert_array_equal(predicted, scores.confusion.sum(axis=0))
    assert scores.intervals.miou == bootstrap_iou(scores.images).miou
    assert scores.intervals.miou[0] <= scores.miou <= scores.intervals.miou[1]


def test_the_order_of_images_changes_nothing() -> None:
    one, other = scores_of(batch(0), batch(1)), scores_of(batch(1), batch(0))
    assert one.as_dict("abcd") == pytest.approx(other.as_dict("abcd"), abs=0, nan_ok=True)
    assert one.names == other.names


def test_after_a_reset_nothing_is_left() -> None:
    evaluation = TestEvaluation(NUM_CLASSES)
    evaluation.update(*batch(0))
    evaluation.reset()
    evaluation.update(*batch(1))
    assert evaluation.compute().as_dict("abcd") == pytest.approx(scores_of(batch(1)).as_dict("abcd"), nan_ok=True)


def test_a_split_of_void_is_nan_throughout() -> None:
    logits, mask, names = batch(0)
    nothing = scores_of((logits, torch.full_like(mask, IGNORE_INDEX), names))
    assert nothing.names == []
    assert all(math.isnan(value) for value in nothing.as_dict("abcd").values())


def score_file(root: Path, folder: Path, ranks: int) -> str:
    """What a test of an untrained network leaves in scores_test.json."""
    torch.manual_seed(0)
    data = FolderDataModule(str(root), CLASS_NAMES, batch_size=1, num_workers=0)
    module = SegmentationModule(UNet(len(CLASS_NAMES), channels=[4, 8]), CrossEntropy(), torch.optim.SGD, data.labels)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=ranks,
        strategy="ddp_fork" if ranks > 1 else "auto",  # gloo, without starting Python anew for each rank
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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore::lightning_fabric.utilities.warnings.PossibleUserWarning")  # advice, not for here
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_ranks_score_as_one_though_the_split_does_not_divide(tmp_path: Path) -> None:
    write_folder(tmp_path / "shapes", 1, 1, 5, (32, 40))
    one, two, three = (score_file(tmp_path / "shapes", tmp_path / str(ranks), ranks) for ranks in (1, 2, 3))
    assert one == two == three
    content = json.loads(one)
    assert np.sum(content["confusion"]) == 5 * 32 * 40
    assert [image["name"] for image in content["images"]] == [f"{place:05}" for place in range(5)]
    assert all(len(image["pixels"]) > 1 for image in content["images"])
