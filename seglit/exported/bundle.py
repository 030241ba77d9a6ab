"""Bundles: a folder of weights, description and model card to hand a network over; it loads without pickle.

model.safetensors  the weights
model.json         network, classes and normalisation, as in a checkpoint
README.md          the model card
"""

from collections.abc import Collection
from pathlib import Path

import msgspec
import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from seglit.errors import InputError
from seglit.runs.checkpoint import ModelRecord, build_network
from seglit.runs.record_schema import check_record

WEIGHTS = "model.safetensors"
RECORD = "model.json"
CARD = "README.md"
HUB = "hf:"
"""What a repository of the Hugging Face Hub is named by: hf:owner/name."""


def write_bundle(folder: Path, network: nn.Module, record: ModelRecord, card: str) -> None:
    """Writes a bundle into an existing folder."""
    # copies, since safetensors stores no two names for one tensor
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, folder / WEIGHTS)
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record.to_dict()), indent=1) + b"\n")
    (folder / CARD).write_text(card, encoding="utf-8")


def is_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle."""
    return (folder / RECORD).is_file() and (folder / WEIGHTS).is_file()


def load_bundle(folder: Path, trust: Collection[str] = ()) -> tuple[nn.Module, ModelRecord]:
    """Builds the network of a bundle and loads its weights.

    Args:
        folder: The bundle, which may be a stranger's.
        trust: Further packages whose classes it may name, see `import_class`.

    Raises:
        InputError: A file is damaged, the network cannot be built, or the weights do not fit it.
    """
    try:
        data = msgspec.json.decode((folder / RECORD).read_bytes())
        weights = safetensors.torch.load_file(folder / WEIGHTS)
    except (ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: its files are damaged ({error})") from error
    check_record(data, folder / RECORD)
    record = ModelRecord.from_dict(data)
    return build_network(record, weights, folder, trust), record


def download_bundle(name: str) -> Path:
    """Downloads the bundle of a repository of the Hugging Face Hub, or finds it in the local cache.

    Args:
        name: The repository, hf:owner/name.

    Raises:
        InputError: It cannot be downloaded and is not in the cache, or it is no bundle.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name.removeprefix(HUB), allow_patterns=[WEIGHTS, RECORD, CARD]))
    except (OSError, ValueError) as error:  # network, HTTP and missing-file errors; an invalid name
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: cannot be downloaded and is not in the cache ({reason})") from error
    if not is_bundle(folder):
        raise InputError(f"{name}: contains no {WEIGHTS} and {RECORD}, which `seglit export --format bundle` writes")
    return folder


def push_bundle(folder: Path, name: str) -> str:
    """Uploads a bundle to a repository of the Hugging Face Hub, which is made private if there is none.

    Args:
        folder: The bundle.
        name: The repository, hf:owner/name.

    Returns:
        The address of the commit.

    Raises:
        InputError: It is no bundle, or cannot be uploaded.
    """
    from huggingface_hub import HfApi

    if not is_bundle(folder):
        raise InputError(f"{folder}: not a bundle; `seglit export RUN --format bundle` writes one")
    repository = name.removeprefix(HUB)
    try:
        api = HfApi()
        api.create_repo(repository, private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[WEIGHTS, RECORD, CARD],
            commit_message="Upload a network of seglit",
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be uploaded ({' '.join(str(error).split())})") from error
    return str(commit.commit_url)
