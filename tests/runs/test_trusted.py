"""A checkpoint and a run folder may be a stranger's: they run no code but that of trusted packages."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
import yaml
from jsonargparse._deprecated import shown_deprecation_warnings
from torch import nn

import seglit
from seglit.data import AnnotationDataModule
from seglit.errors import InputError
from seglit.runs.build import build
from seglit.runs.ckpt_path import find_ckpt_path
from tests.annotations import test_yolo
from tests.conftest import Outcome, Run
from tests.corpus.conftest import only_line

Change = Callable[[dict[str, Any]], object]


def command(marker: Path) -> dict[str, Any]:
    """What runs a command where it is built."""
    return {"class_path": "subprocess.Popen", "init_args": {"args": f"touch {marker}", "shell": True}}


def smp(**options: Any) -> dict[str, Any]:
    init_args = {"num_classes": 6, "architecture": "unet", "encoder_name": "resnet18", "options": options}
    return {"class_path": "seglit.networks.SMP", "init_args": init_args}


def stranger(trained: Outcome, folder: Path, change: Change) -> Path:
    """A copy of a run folder with a changed checkpoint."""
    shutil.copytree(trained.folder, folder)
    checkpoint = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, folder / "checkpoints/best.ckpt")
    return folder


def set_network(network: object) -> Change:
    return lambda checkpoint: checkpoint["seglit"].update(network=network)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.mark.parametrize("options", ["{}", "{decoder_channels: {}}", "{a: [1, {}]}"])
def test_checkpoint_runs_no_command(run: Run, trained: Outcome, tmp_path: Path, marker: Path, options: str) -> None:
    network = smp(**yaml.safe_load(options.replace("{}", yaml.safe_dump(command(marker), default_flow_style=True))))
    folder = stranger(trained, tmp_path / "theirs", set_network(network))
    for args in (["predict", folder, folder / "pictures"], ["report", folder]):
        outcome = run(*args)
        assert outcome.code == 2
        assert "'options' names the class 'subprocess.Popen', but must be plain data" in only_line(outcome.err)
    with pytest.raises(InputError, match="must be plain data"):
        seglit.load(folder)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "this.s", "builtins.exec", "torch.hub.load"])
def test_only_trusted_packages_are_imported(trained: Outcome, tmp_path: Path, name: str) -> None:
    folder = stranger(trained, tmp_path / "theirs", set_network({"class_path": name, "init_args": {}}))
    sys.modules.pop("this", None)  # prints a poem when it is imported
    package = name.partition(".")[0]
    with pytest.raises(InputError, match=f"its network {name} is not of seglit, .*--trust {package}, .*{package}"):
        seglit.load(folder)
    assert "this" not in sys.modules
    with pytest.raises(InputError, match=f"its network {name} is not a class of the kind Module"):
        seglit.load(folder, trust=package)  # imported, but called only if it is a network


@pytest.mark.parametrize("name", ["torch.nn.init.zeros_", "seglit.load"])
def test_functions_are_not_called(trained: Outcome, tmp_path: Path, name: str) -> None:
    folder = stranger(trained, tmp_path / "theirs", set_network({"class_path": name}))
    with pytest.raises(InputError, match=f"its network {name} is not a class of the kind Module"):
        seglit.load(folder)


@pytest.mark.parametrize("options", [{"checkpoint_path": "a.pth"}, {"a": [{"pretrained_cfg": {"file": "a.pth"}}]}])
def test_library_networks_read_no_other_file(trained: Outcome, tmp_path: Path, options: dict[str, Any]) -> None:
    folder = stranger(trained, tmp_path / "theirs", set_network(smp(**options)))
    with pytest.raises(InputError, match=r"SMP: its argument '(checkpoint_path|pretrained_cfg)' reads another file"):
        seglit.load(folder)


NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes: int, size: tuple[int, int], act: nn.Module, more: list[nn.Module] | None = None):
        super().__init__()
        assert isinstance(size, tuple)
        self.head = nn.Sequential(nn.Conv2d(3, num_classes, 1), act, *(more or []))

    def forward(self, x):
        return self.head(x)
"""


