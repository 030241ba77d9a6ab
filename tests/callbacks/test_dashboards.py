"""Dashboards: W&B falls back to offline mode, all loggers receive images and configuration, the sweep parses."""

import errno
import os
import queue
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from ssl import SSLCertVerificationError
from unittest import mock
from urllib.error import URLError

import numpy as np
import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

from seglit.__main__ import main
from seglit.config.quiet import quiet_libraries
from seglit.errors import InputError
from seglit.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = [
    f"--config={CONFIGS / 'experiment/shapes.yaml'}",
    "--model.network.init_args.channels=[4, 8]",
    "--data.init_args.num_train=2",
    "--data.init_args.num_val=2",
    "--data.init_args.num_test=2",
    "--data.init_args.batch_size=2",
    "--data.init_args.size=[24, 1024]",
    "--data.init_args.num_workers=0",
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


class Refusal(BaseHTTPRequestHandler):
    """Answers every request with 501, without logging it."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fresh_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """W&B on a new machine: no account, no settings, no interactive input."""
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEGLIT_RUN_FOLDER", "")  # set by fit; monkeypatch restores it
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("W&B asked for input"))
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: pytest.fail("W&B asked for a key"))
    monkeypatch.chdir(tmp_path)
    wandb.teardown()
    yield
    wandb.teardown()


def unframed(log: bytes) -> bytes:
    """The content of a W&B log: like LevelDB's it consists of 32 KiB blocks, which split the records."""
    content, offset = b"", 7
    while offset + 7 <= len(log):
        if (left := 2**15 - offset % 2**15) < 7:
            offset += left
            continue
        length = int.from_bytes(log[offset + 4 : offset + 6], "little")
        content += log[offset + 7 : offset + 7 + length]
        offset += 7 + length
    return content


@pytest.fixture
def server() -> Iterator[str]:
    """URL of a server that answers every request with an error."""
    httpd = HTTPServer(("127.0.0.1", 0), Refusal)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_fit_with_wandb_runs_offline_and_logs_everything(
    fresh_wandb: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_checkpoint = tmp_path / "with_checkpoint.yaml"
    with_checkpoint.write_text((CONFIGS / "logger/wandb.yaml").read_text().replace("# log_model", "log_model"))
    loggers = [f"--config={with_checkpoint}", f"--config={CONFIGS / 'logger/tensorboard.yaml'}"]
    assert main(["fit", *TINY, *loggers, f"--trainer.default_root_dir={tmp_path / 'runs'}"]) == 0
    import wandb

    assert wandb.run is not None
    logged = wandb.run.config["model"]
    summary = dict(wandb.run.summary)
    wandb.finish()
    (run_folder,) = (tmp_path / "runs").glob("*/*")
    (offline,) = (run_folder / "wandb").glob("offline-run-*")

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("W&B:")]
    assert len(lines) == 1
    assert f"wandb sync {run_folder / 'wandb'}/offline-run-*" in lines[0]

    assert logged["network"]["init_args"]["channels"] == [4, 8]
    assert {"val/miou", "val/iou/star", "val/loss", "test/miou", "test/predictions", "test/confusion"} <= set(summary)

    record = unframed(next(offline.glob("run-*.wandb")).read_bytes())
    assert b'"5":"star","255":"void"' in record.replace(b" ", b"")  # JSON, which older W&B writes with spaces
    assert b"model.ckpt" in record
    files = list((offline / "files/media/images/mask/val").glob("*.mask.png"))
    masks = [np.asarray(Image.open(file)) for file in files]
    assert {mask.shape for mask in masks} == {(12, 512)}  # shrunk from 24 x 1024
    assert set(np.unique(masks)) <= {0, 1, 2, 3, 4, 5, 255}

    assert main(["fit", "--resume", str(run_folder), "--trainer.max_epochs=2"]) == 0
    wandb.finish()
    parts = list((run_folder / "wandb").glob("offline-run-*"))
    assert len(parts) == 2
    assert len({part.name.rpartition("-")[2] for part in parts}) == 1  # of one run, which `wandb sync` joins
    events = EventAccumulator(str(run_folder / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("val/miou")] == [0, 1]

    assert {file.name for file in (run_folder / "pictures").iterdir()} == {
        "train.png",
        "val.png",
        "test.png",
        "confusion_val.png",
        "confusion_test.png",
    }


OWN_LOGGERS = """
from pytorch_lightning.loggers.logger import DummyLogger

SEEN = []


class Shows(DummyLogger):
    def log_image(self, key, images, step=None):
        SEEN.append((key, [image.size for image in images], step))


class Silent(DummyLogger):
    def __getattr__(self, name):
        raise AttributeError(name)  # has only what a logger requires
"""


def test_mlflow_and_custom_loggers_receive_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLIT_RUN_FOLDER", "")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_loggers.py").write_text(OWN_LOGGERS)
    own = ["--trainer.logger+=own_loggers.Shows", "--trainer.logger+=own_loggers.Silent"]
    assert main(["fit", *TINY, f"--config={CONFIGS / 'logger/mlflow.yaml'}", *own]) == 0

    seen = sys.modules["own_loggers"].SEEN
    assert [(key, step) for key, _, step in seen] == [
        ("train/batch", 0),
        ("val/predictions", 1),
        ("val/confusion", 1),
        ("test/predictions", 1),
        ("test/confusion", 1),
    ]
    assert all(len(sizes) == 1 for _, sizes, _ in seen)

    (folder,) = (tmp_path / "runs").glob("*/*")
    (run,) = (path.parent for path in folder.glob("mlruns/*/*/artifacts"))
    assert {path.name.partition("+")[0] for path in (run / "artifacts/images").glob("*.png")} == {
        "train~batch",
        "val~predictions",
        "val~confusion",
        "test~predictions",
        "test~confusion",
    }
    config = yaml.safe_load((run / "artifacts/config.yaml").read_text())
    assert config["model"]["network"]["init_args"]["channels"] == [4, 8]
    assert (run / "metrics/val/iou/star").is_file()
    assert 0 <= float((run / "metrics/test/miou").read_text().split()[1]) <= 1


def offline_reason(capsys: pytest.CaptureFixture[str]) -> str:
    """The output of a new logger; empty if it is online."""
    import wandb

    wandb.teardown()  # otherwise it would not read the environment again
    WandbLogger()
    return capsys.readouterr().out


def test_offline_without_a_key_or_a_reachable_server(
    fresh_wandb: None, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        unreachable = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("WANDB_BASE_URL", unreachable)
    assert "no API key" in offline_reason(capsys)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert f"{unreachable} cannot be reached" in offline_reason(capsys)
    monkeypatch.setenv("WANDB_BASE_URL", server)
    assert offline_reason(capsys) == ""
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "WANDB_MODE" in offline_reason(capsys)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert offline_reason(capsys) == ""


def test_online_if_only_the_certificates_of_wandb_know_the_server(
    fresh_wandb: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr("urllib.request.urlopen", mock.Mock(side_effect=URLError(SSLCertVerificationError())))
    assert offline_reason(capsys) == ""


def test_reads_the_key_from_netrc(
    fresh_wandb: None, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home/netrc").write_text(f"machine 127.0.0.1\n  login user\n  password {'0' * 40}\n")
    monkeypatch.setenv("WANDB_BASE_URL", server)
    assert offline_reason(capsys) == ""


@pytest.mark.parametrize(
    ("logger", "package"), [(WandbLogger, "wandb"), (TensorBoardLogger, "tensorboard"), (MLFlowLogger, "mlflow")]
)
def test_missing_package_is_a_one_line_error(
    logger: type[WandbLogger | TensorBoardLogger | MLFlowLogger], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'^{package} is not installed: pip install "seglit\[{package}\]"$'):
        logger()


def test_sweep_uses_existing_command_line_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    sweep = yaml.safe_load((CONFIGS / "sweep.yaml").read_text())
    drawn = {
        name: space["values"][0] if "values" in space else space["min"] for name, space in sweep["parameters"].items()
    }
    arguments = create_sweep_command_args({"args": {name: {"value": value} for name, value in drawn.items()}})["args"]
    program, *command = [part for entry in sweep["command"] for part in (arguments if entry == "${args}" else [entry])]
    assert program == "seglit"

    monkeypatch.chdir(CONFIGS.parent)
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--print_config"])
    assert stopped.value.code == 0
    config = yaml.safe_load(capsys.readouterr().out)
    for name, value in drawn.items():
        entry = config
        for key in name.split("."):
            entry = entry[key]
        assert entry == value, name
    assert config["test_after_fit"] is False
    assert [logger["class_path"] for logger in config["trainer"]["logger"]] == ["seglit.loggers.WandbLogger"]


def test_full_disk_prints_no_traceback_of_the_thread_of_tensorboard(capfd: pytest.CaptureFixture[str]) -> None:
    class Full:
        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    events: queue.Queue[bytes] = queue.Queue()
    events.put(b"event")
    with quiet_libraries():
        thread = _AsyncWriterThread(events, Full(), flush_secs=120)
        thread.start()
        thread.join()
    assert isinstance(thread.exception, OSError)  # which the next event raises in the main thread
    assert capfd.readouterr().err == ""
