"""The commands that a run prints at its end."""

import re
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from seglit.callbacks import next_steps


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("is_tested", [True, False])
def test_commands_work_for_folders_with_spaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own: bool, is_tested: bool
) -> None:
    folder = tmp_path / "my runs" / "it's"
    folder.mkdir(parents=True)
    classes = ("network: {class_path: seglit.networks.UNet}", "class_path: seglit.data.FolderDataModule")
    (folder / "config.yaml").write_text(f"model: {{{classes[0]}}}\ndata: {{{classes[1]}}}\n")
    best = str(folder / "checkpoints" / "best.ckpt" if own else tmp_path / "kept elsewhere" / "best.ckpt")
    next_steps.print_next_steps(folder, best, has_test_split=True, is_tested=is_tested)
    monkeypatch.setattr(next_steps, "last_checkpoint", lambda _: best)
    trainer: Any = mock.Mock(default_root_dir=str(folder))
    next_steps.print_how_to_resume(trainer)
    next_steps.print_how_to_resume(trainer, is_memory_full=True)
    out = capsys.readouterr().out.replace(", with the smaller settings below", "")
    commands = [shlex.split(line) for line in re.findall(r": +(?:python -m )?seglit (.*)", out)]
    run = str(folder)
    assert commands == [
        ["report", run] if is_tested else ["test", run, *([] if own else ["--ckpt_path", best])],
        ["predict", run if own else best, "IMAGES"],
        ["fit", "--resume", run],
        ["fit", "-c", f"{run}/config.yaml", "--ckpt_path", best],
    ]
