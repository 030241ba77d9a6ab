"""Writes checkpoints whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from seglit.images.replacing import replacing


class DurableCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, waits until it is on the disk, and renames it.

    Lightning writes it to `$TMPDIR` first; from another disk that is copied to its place, where an interruption or a
    full disk leaves a part of it. Paths with a protocol, such as `s3://`, are written by Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves a checkpoint.

        Raises:
            InputError: The file cannot be written; one that it would replace is unchanged.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()  # torch.save to a file hides the reason of an error
        torch.save(checkpoint, buffer)
        with replacing(Path(path), durable=True) as unfinished:
            unfinished.write_bytes(buffer.getbuffer())
