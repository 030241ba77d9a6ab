"""Fixtures shared by all tests: a small folder of shapes, and the command line as a user calls it."""

import gc
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported; the networks here are too small for more
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["no_proxy"] = "*"  # tests connect to this machine only

import pytest
import torch

from seglit.__main__ import main
from seglit.drawing.shapes import write_folder
from seglit.hardware import avoid_broken_amx

os.environ["MALLOC_TRIM_THRESHOLD_"] = (
    "131072"  # glibc's default: commands of all tests share a process, and its memory
)
avoid_broken_amx()  # the tests of losses and networks compute in bf16 without the command line

CLASS_NAMES = ["background", "disk", "box", "triangle", "line", "star"]


class Outcome(NamedTuple):
    """Exit code and output of a command."""

    code: int | str | None
    out: str
    err: str

    @property
    def folder(self) -> Path:
        """The run folder that `fit` printed."""
        (line,) = [line for line in self.out.splitlines() if line.startswith("run folder: ")]
        return Path(line.removeprefix("run folder: "))


Run = Callable[..., Outcome]


def run_in(folder: Path, *args: object) -> Outcome:
    """Calls `seglit ARGS` in a folder, and restores the environment."""
    # like those of a terminal: invalid Unicode cannot be printed
    handlers = None, "backslashreplace"
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True) for errors in handlers)
    with mock.patch.dict(os.environ), chdir(folder), redirect_stdout(out), redirect_stderr(err):
        os.environ.pop("SEGLIT_RUN_FOLDER", None)
        code: int | str | None
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as leave:  # --help and --print_config exit
            code = leave.code
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def pytest_configure(config: pytest.Config) -> None:
    """Lets tests depend less on the machine: Lightning warns because of its number of cores, its GPU, its srun."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        del os.environ[name]  # on a cluster node, Lightning would take the tests for a job
    config.addinivalue_line("filterwarnings", "ignore::lightning_fabric.utilities.warnings.PossibleUserWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest tests first, so that no worker waits for another at the end."""
    items.sort(key=lambda item: item.get_closest_marker("starts_processes") is None)


def pytest_collection_finish() -> None:
    """Spares the garbage collector, which runs in every test, what stays: the imported libraries."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Lets nanobind, which looks for leaks when Python exits, see its objects go."""
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def no_trace_in_the_home_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True)
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets caches fill the disk, of which they leave some free."""
    monkeypatch.setattr("seglit.data.cache._MAX_RESERVE", 0.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restores them, which Lightning does not if it is interrupted."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    yield
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Calls the command line in an empty folder: `run("fit", "-c", file)`."""
    return lambda *args: run_in(tmp_path, *args)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 5 training, 3 validation and 3 test images of 32 x 32 pixels."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    write_folder(root, 5, 3, 3, (32, 32))
    return root


@pytest.fixture(scope="session")
def tiny(shapes: Path) -> list[str]:
    """Options of a run of two short epochs of a tiny U-Net on the shapes, in float32 and without pictures."""
    data, model = shapes.parent / "data.yaml", shapes.parent / "model.yaml"
    data.write_text(
        "class_path: seglit.data.FolderDataModule\n"
        f"init_args: {{root: {shapes}, class_names: [{', '.join(CLASS_NAMES)}], batch_size: 2, num_workers: 0}}\n"
    )
    model.write_text(
        "network: {class_path: seglit.networks.UNet, init_args: {channels: [4, 8]}}\n"
        "optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01, weight_decay: 0.01}}\n"
        "scheduler: {class_path: seglit.optim.WarmupPolynomial, init_args: {warmup_steps: 1, power: 0.9}}\n"
    )
    # Pictures take a third of the time of such a run; `trained` has them.
    return [*("--data", str(data)), *("--model", str(model)), "--trainer.max_epochs=2", "--pictures.count=0", *QUIET]


@pytest.fixture(scope="session")
def trained(tiny: list[str], shapes: Path) -> Outcome:
    """A finished run with data at a relative path and few settings, as a user would start it."""
    options = [option for option in tiny if not option.startswith(("--trainer.precision", "--pictures"))]
    return run_in(shapes.parent, "fit", *options, "--data.root=shapes", "--data.num_workers=1", "--experiment=mine")


QUIET = [
    "--trainer.accelerator=cpu",
    "--trainer.precision=32-true",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two runs of a tiny U-Net, one trained and one not, tested on the same 12 synthetic images."""
    root = tmp_path_factory.mktemp("compared")
    write_folder(root / "shapes", 16, 1, 12, (32, 32))
    settings = f"root: {root / 'shapes'}, class_names: [{', '.join(CLASS_NAMES)}], batch_size: 4, num_workers: 0"
    (root / "data.yaml").write_text(f"class_path: seglit.data.FolderDataModule\ninit_args: {{{settings}}}\n")
    options = ["--data", "data.yaml", "--model.network=seglit.networks.UNet", *QUIET, "--trainer.max_epochs=4"]
    options.append("--pictures.count=0")
    learned = run_in(root, "fit", *options, "--model.network.channels=[8,16]", "--model.optimizer.lr=0.02")
    idle = run_in(root, "fit", *options, "--model.network.channels=[4,8]", "--model.optimizer.lr=1e-9")
    return learned.folder, idle.folder
