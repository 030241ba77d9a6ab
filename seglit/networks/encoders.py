"""Encoders: images in, a list of feature maps out, finest first, each half the size of the one before."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import ConvBlock, crop, pad_to_multiple
from seglit.networks.library import any_size_options, encoder_normalization, fetching, resolve_encoder
from seglit.normalization import Normalization

LIBRARY_STRIDE = 32  # five halvings; also the smallest image that every library encoder takes


class ContractingPath(nn.Module):
    """The left side of the U-Net: convolve, keep, halve, again (Ronneberger et al. 2015, figure 1).

    Args:
        in_channels: channels of the images.
        channels: width of each level, finest first; the levels' strides are 1, 2, 4, ...
    """

    normalization: Normalization | None = None  # its weights are never pretrained

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = tuple(channels)
        self.levels = nn.ModuleList(ConvBlock(*pair) for pair in pairwise((in_channels, *channels)))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)  # ceil: an odd border pixel is kept, not dropped

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> one map (B, channels[i], H / 2^i, W / 2^i), rounded up, for each level i."""
        features = [self.levels[0](x)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return features


class LibraryEncoder(nn.Module):
    """Any encoder of segmentation_models_pytorch, or of timm as `tu-<name>`, for images of any size.

    Args:
        name: the encoder, as `resnet34` or `tu-convnext_tiny`.
        in_channels: channels of the images.
        weights: the pretrained weights' name, or None for random ones.
        depth: how often the images are halved, 3 to 5.

    Raises:
        InputError: for an unknown encoder or weights, an encoder that gives no pyramid of maps or takes one image
            size only, or weights that cannot be fetched.
    """

    def __init__(self, name: str, in_channels: int, weights: str | None, depth: int) -> None:
        from huggingface_hub.constants import HF_HUB_CACHE
        from segmentation_models_pytorch.encoders import get_encoder

        super().__init__()
        name, resolved = resolve_encoder(name, weights)
        options = any_size_options(name)
        with fetching(f"encoder {name}", "encoder_weights", HF_HUB_CACHE):
            try:
                self.model = get_encoder(name, in_channels=in_channels, weights=resolved, depth=depth, **options)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"encoder {name} gives no pyramid of maps for any image size ({error}): try resnet34, mit_b0 or "
                    "tu-convnext_tiny"
                ) from error
            self.normalization = encoder_normalization(name, resolved, in_channels)
        self.out_channels: tuple[int, ...] = tuple(self.model.out_channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> maps of strides 1, 2, 4, ..., 2^depth.

        The first is at the images' own size (with most encoders it is the images themselves); the others cover the
        images padded to multiples of 32. An encoder that starts at stride 4 gives a map of no channels at stride 2.
        """
        features: list[Tensor] = self.model(pad_to_multiple(x, LIBRARY_STRIDE))
        return [crop(features[0], like=x), *features[1:]]


def build_encoder(
    name: str | None, in_channels: int, weights: str | None, channels: Sequence[int], depth: int
) -> ContractingPath | LibraryEncoder:
    """The hand-written contracting path of these `channels` where `name` is None, else the library's of this `depth`.

    Raises:
        InputError: for weights without an encoder, and as `LibraryEncoder` does.
    """
    if name is not None:
        return LibraryEncoder(name, in_channels, weights, depth)
    if weights is not None:
        raise InputError(f"encoder_weights {weights!r} need an encoder: name one, as encoder: resnet34")
    return ContractingPath(in_channels, channels)
