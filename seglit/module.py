"""The LightningModule: training, validation and test steps, scores, and the optimizer."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric

from seglit.data.base import SegmentationDataModule
from seglit.data.batch import Batch
from seglit.errors import InputError
from seglit.evaluation.evaluation import Evaluation, TestEvaluation, at_size_of
from seglit.evaluation.own_metrics import MetricValue, by_name
from seglit.labels import Labels
from seglit.metrics import Scores
from seglit.networks.contract import forward
from seglit.networks.fast_gradients import fast_gradients
from seglit.networks.sharding import shard
from seglit.normalization import Normalization, Normalize
from seglit.optim import configure_optimization, parameter_groups
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord
from seglit.runs.logged_steps import log_short_epochs, mean_if_logged

MemoryFormat = Literal["channels_last", "contiguous"]
DEFAULT_NORMALIZATION = Normalization((0.449,), (0.226,))
"""ImageNet's mean and standard deviation over all three channels; applies to any number of 8-bit channels."""


class SegmentationModule(pl.LightningModule):
    """Trains a network with a criterion and scores it, for any network, loss and data set.

    The network maps normalised float images (B, C, H, W) of any size to logits (B, num_classes, H, W). In training it
    may return a tuple (logits, auxiliary logits, ...); the loss of the auxiliary logits is added to the loss.

    Args:
        network: The network.
        criterion: Called with float32 logits (B, num_classes, H, W) and the int64 mask (B, H, W), void 255.
        optimizer: Called with parameter groups; returns the optimizer.
        metrics: Your own metrics; `update` gets int64 (B, H, W) `preds` and `target` (void 255) at the stored size.
        scheduler: Called with the optimizer and the total number of optimizer steps; returns the learning rate
            schedule. None keeps the learning rate constant.
        labels: Labels of the data; linked by the command line.
        normalization: Mean and standard deviation of the data; linked by the command line. None takes the network's
            `normalization` attribute, else `DEFAULT_NORMALIZATION`.
        encoder_lr_factor: Factor on the learning rate of the network's `encoder`.
        layer_decay: Further factor per block, from the last block to the first, for transformer encoders.
        auxiliary_weight: Weight of each auxiliary loss.
        memory_format: Memory format of images and weights. None is `channels_last`, which is faster for convolutions;
            the command line chooses by hardware.
        compile: Compile the network with `torch.compile`.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: nn.Module,
        optimizer: Callable[[Iterable[Any]], Optimizer],
        labels: Labels,
        normalization: Normalization | None = None,
        metrics: list[Metric] | None = None,
        scheduler: Callable[[Optimizer, int], LRScheduler] | None = None,
        encoder_lr_factor: float = 1.0,
        layer_decay: float = 1.0,
        auxiliary_weight: float = 0.4,
        memory_format: MemoryFormat | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.labels = labels
        self.lr_factors = (encoder_lr_factor, layer_decay)
        self.auxiliary_weight = auxiliary_weight
        self.memory_format = torch.contiguous_format if memory_format == "contiguous" else torch.channels_last
        normalization = normalization or getattr(network, "normalization", None) or DEFAULT_NORMALIZATION
        self.normalize = Normalize(normalization, self.memory_format)
        self.val_evaluation = Evaluation(labels.class_names, metrics or ())
        self.test_evaluation = TestEvaluation(labels.class_names, metrics or ())
        self.scores: dict[str, Scores] = {}
        self.own_metrics: dict[str, dict[str, MetricValue]] = {}
        self.network.to(memory_format=self.memory_format)
        self.compiled = compile
        if compile:
            self.network.compile()  # in place: `torch.compile(network)` would rename the weights

    @property
    def normalization(self) -> Normalization:
        """Mean and standard deviation that images are normalised by."""
        return self.normalize.normalization

    def forward(self, image: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns logits (B, num_classes, H, W) of images (B, C, H, W) as stored; see `Batch` for `valid`."""
        return self._outputs(image, valid)[0]

    def on_train_start(self) -> None:
        """Logs the loss of short epochs too."""
        log_short_epochs(self.trainer)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Returns the loss of a batch, auxiliary losses included."""
        with nullcontext() if self.compiled else fast_gradients(self.network, self.device):
            logits, *auxiliary = self._outputs(batch["image"], batch.get("valid"))
        mask = batch["mask"].long()
        loss: Tensor = self.criterion(logits.float(), mask)
        for extra in auxiliary:
            loss = loss + self.auxiliary_weight * self.criterion(extra.float(), mask)
        self.log("train/loss", mean_if_logged(loss, self.trainer), batch_size=len(mask))
        return loss

    def on_test_start(self) -> None:
        """Looks up the groups of the test images, which the confidence intervals resample."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it
        if isinstance(data, SegmentationDataModule):
            self.test_evaluation.groups = data.groups("test")

    def validation_step(self, batches: list[Batch], batch_index: int) -> dict[str, list[Tensor]]:
        """Scores batches of one image size each; returns their `preds`, uint8 like the masks, for callbacks."""
        return {"preds": [self._evaluate(batch, self.val_evaluation) for batch in batches]}

    def test_step(self, batches: list[Batch], batch_index: int) -> dict[str, list[Tensor]]:
        """Scores batches of one image size each; returns their `preds`, uint8 like the masks, for callbacks."""
        return {"preds": [self._evaluate(batch, self.test_evaluation) for batch in batches]}

    def on_validation_epoch_end(self) -> None:
        """Computes and logs the scores of the split."""
        self._log_scores("val", self.val_evaluation)

    def on_test_epoch_end(self) -> None:
        """Computes and logs the scores of the split."""
        self._log_scores("test", self.test_evaluation)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the normalisation that the weights were trained with.

        Raises:
            InputError: The checkpoint's classes or weights are not this model's.
        """
        saved = ModelRecord.from_dict(checkpoint[RECORD_KEY]) if RECORD_KEY in checkpoint else None
        if saved and saved.labels.class_names != self.labels.class_names:
            names = ", ".join(saved.labels.class_names)
            raise InputError(f"the checkpoint's classes are {names}; the data's {', '.join(self.labels.class_names)}")
        ours = {name: value.shape for name, value in self.state_dict().items()}
        theirs = {name: value.shape for name, value in checkpoint["state_dict"].items()}
        if other := [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]:
            raise InputError(
                f"the checkpoint is of another network: {len(other)} weights differ, first {other[0]} "
                f"{theirs.get(other[0])}, here {ours.get(other[0])}; use the run's own config.yaml"
            )
        if saved:
            self.normalize.set(saved.normalization)

    def configure_model(self) -> None:
        """Shards the network if the strategy is `ModelParallelStrategy`."""
        shard(self.network, self.device_mesh)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Builds parameter groups, optimizer and schedule; see `seglit.optim`."""
        steps = self.trainer.estimated_stepping_batches
        groups = parameter_groups(self.network, *self.lr_factors)
        return configure_optimization(groups, self.make_optimizer, self.make_scheduler, steps)

    def _outputs(self, image: Tensor, valid: Tensor | None) -> tuple[Tensor, ...]:
        return forward(self.network, self.normalize(image, valid), self.labels.num_classes)

    def _evaluate(self, batch: Batch, evaluation: Evaluation) -> Tensor:
        mask = batch["mask"].long()
        logits = at_size_of(mask, self(batch["image"], batch.get("valid")))
        preds = evaluation.update(logits, mask, batch["name"])
        evaluation.mean_loss.update(self.criterion(logits.float(), mask), mask)
        return preds.byte()

    def _log_scores(self, split: str, evaluation: Evaluation) -> None:
        scores, loss, own = evaluation.compute(), evaluation.mean_loss.compute(), evaluation.own_metrics.compute()
        evaluation.reset()
        self.scores[split], self.own_metrics[split] = scores, own
        named = {**scores.as_dict(self.labels.class_names), "loss": loss}
        own_named = by_name(own)
        if taken := named.keys() & own_named.keys():
            raise InputError(f"model.metrics: {min(taken)!r} is a score of seglit; rename the class")
        self.log_dict({f"{split}/{name}": value for name, value in (named | own_named).items()})
