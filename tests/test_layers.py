"""Which room may import which: by the import statements of each file, and by the modules that Python loads."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seglit
from seglit.__main__ import FUNCTIONS

PACKAGE = Path(seglit.__file__).parent
LIGHTNING = "pytorch_lightning lightning_fabric"

# Room -> the packages, and the other rooms, that its files may import beside the standard library.
ROOMS = {
    "__init__": ("", "api data errors inspect labels predict"),
    "__main__": ("", "__version__ budget cli config errors hardware runs.named_run runs.noted_signal"),
    "errors": ("", ""),
    "labels": ("numpy", "errors"),
    "normalization": ("numpy torch", "errors"),
    "class_weights": ("numpy", "labels"),
    "networks": (
        "torch torchvision segmentation_models_pytorch timm huggingface_hub safetensors",
        "errors normalization",
    ),
    "losses": ("torch", "class_weights errors labels"),
    "metrics": ("numpy", "errors"),
    "optim": (f"torch {LIGHTNING}", "errors networks.encoder_layers"),
    "hardware": ("torch", ""),
    "loggers": (f"requests wandb {LIGHTNING}", "errors networks.hub"),
    "evaluation": ("cv2 msgspec numpy scipy torch torchmetrics", "errors labels metrics runs.scores"),
    "images": ("cv2 datasets numpy PIL tifffile", "errors labels"),
    "annotations": ("cv2 numpy PIL yaml", "config.bounded_yaml errors images labels"),
    "data": (
        f"numpy torch torchvision albumentations cv2 filelock PIL datasets scipy {LIGHTNING}",
        (
            "annotations class_weights config.bounded_yaml config.named_configs drawing errors images labels "
            "normalization"
        ),
    ),
    "drawing": ("jinja2 matplotlib numpy PIL rich", "annotations.predicted errors images labels metrics"),
    "config": ("jsonargparse yaml", "errors images.listing networks.encoder_weights networks.hub"),
    "runs": (
        f"huggingface_hub jsonargparse msgspec numpy rich torch yaml {LIGHTNING}",
        (
            "annotations config data.base data.file_pairs data.user_cache drawing.terminal errors images labels "
            "networks normalization"
        ),
    ),
    "predict": (
        "cv2 jsonargparse numpy PIL rich tifffile torch",
        "annotations config drawing errors exported hardware images labels networks normalization runs",
    ),
    "exported": (
        "huggingface_hub msgspec nncf numpy onnx onnx_ir onnxruntime onnxscript openvino safetensors torch",
        "errors labels networks.hub normalization runs.bundle_folder runs.checkpoint runs.record_schema",
    ),
    "export": (
        f"msgspec numpy torch torchmetrics wandb yaml {LIGHTNING}",
        "callbacks.benchmark data errors evaluation exported images networks.hub predict runs",
    ),
    "serve": (
        "fastapi numpy PIL prometheus_client starlette uvicorn",
        "__version__ annotations drawing errors images labels predict runs.trusted",
    ),
    "demo": (
        "fastapi msgspec numpy PIL starlette tifffile",
        "drawing errors export exported images labels predict runs serve",
    ),
    "inspect": (
        "cv2 datasets numpy PIL rich",
        "annotations class_weights config.bounded_yaml config.named_configs drawing errors images labels",
    ),
    "module": (
        f"torch torchmetrics {LIGHTNING}",
        (
            "data.base data.batch errors evaluation labels metrics networks normalization optim "
            "runs.checkpoint runs.logged_steps"
        ),
    ),
    "callbacks": (
        f"numpy PIL rich torch yaml {LIGHTNING}",
        (
            "__version__ class_weights config.bounded_yaml data drawing errors evaluation images labels losses metrics "
            "networks.encoder_layers runs"
        ),
    ),
    "preview": (
        f"albumentations jsonargparse PIL torch {LIGHTNING}",
        "cli config data drawing errors images.replacing",
    ),
    "budget": (
        f"jsonargparse numpy {LIGHTNING}",
        "callbacks cli config data.base data.user_cache errors images runs.resume runs.run_folder",
    ),
    "report": ("jsonargparse numpy PIL rich yaml", "drawing errors evaluation exported hardware labels predict runs"),
    "compare": (
        "msgspec numpy PIL rich",
        "data.base drawing errors evaluation hardware labels metrics predict runs",
    ),
    "completion": ("shtab", "__main__ config errors"),
    "api": ("cv2 jsonargparse torch yaml pytorch_lightning", "budget callbacks cli config errors runs"),
    "cli": (f"jsonargparse torch {LIGHTNING}", "callbacks config data errors hardware module optim runs"),
}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_file_has_a_room() -> None:
    assert {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in PACKAGE.rglob("*.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_files_import_only_what_their_room_may(room: str) -> None:
    packages, rooms = ROOMS[room]
    allowed = {*packages.split(), *(f"seglit.{each}" for each in (room, *rooms.split()))}
    for file in [*PACKAGE.glob(f"{room}.py"), *PACKAGE.glob(f"{room}/**/*.py")]:
        for name in imports(file):
            known = name.partition(".")[0] in sys.stdlib_module_names
            assert known or any(f"{name}.".startswith(f"{each}.") for each in allowed), f"{file.name} imports {name}"


def loaded_after(*modules: str) -> list[set[str]]:
    """Imports modules in a new process; returns the packages, and the rooms of seglit, loaded after each import."""
    script = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *modules], capture_output=True, text=True, check=True)
    names = [json.loads(line) for line in done.stdout.splitlines()]
    return [{".".join(name.split(".")[: 1 + name.startswith("seglit.")]) for name in each} for each in names]


HEAVY = {
    "torch",
    "torchmetrics",
    "torchvision",
    "albumentations",
    "segmentation_models_pytorch",
    "wandb",
    *LIGHTNING.split(),
}


def test_light_commands_load_no_torch() -> None:
    commands = {module for name, (module, _) in FUNCTIONS.items() if name not in ("preview", "test FILE")}
    main, labels, annotations, inspect, *_, last = loaded_after(
        "seglit.__main__",
        "seglit.labels",
        "seglit.annotations",
        "seglit.inspect.command",
        "seglit.compare.text",
        *sorted(commands),
    )
    assert not main & {"numpy", "PIL", "yaml", "jsonargparse", *HEAVY}
    assert not annotations & HEAVY
    assert not inspect & HEAVY
    assert not last & HEAVY, "the help of a command, and the text of compare"
    assert not labels & {"PIL", "yaml", "jsonargparse", *HEAVY}


@pytest.mark.starts_processes
def test_no_network_loads_the_trainer_and_no_callback_a_dashboard() -> None:
    losses, metrics, networks, predict, callbacks = loaded_after(
        "seglit.losses", "seglit.metrics", "seglit.networks", "seglit.predict.pipeline", "seglit.callbacks"
    )
    for loaded in (losses, metrics, networks, predict):
        assert not loaded & {"albumentations", "wandb", *LIGHTNING.split()}
    assert "jsonargparse" not in predict  # it would build what a checkpoint names, and its settings are process-wide
    assert not losses & {"torchvision", "segmentation_models_pytorch"}
    assert not callbacks & {"wandb", "tensorboard", "mlflow", "datasets", "pycocotools"}
