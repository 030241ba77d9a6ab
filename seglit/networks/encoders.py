"""Encoders: map images to a list of feature maps, finest first, each half the size of the one before."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import ConvBlock, crop, pad_to_multiple
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.library import any_size_options
from seglit.normalization import Normalization

LIBRARY_STRIDE = 32  # five halvings; also the smallest image that every library encoder accepts


class ContractingPath(nn.Module):
    """The left side of the U-Net: convolve, pool, repeat (Ronneberger et al. 2015, figure 1).

    Args:
        in_channels: Channels of the images.
        channels: Width of each level, finest first; strides are 1, 2, 4, ...
    """

    normalization: Normalization | None = None  # no pretrained weights

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = tuple(channels)
        self.levels = nn.ModuleList(ConvBlock(*pair) for pair in pairwise((in_channels, *channels)))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)  # ceil keeps odd border pixels

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> one map (B, channels[i], H / 2^i, W / 2^i), rounded up, for each level i."""
        features = [self.levels[0](x)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return features


class LibraryEncoder(nn.Module):
    """Any encoder of segmentation_models_pytorch, or of timm as `tu-<name>`, for images of any size.

    Args:
        name: The encoder, such as `resnet34` or `tu-convnext_tiny`.
        in_channels: Channels of the images.
        weights: Pretrained weights, see `EncoderWeights.find`; None initialises randomly.
        depth: Number of halvings, 3 to 5.

    Raises:
        InputError: Unknown encoder or weights, an encoder without a feature pyramid or with a fixed image size, or
            weights that cannot be downloaded or do not fit.
    """

    def __init__(self, name: str, in_channels: int, weights: str | None, depth: int) -> None:
        from segmentation_models_pytorch.encoders import get_encoder

        super().__init__()
        self.weights = EncoderWeights.find(name, weights, in_channels)
        name, named = self.weights.encoder, self.weights.named
        options = any_size_options(name)
        with self.weights.downloading():
            try:
                self.model = get_encoder(name, in_channels=in_channels, weights=named, depth=depth, **options)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"encoder {name} gives no feature pyramid for any image size ({error}): try resnet34, mit_b0 or "
                    "tu-convnext_tiny"
                ) from error
        self.weights.load(self.model)
        self.out_channels: tuple[int, ...] = tuple(self.model.out_channels)

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the pretrained weights require."""
        return self.weights.normalization

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) -> maps of strides 1, 2, 4, ..., 2^depth.

        The first has the size of the images (with most encoders it is the images themselves); the others are those of
        the images padded to multiples of 32. An encoder that starts at stride 4 returns 0 channels at stride 2.
        """
        features: list[Tensor] = self.model(pad_to_multiple(x, LIBRARY_STRIDE))
        return [crop(features[0], like=x), *features[1:]]


class EncoderNetwork(nn.Module):
    """A network around an encoder, which states how the images are normalised."""

    encoder: ContractingPath | LibraryEncoder

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the encoder's pretrained weights require."""
        return self.encoder.normalization


def build_encoder(
    name: str | None, in_channels: int, weights: str | None, channels: Sequence[int], depth: int
) -> ContractingPath | LibraryEncoder:
    """Builds the contracting path of width `channels` if `name` is None, else the library's encoder of this `depth`.

    Raises:
        InputError: A width is below 1, there are weights without an encoder, or `LibraryEncoder` raises.
    """
    if min(channels) < 1:
        raise InputError(f"channels are {list(channels)}; each must be 1 or more")
    if name is not None:
        return LibraryEncoder(name, in_channels, weights, depth)
    if weights is not None:
        raise InputError(f"encoder_weights {weights!r} require an encoder, such as encoder: resnet34")
    return ContractingPath(in_channels, channels)
