"""Recommends a model of configs/model by the data and the hardware."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_FEW_IMAGES = 1000
_FEW_PER_CLASS = 100


@dataclass(frozen=True)
class ModelChoice:
    """A recommended model.

    Args:
        name: Name of the configuration in configs/model.
        pretrained: Whether to start from pretrained weights, which are downloaded once.
        reason: Why this model.
    """

    name: str
    pretrained: bool
    reason: str

    @property
    def options(self) -> str:
        """The options of `seglit fit`."""
        return f"--model {self.name}" + " --model.network.encoder_weights imagenet" * self.pretrained


def choose_model(images: int, classes: int, channels: int, gpu: bool) -> ModelChoice:
    """Recommends a model whose pretrained weights have a permissive licence.

    Args:
        images: Number of training images, with those that are yet to be divided into splits.
        classes: Number of classes.
        channels: Channels of the images.
        gpu: Whether there is a GPU to train on.
    """
    if channels not in (1, 3):
        return ModelChoice("unet", False, f"pretrained weights are of RGB images; the images have {channels} channels")
    data = f"{images:,} images of {classes} classes"
    few = images < max(_FEW_IMAGES, _FEW_PER_CLASS * classes)
    weights = f"{data} are few for random weights" if few else f"pretrained weights shorten the training on {data}"
    if not gpu:
        return ModelChoice("unet-lite0", True, f"a small encoder, as no GPU was found; {weights}; weights: Apache-2.0")
    if few:
        return ModelChoice("unet-resnet34", True, f"a medium encoder; {weights}; weights: BSD-3-Clause")
    return ModelChoice("convnext", True, f"a large encoder, as a GPU was found; {weights}; weights: Apache-2.0")


def has_gpu() -> bool:
    """Whether PyTorch will probably find a GPU: one of NVIDIA, unless it is hidden, or Apple silicon."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return os.uname().machine == "arm64"
    if sys.platform == "linux":
        return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # the latter in WSL
    return shutil.which("nvidia-smi") is not None
