"""The Hugging Face hub, from which timm, smp and seglit download weights; and whether a server can be reached."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import SSLError

from seglit.errors import InputError, printable

_PREFIXES = ("hf:", "hf-hub:")  # the latter is timm's
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_SETTINGS = ("model.json", "config.json", "preprocessor_config.json")  # the first also of a bundle
_TIMEOUT = 3.0  # seconds


def repository_of(name: str) -> str | None:
    """Returns the repository of the hub that `hf:owner/name[@revision]` names; None if a name is of another kind."""
    prefix = next(filter(name.startswith, _PREFIXES), None)
    return name.removeprefix(prefix) if prefix else None


def download_weights(repository: str) -> Path:
    """Downloads the weights of a repository, with the JSON files that describe them, or finds them cached.

    Args:
        repository: `owner/name`, optionally `owner/name@revision`.

    Returns:
        The weight file.

    Raises:
        InputError: The repository is not found or has no weights.
        OSError: The hub cannot be reached and the files are not cached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RepositoryNotFoundError

    name, _, revision = repository.partition("@")
    found: dict[str, Path] = {}
    missing: dict[str, EntryNotFoundError] = {}
    try:
        for file in (*_WEIGHTS, *_SETTINGS):
            if file in _WEIGHTS and found:
                continue
            try:
                found[file] = Path(hf_hub_download(name, file, revision=revision or None))
            except EntryNotFoundError as error:
                missing[file] = error
    except (RepositoryNotFoundError, HFValidationError) as error:
        reason = printable(str(error).strip().splitlines()[0])
        raise InputError(f"{repository}: no such repository of the hub, or it requires access ({reason})") from error
    for file in _WEIGHTS:
        if file in found:
            return found[file]
    for absent in missing.values():
        if isinstance(absent, OSError):  # not known to be missing: it is not cached, and there is no connection
            raise absent
    raise InputError(f"{repository}: the repository has no {' or '.join(_WEIGHTS)}")


@contextmanager
def offline_at_once() -> Iterator[None]:
    """Lets huggingface_hub use its cache only, if the hub cannot be reached: it would retry for up to 40 seconds."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not is_reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def is_reachable(url: str) -> bool:
    """Whether a server answers, even with an error; through the proxy that the environment names, if any."""
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (a setting of the user)
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        # certificates that only another client knows
        return isinstance(error, urllib.error.URLError) and isinstance(error.reason, SSLError)
    return True
