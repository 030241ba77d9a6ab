"""Architectures of segmentation_models_pytorch, for images of any size."""

import inspect
from typing import Any

from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import crop, pad_to_multiple
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.encoders import LIBRARY_STRIDE
from seglit.networks.library import any_size_options, unknown_name
from seglit.normalization import Normalization


class SMP(nn.Module):
    """A network of segmentation_models_pytorch: an architecture around an encoder.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the images.
        architecture: unet, unetplusplus, manet, linknet, fpn, pspnet, deeplabv3, deeplabv3plus, pan, upernet,
            segformer or dpt.
        encoder_name: An smp encoder (`resnet34`), or `tu-` and any timm model. DPT requires a timm vision transformer
            with patches of 8, 16 or 32 pixels (`tu-vit_tiny_patch16_224`).
        encoder_weights: Pretrained weights of the encoder, or None: a name (`imagenet`), the file of a state dict
            (`weights/resnet34.pth`), or `hf:owner/name`.
        options: Further arguments of the architecture (`decoder_channels`, ...), and of timm encoders.

    Raises:
        InputError: Unknown names or options, an encoder that the architecture cannot use, or weights that cannot be
            downloaded or do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        architecture: str,
        encoder_name: str = "resnet34",
        encoder_weights: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        import segmentation_models_pytorch as smp

        super().__init__()
        self.architecture = architecture.lower()
        if self.architecture not in smp.MODEL_ARCHITECTURES_MAPPING:
            raise unknown_name("architecture", architecture, smp.MODEL_ARCHITECTURES_MAPPING)
        self.weights = EncoderWeights.find(encoder_name, encoder_weights, in_channels)
        name, named = self.weights.encoder, self.weights.named
        if not_logits := {"activation", "aux_params"} & set(options or {}):
            raise InputError(f"options {', '.join(sorted(not_logits))}: remove them; a network returns logits only")
        if not name.startswith("tu-"):  # options of timm encoders are passed on to timm
            _check_options(options or {}, smp.MODEL_ARCHITECTURES_MAPPING[self.architecture])
        options = any_size_options(name) | (options or {})
        with self.weights.downloading():
            try:
                self.model = smp.create_model(architecture, name, named, in_channels, num_classes, **options)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{architecture} cannot be built with encoder {name} and options {options} ({error}): resnet34 "
                    "works with every architecture but dpt, and tu-vit_tiny_patch16_224 with dpt"
                ) from error
        self.weights.load(self.model.encoder)
        if LIBRARY_STRIDE % (stride := self.model.encoder.output_stride):
            raise InputError(
                f"{architecture} cannot use encoder {name}, whose patch size {stride} does not divide 32: use one of "
                "patch 16, such as tu-vit_small_patch16_dinov3, or seglit.networks.Segmenter"
            )

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the encoder's pretrained weights require."""
        return self.weights.normalization

    @property
    def encoder(self) -> nn.Module:
        """The encoder, which may be pretrained."""
        encoder: nn.Module = self.model.encoder
        return encoder

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W)."""
        # PAN halves its deepest map three times more.
        at_least = 8 * self.model.encoder.output_stride if self.architecture == "pan" else 0
        padded = pad_to_multiple(x, LIBRARY_STRIDE, at_least)  # (B, in_channels, H', W'), multiples of 32
        return crop(self.model(padded), like=x)  # (B, num_classes, H, W)


def _check_options(options: dict[str, Any], architecture: Any) -> None:
    """Raises InputError for an option that smp would ignore."""
    known = set(inspect.signature(architecture.__init__).parameters) - {"self", "kwargs"}
    for option in options:
        if option not in known:
            raise unknown_name(f"option of {architecture.__name__}", option, sorted(known))
