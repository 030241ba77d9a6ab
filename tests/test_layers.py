"""Who may import whom: what every file says it imports, and what Python has loaded after importing it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seglit

PACKAGE = Path(seglit.__file__).parent
LIGHTNING = {"pytorch_lightning", "lightning_fabric"}

# Room -> what its files may import, or import from, beside the standard library and the room itself.
ROOMS = {
    "__init__.py": {"seglit.inference"},
    "__main__.py": {"seglit"},
    "errors.py": set[str](),
    "labels.py": {"numpy", "seglit.errors"},
    "normalization.py": {"numpy", "torch", "seglit.errors"},
    "networks": {
        "torch",
        "torchvision",
        "segmentation_models_pytorch",
        "timm",
        "huggingface_hub",
        "seglit.errors",
        "seglit.normalization",
    },
    "class_weights.py": {"numpy", "seglit.labels"},
    "losses.py": {"torch", "seglit.class_weights", "seglit.errors", "seglit.labels"},
    "metrics.py": {"numpy", "torch", "torchmetrics", "seglit.errors", "seglit.labels"},
    "protocols.py": {"numpy", "seglit.metrics"},
    "bootstrap.py": {"numpy", "seglit.metrics"},
    "boundary.py": {"cv2", "numpy", "torch", "torchmetrics", "seglit.labels", "seglit.metrics"},
    "breakdown.py": {"cv2", "numpy", "torch", "torchmetrics", "seglit.boundary", "seglit.labels", "seglit.metrics"},
    "calibration.py": {"torch", "torchmetrics", "seglit.labels", "seglit.metrics"},
    "regions.py": {"cv2", "numpy", "torch", "seglit.boundary", "seglit.labels", "seglit.metrics"},
    "evaluation.py": {"numpy", "torch", "torchmetrics"}
    | {f"seglit.{name}" for name in ("bootstrap", "boundary", "breakdown", "calibration", "labels", "metrics")}
    | {"seglit.regions"},
    "optim.py": {"torch", "seglit.errors", *LIGHTNING},
    "arrays.py": {"cv2", "numpy", "PIL", "tifffile", "seglit.errors"},
    "listing.py": {"seglit.errors"},
    "images.py": {"numpy", "PIL", "seglit.arrays", "seglit.errors", "seglit.labels"},
    "annotations": {"numpy", "PIL", "pycocotools", "seglit.errors", "seglit.labels", "seglit.listing"},
    "data": {"numpy", "torch", "torchvision", "albumentations", "cv2", "filelock", "PIL", "jsonargparse", *LIGHTNING}
    | {f"seglit.{name}" for name in ("annotations", "arrays", "class_weights", "errors", "images", "labels", "listing")}
    | {"seglit.normalization"}
    | {"datasets", "scipy"},
    "inspect": {"numpy", "PIL", "rich"}
    | {f"seglit.{name}" for name in ("class_weights", "errors", "images", "labels", "listing", "page")}
    | {"seglit.pictures"},
    "inference": {"cv2", "jsonargparse", "numpy", "PIL", "rich", "tifffile", "torch"}
    | {f"seglit.{name}" for name in ("arrays", "errors", "config", "hardware", "images", "labels", "listing")}
    | {"seglit.normalization", "seglit.pictures"},
    "pictures.py": {"numpy", "PIL", "seglit.labels"},
    "module.py": {"torch", *LIGHTNING}
    | {f"seglit.{name}" for name in ("class_weights", "data.batch", "errors", "evaluation", "labels", "losses")}
    | {"seglit.metrics", "seglit.optim"}
    | {"seglit.normalization"}
    | {"seglit.inference"},
    "callbacks": {"numpy", "PIL", "rich", "torch", "yaml", *LIGHTNING}
    | {
        "seglit.__version__",
        "seglit.data.base",
        "seglit.data.batch",
        "seglit.errors",
        "seglit.labels",
        "seglit.metrics",
        "seglit.module",
    }
    | {"seglit.inference.checkpoint", "seglit.optim", "seglit.pictures", "seglit.report.tested"}
    | {f"seglit.{name}" for name in ("bootstrap", "boundary", "breakdown", "calibration", "evaluation", "protocols")}
    | {"seglit.regions"},
    "page.py": {"jinja2", "numpy", "PIL"},
    "compare": {"numpy", "PIL", "rich"}
    | {f"seglit.{name}" for name in ("bootstrap", "data.base", "errors", "labels", "metrics", "page", "pictures")}
    | {"seglit.report.data", "seglit.report.tested"},
    "report": {"jsonargparse", "matplotlib", "numpy", "PIL", "rich", "yaml"}
    | {f"seglit.{name}" for name in ("bootstrap", "data.base", "errors", "config", "inference", "labels", "metrics")}
    | {"seglit.page", "seglit.pictures"},
    "loggers.py": {"requests", "wandb", "seglit.errors", *LIGHTNING},
    "config": {"jsonargparse", "yaml", "seglit.errors"},
    "hardware.py": {"torch"},
    "run_folder.py": LIGHTNING,
    "cli.py": {"jsonargparse", "torch", "yaml", "seglit", *LIGHTNING},
}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_file_has_a_room() -> None:
    found = {file.relative_to(PACKAGE).parts[0] for file in PACKAGE.rglob("*.py")}
    assert found == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_file_imports_what_its_room_may(room: str) -> None:
    files = [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))
    allowed = ROOMS[room] | {f"seglit.{room}"}
    for file in files:
        for name in imports(file):
            known = name.partition(".")[0] in sys.stdlib_module_names
            assert known or any(f"{name}.".startswith(f"{each}.") for each in allowed), f"{file.name} imports {name}"


def loaded_after(*modules: str) -> list[set[str]]:
    """Imports modules one after another in a new process: the packages, and the rooms of seglit, loaded after each."""
    script = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *modules], capture_output=True, text=True, check=True)
    names = [json.loads(line) for line in done.stdout.splitlines()]
    return [{".".join(name.split(".")[: 1 + name.startswith("seglit.")]) for name in each} for each in names]


HEAVY = {"torch", "torchmetrics", "torchvision", "albumentations", "segmentation_models_pytorch", "wandb", *LIGHTNING}


def test_what_starts_at_once() -> None:
    main, labels, annotations, inspect = loaded_after(
        "seglit.__main__", "seglit.labels", "seglit.annotations.labelme", "seglit.inspect.command"
    )
    assert not main & {"numpy", "PIL", "yaml", "jsonargparse", *HEAVY}
    assert not annotations & HEAVY
    assert not inspect & HEAVY
    assert not labels & {"PIL", "yaml", "jsonargparse", *HEAVY}


def test_no_network_loads_the_trainer_and_no_callback_a_dashboard() -> None:
    losses, metrics, networks, inference, callbacks = loaded_after(
        "seglit.losses", "seglit.metrics", "seglit.networks", "seglit.inference.command", "seglit.callbacks"
    )
    for loaded in (losses, metrics, networks, inference):
        assert not loaded & {"albumentations", "wandb", *LIGHTNING}
    assert not losses & {"torchvision", "segmentation_models_pytorch"}
    assert not callbacks & {"wandb", "tensorboard", "datasets", "pycocotools"}
