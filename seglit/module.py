"""The LightningModule: training and evaluation steps, and how scores and optimizer are wired to them."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric

from seglit.data.base import Batch
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX, Labels
from seglit.metrics import ConfusionMatrix, Scores
from seglit.networks.normalization import Normalization
from seglit.optim import configure_optimization

MemoryFormat = Literal["channels_last", "contiguous"]
DEFAULT_NORMALIZATION = Normalization((0.449,), (0.226,))
"""ImageNet's mean and standard deviation over all three channels: serves any number of channels."""
CHECKPOINT_KEY = "seglit"
"""Where in a checkpoint the plain data lies that prediction needs; see `seglit.callbacks.RunRecord`."""


class Evaluation(nn.Module):
    """What is counted over a split.

    Args:
        num_classes: The number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.confusion = ConfusionMatrix(num_classes)
        self.mean_loss = MeanMetric()


class SegmentationModule(pl.LightningModule):
    """Trains a network with a criterion and scores it; knows no particular network, loss or data set.

    A network maps float images (B, C, H, W) to logits (B, num_classes, H, W), of any size. In training it may return
    a tuple (logits, auxiliary logits, ...); the auxiliary ones add to the loss. If it has an attribute
    `normalization`, its images are normalised by that, otherwise by `DEFAULT_NORMALIZATION`.

    Args:
        network: The network.
        criterion: Called with float32 logits (B, num_classes, H, W) and the int64 mask (B, H, W), void 255.
        optimizer: Makes the optimizer from parameter groups.
        scheduler: Makes the schedule from the optimizer and the total number of optimizer steps; None keeps the rate.
        labels: The data's labels; the command line links them.
        encoder_lr_factor: Factor on the learning rate of the network's `encoder`.
        auxiliary_weight: Weight of each auxiliary output in the loss.
        memory_format: How images and weights lie in memory. None is `channels_last`, which convolutions are faster
            in; the command line chooses by the hardware.
        compile: Whether the network is compiled (`torch.compile`).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        criterion: nn.Module,
        optimizer: Callable[[Iterable[Any]], Optimizer],
        labels: Labels,
        scheduler: Callable[[Optimizer, int], LRScheduler] | None = None,
        encoder_lr_factor: float = 1.0,
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
        self.encoder_lr_factor = encoder_lr_factor
        self.auxiliary_weight = auxiliary_weight
        self.memory_format = torch.contiguous_format if memory_format == "contiguous" else torch.channels_last
        self.register_buffer("mean", torch.empty(0), persistent=False)
        self.register_buffer("std", torch.empty(0), persistent=False)
        self._normalize_by(getattr(network, "normalization", None) or DEFAULT_NORMALIZATION)
        self.val_evaluation = Evaluation(labels.num_classes)
        self.test_evaluation = Evaluation(labels.num_classes)
        self.scores: dict[str, Scores] = {}
        self.network.to(memory_format=self.memory_format)
        if compile:
            self.network.compile()  # in place: wrapping it would rename the weights

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_classes, H, W) of images as stored: uint8 (B, C, H, W), or float in 0..1."""
        return self._outputs(image)[0]

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The loss of a batch, auxiliary outputs included."""
        logits, *auxiliary = self._outputs(batch["image"])
        mask = batch["mask"].long()
        loss: Tensor = self.criterion(logits.float(), mask)
        for extra in auxiliary:
            loss = loss + self.auxiliary_weight * self.criterion(extra.float(), mask)
        self.log("train/loss", loss, batch_size=len(mask))
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        """Counts a batch; returns what callbacks may draw: preds uint8 (B, H, W)."""
        return self._evaluate(batch, self.val_evaluation)

    def test_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        """Counts a batch; returns what callbacks may draw: preds uint8 (B, H, W)."""
        return self._evaluate(batch, self.test_evaluation)

    def on_validation_epoch_end(self) -> None:
        """Scores the whole split."""
        self._score("val", self.val_evaluation)

    def on_test_epoch_end(self) -> None:
        """Scores the whole split."""
        self._score("test", self.test_evaluation)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the normalisation that the weights were trained with.

        Raises:
            InputError: The checkpoint is of another network or other classes.
        """
        saved = checkpoint.get(CHECKPOINT_KEY, {})
        if saved and tuple(saved["labels"]["class_names"]) != self.labels.class_names:
            names = ", ".join(saved["labels"]["class_names"])
            raise InputError(f"the checkpoint's classes are {names}; the data's {', '.join(self.labels.class_names)}")
        ours = {name: value.shape for name, value in self.state_dict().items()}
        theirs = {name: value.shape for name, value in checkpoint["state_dict"].items()}
        if other := [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]:
            raise InputError(
                f"the checkpoint is of another network: {len(other)} weights differ, first {other[0]} "
                f"{theirs.get(other[0])}, here {ours.get(other[0])}; the run's own config.yaml fits it"
            )
        if saved:
            self._normalize_by(Normalization(**{name: tuple(each) for name, each in saved["normalization"].items()}))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Parameter groups, optimizer and schedule; see `seglit.optim`."""
        steps = self.trainer.estimated_stepping_batches
        return configure_optimization(
            self.network, self.make_optimizer, self.make_scheduler, steps, self.encoder_lr_factor
        )

    def normalize(self, image: Tensor) -> Tensor:
        """Images as stored (B, C, H, W), 8 bits or float in 0..1, to what the network was built for."""
        scale = 1.0 if image.is_floating_point() else 255.0
        normal: Tensor = (image.float() / scale - self.mean) / self.std
        return normal.contiguous(memory_format=self.memory_format)

    def _normalize_by(self, normalization: Normalization) -> None:
        self.normalization = normalization
        self.mean = torch.tensor(normalization.mean, device=self.device).view(-1, 1, 1)
        self.std = torch.tensor(normalization.std, device=self.device).view(-1, 1, 1)

    def _outputs(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.network(self.normalize(image))
        outputs = output if isinstance(output, tuple) else (output,)
        wanted = (len(image), self.labels.num_classes, *image.shape[2:])
        for logits in outputs:
            if not isinstance(logits, Tensor) or logits.shape != wanted:
                got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
                raise InputError(
                    f"{type(self.network).__name__} returned {got}, not logits (B, num_classes, H, W) = {wanted}; "
                    "a network takes num_classes and answers at the size of its input"
                )
        return outputs

    def _evaluate(self, batch: Batch, evaluation: Evaluation) -> dict[str, Tensor]:
        logits = self(batch["image"])
        mask = batch["mask"].long()
        preds = logits.argmax(1)  # (B, H, W)
        evaluation.confusion.update(preds, mask)
        evaluation.mean_loss.update(self.criterion(logits.float(), mask), weight=(mask != IGNORE_INDEX).sum())
        return {"preds": preds.to(torch.uint8)}

    def _score(self, split: str, evaluation: Evaluation) -> None:
        scores, loss = evaluation.confusion.compute(), evaluation.mean_loss.compute()
        evaluation.confusion.reset()
        evaluation.mean_loss.reset()
        self.scores[split] = scores
        named = {f"{split}/{name}": value for name, value in scores.as_dict(self.labels.class_names).items()}
        self.log_dict({f"{split}/loss": loss, **named})
