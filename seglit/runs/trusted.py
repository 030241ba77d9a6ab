"""Which classes a checkpoint, or the configuration of another run, may name: either may be a stranger's file.

What such a file names is imported and called. So that it runs no code of its own, it may name classes of the packages
below only, which is checked before anything is imported; `--trust` adds packages.
"""

import importlib
from collections.abc import Collection
from typing import TypeVar

from seglit.errors import InputError

T = TypeVar("T")

OWN = (__name__.partition(".")[0],)
_NETWORKS = (*OWN, "torch.nn", "torchvision", "segmentation_models_pytorch", "timm")


Trust = str | Collection[str] | None
"""Packages or modules that a user trusts: one, several or none."""


class NotTrustedError(InputError):
    """A file names code that it may not run."""


def packages_of(trust: Trust) -> tuple[str, ...]:
    """Returns the packages that a user trusts.

    Raises:
        InputError: One is not the import path of a package or module.
    """
    packages = (trust,) if isinstance(trust, str) else tuple(trust or ())
    for package in packages:
        if not all(map(str.isidentifier, package.split("."))):
            raise InputError(f"trust: {package!r} is not the import path of a package or module, such as mynet")
    return packages


def trust_option(network: str, data: str) -> str:
    """Returns the option, after a space, that a run with these classes needs to be reported; '' if it needs none."""
    own = [path for path, trusted in ((network, _NETWORKS), (data, OWN)) if not is_in(path, trusted)]
    packages = ",".join(sorted({path.partition(".")[0] for path in own}))
    return f" --trust {f'[{packages}]' if ',' in packages else packages}" if packages else ""


def is_in(class_path: str, packages: Collection[str]) -> bool:
    """Whether a class is of one of these packages or modules."""
    module = class_path.rpartition(".")[0]
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def import_class(kind: type[T], class_path: str, where: str, trust: Collection[str]) -> type[T]:
    """Imports a class that a file names.

    Args:
        kind: The class, or a base class of it.
        class_path: The import path of the class.
        where: File and object, for messages: `run/best.ckpt: its network`.
        trust: Packages and modules whose classes may be named besides those of seglit, and for an `nn.Module` those of
            torch.nn, torchvision, segmentation_models_pytorch and timm.

    Raises:
        NotTrustedError: The class is of another package; nothing was imported.
        InputError: The class is not found, or is not a `kind`.
    """
    from torch import nn  # here, as commands check their options without torch

    module, _, name = class_path.rpartition(".")
    packages = _NETWORKS if issubclass(kind, nn.Module) else OWN
    if not is_in(class_path, (*packages, *trust)):
        own = class_path.partition(".")[0]
        raise NotTrustedError(
            f"{where} {class_path} is not of {', '.join(packages)}; if you trust its code: --trust {own}, "
            f"or in Python: trust=[{own!r}]"
        )
    found = _find(module, name, f"{where} {class_path}")
    if not isinstance(found, type) or not issubclass(found, kind):
        raise InputError(f"{where} {class_path} is not a class of the kind {kind.__name__}")
    return found


def _find(module: str, name: str, where: str) -> object:
    not_found = f"{where} is not found; run `python -m seglit` from the folder that contains its code"
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or error.name is None:
            raise InputError(f"{where} cannot be imported ({error})") from error
        if not f"{module}.".startswith(f"{error.name}."):
            raise InputError(f"{where} needs the package {error.name!r}") from error
        raise InputError(not_found) from error
    try:
        return getattr(imported, name)
    except AttributeError as error:
        raise InputError(not_found) from error