def test_a_network_of_ones_own(run: Run, trained: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--trust` imports it; its arguments become what they are annotated as, modules of trusted packages too."""
    (tmp_path / "ownnet.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    images = trained.folder.parents[2] / "shapes/images/test"
    head = nn.Sequential(nn.Conv2d(3, 6, 1), nn.PReLU(), nn.Tanh(), nn.LeakyReLU(0.5))
    weights = {f"network.head.{name}": value for name, value in head.state_dict().items()}
    more = [{"class_path": "torch.nn.Tanh"}, {"class_path": "torch.nn.LeakyReLU", "init_args": {"negative_slope": 0.5}}]
    arguments = {"num_classes": 6, "size": [3, 3], "act": {"class_path": "torch.nn.PReLU"}, "more": more}
    network = {"class_path": "ownnet.Net", "init_args": arguments}

    def change(checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = weights
        checkpoint["seglit"]["network"] = network

    folder = stranger(trained, tmp_path / "mine", change)
    outcome = run("predict", folder, images)
    assert outcome.code == 2
    assert only_line(outcome.err).endswith("; if you trust its code: --trust ownnet, or in Python: trust=['ownnet']")
    assert "ownnet" not in sys.modules
    assert run("report", folder, "--trust=[ownnet,other]")[::2] == (0, "")
    assert run("predict", folder, images, "--trust", "ownnet")[::2] == (0, "")
    assert str(seglit.load(folder, trust=["ownnet"]).network.head) == str(head)
    del sys.modules["ownnet"]


MAKERS = """
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from torch import nn

class Mode(Enum):
    SUM = "sum"

class Net(nn.Module):
    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        act: type[nn.Module] = nn.ReLU,
        norm: Callable[..., nn.Module] = nn.BatchNorm2d,
        more: list[type[nn.Module]] | None = None,
        call: Callable | None = None,
        mode: Mode = Mode.SUM,
        other: Mode | None = Mode.SUM,
        file: Path = Path("here"),
    ):
        super().__init__()
        self.settings = mode.value, file.name
        called = [call] if isinstance(call, nn.Module) else []
        layers = [norm(num_classes), act(), *(each() for each in more or []), *called]
        self.layers = nn.Sequential(nn.Conv2d(in_channels, num_classes, 1), *layers)

    def forward(self, x):
        return self.layers(x)
"""


def test_classes_of_modules_in_arguments(
    run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of such a network is loaded; one with a function, which no checkpoint may name, is trained and said."""
    (tmp_path / "makers.py").write_text(MAKERS)
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"eps": 0.5, "affine": True, "track_running_stats": True}
    norm = {"class_path": "torch.nn.InstanceNorm2d", "init_args": settings}
    modules = {"more": ["torch.nn.Tanh", "torch.nn.GELU"], "call": "torch.nn.PReLU"}
    arguments = {"norm": norm, **modules}
    network = {"class_path": "makers.Net", "init_args": arguments}
    short = [*tiny, "--trainer.max_epochs=1", "--test_after_fit=false", f"--model.network={json.dumps(network)}"]
    outcome = run("fit", *short)
    assert (outcome.code, outcome.err) == (0, "")
    loaded = seglit.load(outcome.folder, trust="makers").network
    assert loaded.settings == ("sum", "here")
    norm_layer = nn.InstanceNorm2d(6, eps=0.5, affine=True, track_running_stats=True)
    expected = nn.Sequential(nn.Conv2d(3, 6, 1), norm_layer, nn.ReLU(), nn.Tanh(), nn.GELU(), nn.PReLU())
    assert str(loaded.layers) == str(expected)
    outcome = run("fit", *short, "--model.network.call=torch.nn.functional.relu")
    assert outcome.code == 0
    assert only_line(outcome.err).startswith(
        "seglit: model.network: makers.Net: its argument 'call' torch.nn.functional.relu is not a class of the kind "
        "Module; predict, report and export will not load its checkpoints: "
    )
    del sys.modules["makers"]


@pytest.mark.parametrize("value", ["os.system", {"class_path": "os.system"}, {"class_path": "torch.nn.init.zeros_"}])
def test_arguments_that_are_called_are_no_functions(trained: Outcome, tmp_path: Path, value: object) -> None:
    sizes = {"image_size": 8, "patch_size": 4, "num_layers": 1, "num_heads": 1, "hidden_dim": 4, "mlp_dim": 4}
    network = {"class_path": "torchvision.models.VisionTransformer", "init_args": {**sizes, "norm_layer": value}}
    folder = stranger(trained, tmp_path / "theirs", set_network(network))
    with pytest.raises(InputError, match=r"'norm_layer' (os.system is not of|torch.nn.init.zeros_ is not a cl)"):
        seglit.load(folder)


def test_modules_in_arguments_are_of_trusted_packages(trained: Outcome, tmp_path: Path, marker: Path) -> None:
    arguments = {"weights": [1.0], "terms": [command(marker)]}
    network = {"class_path": "seglit.losses.WeightedSum", "init_args": arguments}
    folder = stranger(trained, tmp_path / "theirs", set_network(network))
    with pytest.raises(InputError, match=r"'terms' subprocess.Popen is not of seglit, torch.nn, .*--trust subprocess"):
        seglit.load(folder)
    assert not marker.exists()


def test_run_folder_runs_no_command(run: Run, trained: Outcome, tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "theirs"
    shutil.copytree(trained.folder, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    call = {"class_path": "os.system", "init_args": {"command": f"touch {marker}"}}  # for an argument that is callable
    transform = {"class_path": "albumentations.Lambda", "init_args": {"image": call}}
    config["data"]["init_args"]["augment"] = {"transforms": [transform]}
    config["data"]["init_args"]["cache"] = {"folder": str(tmp_path / "cache")}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert run("report", folder)[::2] == (0, "")  # reading the test split neither augments nor caches
    assert not (tmp_path / "cache").exists()
    for change in ({"root": command(marker)}, {"exclude": [command(marker)]}):
        theirs = {**config["data"], "init_args": {**config["data"]["init_args"], **change}}
        (folder / "config.yaml").write_text(yaml.safe_dump({**config, "data": theirs}))
        outcome = run("report", folder)
        assert outcome.code == 2
        assert "names the class 'subprocess.Popen', but must be plain data" in only_line(outcome.err)
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "data": command(marker)}))
    for args in (["report", folder], ["compare", folder, folder, "--output=page.html"]):
        outcome = run(*args)
        assert outcome.code == 2
        assert "its data subprocess.Popen is not of seglit; if you trust its code" in outcome.err.splitlines()[-1]
    assert not marker.exists()


def test_data_of_label_formats_is_rebuilt(tmp_path: Path) -> None:
    root = test_yolo.write(tmp_path / "pets")
    reader: dict[str, Any] = {"class_path": "seglit.annotations.Yolo", "init_args": {"data": "data.yaml"}}
    spec = {
        "class_path": "seglit.data.AnnotationDataModule",
        "init_args": {"root": str(root), "reader": reader, "crop_size": [8, 9], "mean": [1, 2, 3], "std": [1, 2, 3]},
    }
    data = build(AnnotationDataModule, spec, "config.yaml: its data")
    assert data.crop_size == (8, 9)
    assert len(data.dataset("train")) > 0
    reader["class_path"] = "torch.nn.Linear"
    with pytest.raises(InputError, match=r"'reader' torch.nn.Linear is not of seglit; if you trust its code"):
        build(AnnotationDataModule, spec, "config.yaml: its data")


def test_hyperparameters_in_a_checkpoint_change_nothing(
    run: Run, trained: Outcome, tmp_path: Path, marker: Path
) -> None:
    """LightningCLI would build the classes that they name."""
    hyperparameters = {"network": smp(decoder_channels=command(marker))}
    folder = stranger(trained, tmp_path / "theirs", lambda it: it.update(hyper_parameters=hyperparameters))
    best = folder / "checkpoints/best.ckpt"
    outcome = run("test", "-c", trained.folder / "config.yaml", "--ckpt_path", best)
    assert outcome.code == 0, outcome.err
    assert not marker.exists()


class Command:
    """Unpickled, it runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return subprocess.check_call, (["touch", str(self.marker)],)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a server of `tmp_path` on this machine."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_pickles_are_not_executed(run: Run, trained: Outcome, marker: Path, tmp_path: Path, address: str) -> None:
    torch.save({"state_dict": Command(marker)}, tmp_path / "theirs.ckpt")
    for name, path in (("test", f"{address}/theirs.ckpt"), ("fit", tmp_path / "theirs.ckpt")):
        outcome = run(name, "-c", trained.folder / "config.yaml", f"--ckpt_path={path}", "--trainer.max_epochs=9")
        assert outcome.code == 2
        reason = r"it contains an object of (subprocess|commands)\.check_call, which could run code"
        assert re.search(rf"theirs\.ckpt: not a checkpoint that is read: {reason}", outcome.err.splitlines()[-1])
        assert not marker.exists()
    outcome = run("test", "-c", trained.folder / "config.yaml", "--ckpt_path=a.ckpt", "--weights_only=false")
    assert "unknown setting 'weights_only'" in only_line(outcome.err)


@pytest.mark.parametrize("has_config", [True, False], ids=["resumed by seglit", "found by Lightning"])
def test_checkpoint_of_slurm_is_not_executed(
    run: Run, trained: Outcome, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_config: bool
) -> None:
    folder = tmp_path / "runs" / "mine" / "slurm-7-0"
    folder.mkdir(parents=True)
    torch.save({"state_dict": Command(marker)}, folder / "hpc_ckpt_1.ckpt")
    if has_config:
        shutil.copy(trained.folder / "config.yaml", folder)
    job = {"JOB_ID": 7, "STEP_ID": 0, "RESTART_COUNT": 1, "NTASKS": 1, "PROCID": 0, "LOCALID": 0, "NODEID": 0}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    outcome = run("fit", "-c", trained.folder / "config.yaml", "--trainer.default_root_dir=runs")
    assert outcome.code == 2
    assert not marker.exists()
    message = "every checkpoint is damaged" if has_config else "hpc_ckpt_1.ckpt: not a checkpoint, or one that only"
    assert message in outcome.err.splitlines()[-1]
    assert ("is damaged (not a checkpoint that is read: it contains an object of" in outcome.err) == has_config
    assert "\x1b" not in outcome.err  # which torch emphasises its message with


def test_address_of_a_checkpoint_is_read_each_time(address: str, tmp_path: Path, trained: Outcome) -> None:
    """Files of one name at several addresses, and one that is replaced, are told apart."""
    checkpoints = trained.folder / "checkpoints"
    for source, target in (("last", "a/best.ckpt"), ("previous", "b/best.ckpt"), ("best", "a/best.ckpt")):
        (tmp_path / target).parent.mkdir(exist_ok=True)
        shutil.copy(checkpoints / f"{source}.ckpt", tmp_path / target)
        file = find_ckpt_path("test", f"{address}/{target}", None)
        assert file is not None
        assert Path(file).read_bytes() == (tmp_path / target).read_bytes()
    with pytest.raises(InputError, match=rf"^--ckpt_path {address}/c.ckpt cannot be downloaded \(HTTP Error 404"):
        find_ckpt_path("test", f"{address}/c.ckpt", None)


@pytest.mark.parametrize("url", ["foo://a/best.ckpt", "http://[/best.ckpt"])
def test_invalid_address(url: str) -> None:
    with pytest.raises(InputError, match=rf"^--ckpt_path {re.escape(url)} cannot be (read|downloaded) \(.+\)$"):
        find_ckpt_path("test", url, None)


def test_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^--ckpt_path {tmp_path} is a folder; name a file, such as RUN/checkpoints"):
        find_ckpt_path("test", str(tmp_path), None)


def test_address_that_does_not_answer_is_one_line(run: Run, trained: Outcome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/best.ckpt"
    outcome = run("test", "-c", trained.folder / "config.yaml", "--ckpt_path", url)
    assert outcome.code == 2
    assert only_line(outcome.err).startswith(f"seglit: error: --ckpt_path {url} cannot be downloaded (")


UNTYPED = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels, options):
        raise ValueError(f"its options are {options}")
"""


def test_a_configuration_that_calls_any_class_is_told_so(
    run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jsonargparse's warning is not filtered: a configuration that is named by `-c` may do what a program may."""
    shown_deprecation_warnings.discard("instantiate_subclass_spec_in_any")
    (tmp_path / "untyped.py").write_text(UNTYPED)
    monkeypatch.syspath_prepend(tmp_path)
    network = {"class_path": "untyped.Net", "init_args": {"options": {"a": {"class_path": "fractions.Fraction"}}}}
    with pytest.warns(DeprecationWarning, match="a type that accepts any value"):
        outcome = run("fit", *tiny, f"--model.network={json.dumps(network)}")
    assert "its options are {'a': Fraction(0, 1)}" in outcome.err
