"""Run folders on the command line."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import seglit
from seglit.errors import InputError
from seglit.runs.ckpt_path import find_ckpt_path
from seglit.runs.named_run import folder_of, resume_arguments, score_arguments
from seglit.runs.tested import read_run


def test_run_stands_for_its_configuration_and_best_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config, best, last = (tmp_path / "run" / name for name in ("config.yaml", "checkpoints/best.ckpt", "last.ckpt"))
    best.parent.mkdir(parents=True)
    for file in (config, best, last):
        file.touch()
    more = ["--data.root", "x"]
    for command in ("test", "validate"):
        whole = [command, "-c", str(config), "--ckpt_path", str(best), *more]
        assert score_arguments([command, "run", *more]) == whole
        assert score_arguments(whole) == whole
    other = ["--ckpt_path=run/last.ckpt"]
    assert score_arguments(["test", "run", *other]) == ["test", "-c", str(config), *other]
    assert score_arguments(["fit", "run"]) == ["fit", "run"]
    assert capsys.readouterr().err == ""
    best.unlink()
    assert score_arguments(["test", "run"])[-1] == str(last)
    assert capsys.readouterr().err == f"seglit: {tmp_path / 'run'} has no best.ckpt; using last.ckpt\n"
    last.unlink()
    with pytest.raises(InputError, match=r"contains no checkpoints/best\.ckpt$"):
        score_arguments(["test", "run"])


def test_a_training_starts_from_weights_or_continues() -> None:
    starts = ["fit", "-c", "run/config.yaml", "--init_from=run"]
    assert resume_arguments(starts) == ([*starts, "--ckpt_path=null"], None)
    continues = ["fit", "-c", "run/config.yaml", "--ckpt_path", "last.ckpt"]
    assert resume_arguments(continues) == (continues, None)
    with pytest.raises(InputError, match="--ckpt_path continues one: give one of them"):
        resume_arguments([*continues, "--init_from", "run"])


@pytest.mark.parametrize(
    ("model", "run"),
    [
        ("a/run/checkpoints/best.ckpt", "a/run"),
        ("a/run/best.ckpt", "a/run"),
        ("a/run/hpc_ckpt_1.ckpt", "a/run"),
        ("export/run/best.ckpt", "export/run"),
        ("a/run/export/float32.onnx", "a/run"),
        ("a/run/export/bundle/model.json", "a/run"),
        ("a/float32.onnx", "a"),
        ("export/bundle/model.json", "."),
        ("export/a/bundle/model.json", "export/a/bundle"),
    ],
)
def test_run_folder_of_a_model(model: str, run: str) -> None:
    assert folder_of(Path(model)) == Path(run)


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell leaves `--resume=~/run` as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.yaml").touch()
    assert resume_arguments(["fit", "--resume=~"]) == (["fit", "-c", str(tmp_path / "config.yaml")], tmp_path)
    torch.save({}, tmp_path / "last.ckpt")
    assert find_ckpt_path("test", "~/last.ckpt", None) == str(tmp_path / "last.ckpt")


@pytest.mark.parametrize("path", [300 * "x", f"{300 * 'x'}/best.ckpt"])
def test_names_that_no_file_can_have(path: str) -> None:
    for call in (
        seglit.load,
        lambda name: read_run(Path(name)),
        lambda name: find_ckpt_path("fit", name, SimpleNamespace(max_epochs=3, max_steps=-1)),
        lambda name: resume_arguments(["fit", "--resume", name]),
        lambda name: score_arguments(["test", name]),
    ):
        with pytest.raises(InputError, match=r"no such (run folder|file or folder)|no checkpoint"):
            call(path)
