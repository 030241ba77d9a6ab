"""Pretrained weights of an encoder of smp or timm: by name, from a file or from the Hugging Face hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from seglit.errors import InputError, did_you_mean
from seglit.networks import hub
from seglit.networks.input_channels import adapt_channels
from seglit.networks.library import download_errors, encoder_normalization, resolve_encoder
from seglit.networks.name_matching import match_names
from seglit.networks.timm_weights import classifier_names, rename_registers, resample_positions
from seglit.networks.weight_file import (
    find_weights,
    normalization_beside,
    read_content,
    recorded_normalization,
    stated_architecture,
)
from seglit.normalization import Normalization

PRETRAINED = ("encoder_weights", "weights_backbone", "pretrained")
"""Arguments of networks that name pretrained weights, or say whether a network starts from them."""
_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
_NUMBERED = re.compile(r"(?P<prefix>(\w+\.)*(\w+_)?backbone\.)?(?P<index>\d+)\.(?P<rest>.+)")
_SIZE = re.compile(r"(?<!resnetv2)_\d+$")  # of the images, in names of timm; resnetv2_50 has 50 layers
_RGB = 3  # channels of the images that encoders are pretrained on


def is_weight_file(weights: str) -> bool:
    """Whether the setting `encoder_weights` names a file, not weights that a library or the hub knows by a name."""
    return weights.lower().endswith(_SUFFIXES) and hub.repository_of(weights) is None


def find_weight_file(weights: str, setting: str = "encoder_weights") -> Path:
    """Returns the path of a file of weights that a setting names.

    Raises:
        InputError: There is none.
    """
    file = Path(weights).expanduser()
    if not file.is_file():
        beside = [entry.name for entry in file.parent.glob("*") if is_weight_file(entry.name)]
        raise InputError(f"{setting} {weights}: no such file{did_you_mean(file.name, beside)}")
    return file


@dataclass(frozen=True)
class EncoderWeights:
    """An encoder and its pretrained weights.

    Args:
        encoder: Name of the encoder, which for weights of timm includes their tag.
        named: smp's argument for weights that it downloads itself; None if it does not.
        file: Weights in a file; None if they are not.
        in_channels: Channels of the images.
    """

    encoder: str
    named: str | bool | None
    file: Path | None
    in_channels: int

    @classmethod
    def find(cls, encoder: str, weights: str | None, in_channels: int) -> Self:
        """Finds weights, and downloads those of `hf:owner/name`.

        Args:
            encoder: An smp encoder (`resnet34`), or `tu-` and any timm model (`tu-convnext_tiny`).
            weights: None; a name that smp or timm knows; the path of a file, see `is_weight_file`; or `hf:` and a
                repository of the Hugging Face Hub.
            in_channels: Channels of the images.

        Raises:
            InputError: Unknown encoder or weights, or weights that cannot be downloaded.
        """
        file = None
        if weights is not None and (repository := hub.repository_of(weights)):
            with _downloading(weights):
                file = hub.download_weights(repository)
        elif weights is not None and is_weight_file(weights):
            file = find_weight_file(weights)
        name, named = resolve_encoder(encoder, None if file else weights)
        return cls(name, named, file, in_channels)

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the weights require; None without weights.

        Raises:
            InputError: It is stated nowhere, or in units of the images that the weights were trained with.
        """
        if self.file is None:
            with self.downloading():
                return encoder_normalization(self.encoder, self.named, self.in_channels)
        stated = recorded_normalization(read_content(self.file)) or normalization_beside(self.file)
        if stated is not None and stated.scale == 1:
            raise InputError(
                f"weights {self.file}: they were trained with mean {[*stated.mean]} and std {[*stated.std]} in units "
                "of their images: set data.init_args.mean and std, in units of the images here"
            )
        if stated is None:
            raise InputError(
                f"weights {self.file}: no {self.file.stem}.json or config.json beside it states the mean and "
                "std that they were trained with: set data.init_args.mean and std, in units of the images (ImageNet's "
                "for 8 bits: mean [123.675, 116.28, 103.53], std [58.395, 57.12, 57.375])"
            )
        return stated.for_channels(self.in_channels)

    def load(self, encoder: nn.Module) -> None:
        """Loads the weights of a file into the encoder; does nothing for weights that smp has loaded.

        Raises:
            InputError: The file cannot be read, lacks a weight of the encoder, or is stated to be of another.
        """
        if self.file is None:
            return
        content = read_content(self.file)
        if recorded_normalization(content) is None:  # else it is seglit's, and the JSON beside it another's
            self._check_architecture(self.file)
        target = encoder.state_dict()
        source = rename_registers(_named_like(encoder, find_weights(content, self.file)))
        names = match_names(source, target)
        found = {ours: self._adapted(source[theirs], target[ours]) for ours, theirs in names.items()}
        resample_positions(found, encoder)
        unused = classifier_names(encoder)
        required = {
            name: value
            for name, value in target.items()
            if name not in unused and not name.endswith("num_batches_tracked")
        }
        if lacking := [name for name in required if name not in found or found[name].shape != required[name].shape]:
            first = lacking[0]
            there = f"is {tuple(found[first].shape)}" if first in found else "is missing"
            raise InputError(
                f"weights {self.file}: not those of {self.encoder}: {len(lacking)} of {len(required)} weights "
                f"do not fit, the first {first} {tuple(required[first].shape)}, which {there} in the file"
            )
        with torch.no_grad():
            for name, value in found.items():
                if name not in unused:
                    target[name].copy_(value)

    @contextmanager
    def downloading(self) -> Iterator[None]:
        """Within it, smp and timm download named weights: errors are one line, at once if there is no connection."""
        with _downloading(f"encoder {self.encoder}") if self.named else nullcontext():
            yield

    def _check_architecture(self, file: Path) -> None:
        """Compares names of timm, since some networks differ in what names and shapes of weights do not tell."""
        import timm

        renamed = timm.models.get_deprecated_models()
        names = (
            (stated_architecture(file) or "").partition(".")[0],
            self.encoder.removeprefix("tu-").partition(".")[0],
        )
        stated, here = ((renamed.get(name) or name).partition(".")[0] for name in names)
        if timm.is_model(stated) and timm.is_model(here) and _SIZE.sub("", stated) != _SIZE.sub("", here):
            raise InputError(
                f"weights {file}: the JSON beside it states that they are of {stated}, not of {here}: name that "
                "encoder; or, if the JSON is of another file, move it"
            )

    def _adapted(self, weight: Tensor, like: Tensor) -> Tensor:
        """Adapts the first convolution, (out_channels, 3, ...), to the channels of the images."""
        adapted = (like.shape[0], _RGB, *like.shape[2:]) if like.dim() > 1 else None
        if weight.shape != like.shape and weight.shape == adapted and like.shape[1] == self.in_channels:
            return adapt_channels(weight, self.in_channels)
        return weight


@contextmanager
def _downloading(weights: str) -> Iterator[None]:
    from huggingface_hub.constants import HF_HUB_CACHE

    with download_errors(weights, "encoder_weights", HF_HUB_CACHE), hub.offline_at_once(), hub.connection_errors():
        yield


def _named_like(encoder: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Replaces the numbers of `nn.Sequential(*encoder.children())`, by which lightly wraps a ResNet, by their names.

    Its modules have other parts beside it: `backbone.0.weight`, `projection_head.layers.0.weight`.
    """
    children = [name for name, _ in encoder.named_children()]
    found = {name: match for name in weights if (match := _NUMBERED.fullmatch(name))}
    if any(int(match["index"]) >= len(children) for match in found.values()):
        return weights
    names = {
        name: f"{match['prefix'] or ''}{children[int(match['index'])]}.{match['rest']}" for name, match in found.items()
    }
    return {names.get(name, name): value for name, value in weights.items()}
