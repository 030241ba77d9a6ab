"""Scores a predictor on a split, at the stored size of the masks."""

from collections.abc import Iterable
from typing import Any, cast

from seglit.data.base import SegmentationDataModule
from seglit.data.batch import Batch
from seglit.evaluation.evaluation import Evaluation, at_size_of
from seglit.images.pairs import Split
from seglit.predict.predictor import Predictor


def batches_of(data: SegmentationDataModule, split: Split, size: tuple[int, int] | None = None) -> Iterable[Batch]:
    """Yields the batches of the validation or test split, each of one size; only those of `size`, if it is set."""
    loader = data.val_dataloader() if split == "val" else data.test_dataloader()
    for batches in cast(Any, loader):
        yield from (batch for batch in batches if size in (None, tuple(batch["image"].shape[2:])))


def update(evaluation: Evaluation, predictor: Predictor, batch: Batch) -> None:
    """Predicts the whole images of a batch, as validation does, and counts them."""
    mask = batch["mask"].long().to(predictor.device)
    logits = predictor.logits(batch["image"], batch.get("valid"))
    evaluation.update(at_size_of(mask, logits), mask, batch["name"])
