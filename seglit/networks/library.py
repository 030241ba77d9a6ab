"""Shared by the wrappers of smp, timm and torchvision: checks of names and weights, one-line errors."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from seglit.errors import InputError, did_you_mean, printable
from seglit.normalization import Normalization


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Returns the error for a name that is not in `known`."""
    return InputError(f"unknown {kind} {name!r}{did_you_mean(name, known)}")


@contextmanager
def download_errors(weights: str, setting: str, folder: str) -> Iterator[None]:
    """Converts errors of downloading pretrained weights to one line.

    Args:
        weights: Network or encoder, for the message.
        setting: The argument that requests the weights.
        folder: Folder of the library's downloads.

    Raises:
        InputError: The weights cannot be downloaded or read.
    """
    try:
        yield
    except (OSError, HTTPException, RuntimeError) as error:  # network, HTTP and missing-file errors of all libraries
        # torch.hub's, of an incomplete file
        if isinstance(error, RuntimeError) and "invalid hash value" not in str(error):
            raise
        reason = printable(" ".join(str(error).split()).partition(". ")[0]) or type(error).__name__
        raise InputError(
            f"the pretrained weights of {weights} cannot be downloaded and are not in {folder} ({reason}): "
            f"set {setting}: null{' or to the path of a file' if setting == 'encoder_weights' else ''}, or run once "
            "with network access"
        ) from error


def resolve_encoder(name: str, weights: str | None) -> tuple[str, str | bool | None]:
    """Checks an encoder and its weights, and converts them to arguments of `smp.encoders.get_encoder`.

    Args:
        name: An smp encoder (`resnet34`), or `tu-` and any timm model (`tu-convnext_tiny`).
        weights: None, or the name of weights: for timm models a tag (`a1_in1k`), or `imagenet` for the default.

    Returns:
        The name, which for timm includes the tag, and smp's `weights` argument.

    Raises:
        InputError: Unknown encoder or weights.
    """
    import timm
    from segmentation_models_pytorch.encoders import encoders

    if name in encoders:
        if weights is not None and weights not in encoders[name]["pretrained_settings"]:
            raise _unknown_weights(name, weights, encoders[name]["pretrained_settings"])
        return name, weights

    architecture, _, tag = name.removeprefix("tu-").partition(".")
    if not name.startswith("tu-") or not timm.is_model(architecture):
        raise unknown_name("encoder", name, [*encoders, *(f"tu-{model}" for model in timm.list_models())])
    tags = [model.partition(".")[2] for model in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise _unknown_weights(f"tu-{architecture}", tag, tags)
    if weights is None:
        return name, None
    if not tags or weights not in ("imagenet", *tags):
        raise _unknown_weights(f"tu-{architecture}", weights, tags)
    return (name if weights == "imagenet" else f"tu-{architecture}.{weights}"), True


def _unknown_weights(encoder: str, weights: str, known: Iterable[str]) -> InputError:
    return InputError(f"encoder {encoder} has no weights {weights!r}: it has {', '.join(known) or 'none, set null'}")


def any_size_options(name: str) -> dict[str, Any]:
    """Returns the arguments by which a resolved encoder accepts images of any size (timm's transformers)."""
    import timm

    fixed = name.startswith("tu-") and timm.models.get_pretrained_cfg_value(
        name.removeprefix("tu-"), "fixed_input_size"
    )
    return {"dynamic_img_size": True} if fixed else {}


def encoder_normalization(name: str, weights: str | bool | None, in_channels: int) -> Normalization | None:
    """Returns the normalisation that a resolved encoder's weights require; None without weights."""
    if weights is None:
        return None
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    settings = get_preprocessing_params(name, weights)
    top = settings["input_range"][1]  # 1, or 255 if mean and std are those of 8-bit values
    mean, std = (tuple(value / top for value in settings[key]) for key in ("mean", "std"))
    return Normalization(mean, std).for_channels(in_channels)
