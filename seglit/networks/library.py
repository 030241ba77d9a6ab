"""What a library's encoders and networks need: names checked, weights found, errors said in one line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from seglit.errors import InputError, did_you_mean
from seglit.normalization import Normalization


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the `known`."""
    return InputError(f"unknown {kind} {name!r}{did_you_mean(name, known)}")


@contextmanager
def fetching(weights: str, setting: str, folder: str) -> Iterator[None]:
    """Says in one line that pretrained weights could not be downloaded.

    Args:
        weights: what is fetched, as the user knows it.
        setting: the argument that asks for it; null goes without.
        folder: where the library keeps what it has downloaded before.

    Raises:
        InputError: on any failure to reach or read the weights.
    """
    try:
        yield
    except OSError as error:  # every library's network, HTTP and missing-file errors are OSErrors
        raise InputError(
            f"the pretrained weights of {weights} could not be fetched and are not in {folder}: "
            f"set {setting}: null, or run once where the network can be reached"
        ) from error


def check_batch(images: Tensor, architecture: str) -> None:
    """Raises InputError for a batch of one image, where BatchNorm would normalise a single value per channel."""
    if len(images) == 1:
        raise InputError(
            f"{architecture} needs at least two images a batch in training: "
            "set data.init_args.batch_size to 2 or more, or drop the last batch"
        )


def resolve_encoder(name: str, weights: str | None) -> tuple[str, str | bool | None]:
    """Checks an encoder and its weights and gives both as `smp.encoders.get_encoder` wants them.

    Args:
        name: an smp encoder (`resnet34`), or `tu-` and any timm model (`tu-convnext_tiny`).
        weights: None, or one of the encoder's weights. A timm model has its own (`a1_in1k`); `imagenet` stands for its
            default ones, as in smp.

    Returns:
        The name, for timm with the weights' tag in it, and smp's `weights` argument.

    Raises:
        InputError: for an unknown encoder or unknown weights.
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
    """The arguments that let a resolved encoder take images of any size: timm's transformers must be told."""
    import timm

    fixed = name.startswith("tu-") and timm.models.get_pretrained_cfg_value(
        name.removeprefix("tu-"), "fixed_input_size"
    )
    return {"dynamic_img_size": True} if fixed else {}


def encoder_normalization(name: str, weights: str | bool | None, in_channels: int) -> Normalization | None:
    """The normalisation of a resolved encoder's weights (see `resolve_encoder`), None without weights."""
    if weights is None:
        return None
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    settings = get_preprocessing_params(name, weights)
    top = settings["input_range"][1]  # 1, or 255 where mean and std are stated for bytes
    mean, std = (tuple(value / top for value in settings[key]) for key in ("mean", "std"))
    return Normalization(mean, std).for_channels(in_channels)
