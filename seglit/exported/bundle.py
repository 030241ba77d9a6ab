"""Bundles: a folder of weights, description and model card to hand a network over; it loads without pickle.

model.safetensors  the weights
model.json         network, classes and normalisation, as in a checkpoint
README.md          the model card
"""

from collections.abc import Collection
from pathlib import Path

import msgspec
import safetensors.torch
from torch import nn

from seglit.errors import InputError
from seglit.networks.hub import connection_errors, download_weights, offline_at_once
from seglit.runs.bundle_folder import RECORD, WEIGHTS, is_bundle, read_bundle
from seglit.runs.checkpoint import ModelRecord, build_network

CARD = "README.md"


def write_bundle(folder: Path, network: nn.Module, record: ModelRecord, card: str) -> None:
    """Writes a bundle into an existing folder."""
    # copies, since safetensors stores no two names for one tensor
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, folder / WEIGHTS)
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record.to_dict()), indent=1) + b"\n")
    (folder / CARD).write_text(card, encoding="utf-8")


def load_bundle(folder: Path, trust: Collection[str] = ()) -> tuple[nn.Module, ModelRecord]:
    """Builds the network of a bundle and loads its weights.

    Args:
        folder: The bundle, which may be a stranger's.
        trust: Further packages whose classes it may name, see `import_class`.

    Raises:
        InputError: A file is damaged, the network cannot be built, or the weights do not fit it.
    """
    record, weights = read_bundle(folder)
    return build_network(record, weights, folder, trust), record


def download_bundle(repository: str) -> Path:
    """Downloads the bundle of a repository of the Hugging Face Hub, or finds it in the local cache.

    Args:
        repository: `owner/name`, optionally `owner/name@revision`.

    Raises:
        InputError: It cannot be downloaded and is not in the cache, or it is no bundle.
    """
    try:
        with offline_at_once():
            folder = download_weights(repository).parent
    except OSError as error:  # network and HTTP errors
        reason = " ".join(str(error).split())
        raise InputError(f"hf:{repository}: cannot be downloaded and is not in the cache ({reason})") from error
    if not is_bundle(folder):
        raise InputError(
            f"hf:{repository}: contains no {WEIGHTS} and {RECORD} that `seglit export --format bundle` writes"
        )
    return folder


def push_bundle(folder: Path, repository: str) -> str:
    """Uploads a bundle to a repository of the Hugging Face Hub, which is made private if there is none.

    Args:
        folder: The bundle.
        repository: `owner/name`.

    Returns:
        The address of the commit.

    Raises:
        InputError: It is no bundle, or cannot be uploaded.
    """
    from huggingface_hub import HfApi

    if not is_bundle(folder):
        raise InputError(f"{folder}: not a bundle; `seglit export RUN --format bundle` writes one")
    try:
        api = HfApi()
        with connection_errors():
            api.create_repo(repository, private=True, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                allow_patterns=[WEIGHTS, RECORD, CARD],
                commit_message="Upload a network of seglit",
            )
    except OSError as error:
        raise InputError(f"hf:{repository}: cannot be uploaded ({' '.join(str(error).split())})") from error
    return str(commit.commit_url)
