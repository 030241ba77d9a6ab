"""The Hugging Face hub, from which timm, smp and seglit download weights; and whether a server can be reached."""

import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from threading import Thread

from seglit.errors import InputError, printable

_PREFIXES = ("hf:", "hf-hub:")  # the latter is timm's
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_RECORD = "model.json"  # of a bundle, or mean and std
_SETTINGS = (_RECORD, "config.json", "preprocessor_config.json")
_DEADLINE = 3.0  # seconds


def repository_of(name: str) -> str | None:
    """Returns the repository of the hub that `hf:owner/name[@revision]` names; None if a name is of another kind."""
    prefix = next(filter(name.startswith, _PREFIXES), None)
    return name.removeprefix(prefix) if prefix else None


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raises any error from within huggingface_hub as an OSError, which those of httpx and hf_xet are not.

    Raises:
        OSError: An error of huggingface_hub, with its message.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
        if not any(module.partition(".")[0] == "huggingface_hub" for module in modules):
            raise
        raise ConnectionError(str(error) or type(error).__name__) from error


@connection_errors()
def download_weights(repository: str) -> Path:
    """Downloads the weights of a repository, with the JSON files that describe them, or finds them cached.

    Args:
        repository: `owner/name`, optionally `owner/name@revision`.

    Returns:
        The weight file.

    Raises:
        InputError: The repository or its revision is not found, or it has no weights.
        OSError: The download fails and the files are not cached, or it is not known whether the weights are a
            bundle's: settings of a library beside them say that they are not.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name, _, revision = repository.partition("@")
    found: dict[str, Path | None] = {}
    unknown: dict[str, OSError] = {}
    try:
        for file in (*_WEIGHTS, *_SETTINGS):
            if file in _WEIGHTS and any(found.values()):
                continue
            try:
                found[file] = _download(name, revision or None, file)
            except LocalEntryNotFoundError as error:
                if not constants.HF_HUB_OFFLINE:  # the connection was lost
                    raise
                unknown[file] = error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        reason = printable(str(error).strip().splitlines()[0])
        raise InputError(
            f"{repository}: no such repository or revision of the hub, or it requires access ({reason})"
        ) from error
    weights = next(filter(None, map(found.get, _WEIGHTS)), None)
    if weights is None:
        if unknown:
            raise next(iter(unknown.values()))
        raise InputError(f"{repository}: the repository has no {' or '.join(_WEIGHTS)}")
    if _RECORD in unknown and not any(map(found.get, _SETTINGS)):
        raise FileNotFoundError(f"{weights.name} is cached, but not whether there is a {_RECORD}, as in a bundle")
    return weights


def _download(name: str, revision: str | None, file: str) -> Path | None:
    """Downloads a file, or finds it cached; returns None if the repository is known to have none.

    Raises:
        LocalEntryNotFoundError: That is not known, since the hub cannot be reached.
    """
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, revision=revision))
    except LocalEntryNotFoundError:
        if try_to_load_from_cache(name, file, revision=revision) is not _CACHED_NO_EXIST:
            raise
        return None
    except EntryNotFoundError:
        return None


@contextmanager
def offline_at_once() -> Iterator[None]:
    """Lets huggingface_hub use its cache only, if the hub cannot be reached: it would retry for up to 40 seconds."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _was_reachable(constants.ENDPOINT, int(time.monotonic() // 60))
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@lru_cache(maxsize=8)
def _was_reachable(url: str, _minute: int) -> bool:
    """Asks at most once a minute, since a network asks for its weights and for their normalisation."""
    return is_reachable(url)


def is_reachable(url: str) -> bool:
    """Whether a server answers within 3 seconds, even with an error.

    The time includes the look-up of its name and all of its addresses, for which `urlopen` has no limit in common. A
    proxy that the environment names is used.
    """
    answers: list[bool] = []
    thread = Thread(target=lambda: answers.append(_answers(url)), daemon=True)
    thread.start()
    thread.join(_DEADLINE)
    return any(answers)


def _answers(url: str) -> bool:
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (a setting of the user)
        urllib.request.urlopen(request, timeout=_DEADLINE).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        # certificates that only another client knows
        return isinstance(error, urllib.error.URLError) and isinstance(error.reason, SSLError)
    except (ValueError, HTTPException):  # not an address, or no HTTP server
        return False
    return True
