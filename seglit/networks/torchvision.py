"""Segmentation networks of torchvision."""

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.encoder_weights import EncoderWeights, find_weight_file, is_weight_file
from seglit.networks.hub import is_reachable
from seglit.networks.input_channels import adapt_channels
from seglit.networks.library import download_errors, unknown_name
from seglit.normalization import Normalization


class Torchvision(nn.Module):
    """A network of torchvision.models.segmentation, with its auxiliary head if it has one.

    Args:
        num_classes: Channels of the logits. If `weights` have another number, their last layers are replaced.
        in_channels: Channels of the images.
        architecture: Such as `deeplabv3_resnet50`, `fcn_resnet101` or `lraspp_mobilenet_v3_large`.
        weights: Weights of the whole network (`DEFAULT`, `COCO_WITH_VOC_LABELS_V1`), or None.
        weights_backbone: Weights of the backbone only (`DEFAULT`, `IMAGENET1K_V1`), or the file of a state dict
            (`weights/resnet50.pth`), or None.

    Raises:
        InputError: Unknown names, both kinds of weights at once, or weights that cannot be downloaded or do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        architecture: str,
        weights: str | None = None,
        weights_backbone: str | None = None,
    ) -> None:
        from torchvision import models

        super().__init__()
        names = models.list_models(module=models.segmentation)
        if architecture not in names:
            raise unknown_name("architecture", architecture, names)
        if weights is not None and weights_backbone is not None:
            raise InputError("weights include the backbone: set weights_backbone: null")
        chosen = _weights(architecture, weights)
        backbone = architecture.partition("_")[2]
        self.weights = _in_file(backbone, weights_backbone, in_channels)
        chosen_backbone = _weights(backbone, None if self.weights else weights_backbone)
        # Weights of the whole network have their own number of classes.
        options: dict[str, Any] = {"num_classes": num_classes if chosen is None else None}
        if "aux_loss" in inspect.signature(models.get_model_builder(architecture)).parameters:
            options["aux_loss"] = True
        setting = "weights_backbone" if weights is None else "weights"
        with download_errors(architecture, setting, str(_cache())):
            _check_connection(chosen or chosen_backbone)
            self.model = models.get_model(architecture, weights=chosen, weights_backbone=chosen_backbone, **options)

        pretrained = chosen or chosen_backbone
        if chosen is not None:
            _replace_heads(self.model, num_classes)
        if in_channels != 3:
            _replace_first_convolution(self.model.backbone, in_channels, pretrained is not None)
        if self.weights is not None:
            self.weights.load(self.model.backbone)
        self._normalization: Normalization | None = None
        if pretrained is not None:
            preset = pretrained.transforms()
            self._normalization = Normalization(tuple(preset.mean), tuple(preset.std)).for_channels(in_channels)

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the pretrained weights require."""
        return self.weights.normalization if self.weights is not None else self._normalization

    @property
    def encoder(self) -> nn.Module:
        """The encoder, which may be pretrained."""
        encoder: nn.Module = self.model.backbone
        return encoder

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W).

        In training, if the architecture has an auxiliary head, the pair (logits, auxiliary logits).
        """
        logits: dict[str, Tensor] = self.model(x)  # "out" and perhaps "aux", each (B, num_classes, H, W)
        return tuple(logits.values()) if self.training and len(logits) > 1 else logits["out"]


def _weights(model: str, name: str | None) -> Any:
    """Returns the member of torchvision's enum of weights; None for None."""
    from torchvision.models import get_model_weights

    if name is None:
        return None
    known = get_model_weights(model).__members__
    if name not in known:
        raise InputError(f"{model} has no weights {name!r}: it has {', '.join(known)}")
    return known[name]


def _cache() -> Path:
    return Path(torch.hub.get_dir(), "checkpoints")


def _check_connection(weights: Any) -> None:
    """Raises OSError at once if weights cannot be downloaded: torch waits for a connection without a limit."""
    if weights is not None and not (_cache() / Path(weights.url).name).is_file() and not is_reachable(weights.url):
        raise ConnectionError(f"{weights.url} cannot be reached")


def _in_file(backbone: str, weights: str | None, in_channels: int) -> EncoderWeights | None:
    """Returns the weights of a file; None if `weights_backbone` names none."""
    if weights is None or not is_weight_file(weights):
        return None
    return EncoderWeights(backbone, None, find_weight_file(weights, "weights_backbone"), in_channels)


def _replace_heads(model: nn.Module, num_classes: int) -> None:
    """Replaces the last layers that have another number of classes."""
    last = ("classifier.4", "aux_classifier.4", "classifier.low_classifier", "classifier.high_classifier")
    layers = {name: layer for name, layer in model.named_modules() if name in last and isinstance(layer, nn.Conv2d)}
    for name, layer in layers.items():
        if layer.out_channels != num_classes:
            model.set_submodule(name, nn.Conv2d(layer.in_channels, num_classes, kernel_size=1))


def _replace_first_convolution(backbone: nn.Module, in_channels: int, pretrained: bool) -> None:
    """Adapts the first convolution to `in_channels`; pretrained weights are summed or repeated."""
    first = next(layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d))
    weight = first.weight.detach()  # (out_channels, 3, height, width)
    if pretrained:
        weight = adapt_channels(weight, in_channels)
    else:
        weight = weight.new_empty(first.out_channels, in_channels, *first.kernel_size)
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
    first.in_channels = in_channels
    first.weight = nn.Parameter(weight)
