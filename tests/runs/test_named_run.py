"""Run folders on the command line."""

from pathlib import Path

import pytest

from seglit.errors import InputError
from seglit.runs.named_run import score_arguments


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
