"""Checkpoints are written whole or not at all, and the best one stays with its run."""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from seglit.errors import InputError
from seglit.runs.durable_io import DurableCheckpointIO
from seglit.runs.scores import SCORE_FILE, SavedScores
from tests.conftest import Outcome, Run
from tests.corpus.conftest import only_line
from tests.runs.test_resume import differences
from tests.test_cli import logged

CHECKPOINT = {"state_dict": {"weight": torch.arange(50_000.0)}}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limits the size of written files in bytes, as a full disk or a quota does."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_checkpoint_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "checkpoints" / "last.ckpt"
    DurableCheckpointIO().save_checkpoint({"old": 1}, file)
    before = file.read_bytes()
    with largest_file(100_000), pytest.raises(InputError, match=r"last.ckpt: cannot be written \(File too large\)"):
        DurableCheckpointIO().save_checkpoint(CHECKPOINT, file)
    assert [entry.name for entry in file.parent.iterdir()] == ["last.ckpt"]
    assert file.read_bytes() == before

    def replace(self: Path, target: Path) -> None:
        assert torch.load(self, weights_only=True).keys() == CHECKPOINT.keys()  # whole before it has the name
        assert self.parent == target.parent  # on the same disk
        assert synced == [self.stat().st_ino]
        rename(self, target)

    rename = Path.replace
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(Path, "replace", replace)
    DurableCheckpointIO().save_checkpoint(CHECKPOINT, file)
    assert torch.equal(torch.load(file)["state_dict"]["weight"], CHECKPOINT["state_dict"]["weight"])
    assert len(synced) == 2  # file and folder


def test_score_file_is_written_whole_or_not_at_all(trained: Outcome, tmp_path: Path) -> None:
    file = Path(shutil.copy(trained.folder / SCORE_FILE, tmp_path))
    before = file.read_bytes()
    with largest_file(1000), pytest.raises(InputError, match=rf"{SCORE_FILE}: cannot be written \(File too large\)"):
        SavedScores.read(trained.folder).write(tmp_path)
    assert file.read_bytes() == before
    assert [*tmp_path.iterdir()] == [file]


def test_full_disk_is_one_line_and_spares_the_older_checkpoints(run: Run, tiny: list[str], tmp_path: Path) -> None:
    saves: list[str] = []
    write = Path.write_bytes

    def write_bytes(self: Path, data: bytes) -> int:
        if self.parent.name != "checkpoints":
            return write(self, data)
        saves.append(self.name)
        if len(saves) > 2:  # best.ckpt and last.ckpt of the first epoch
            write(self, bytes(data)[:1000])
            raise OSError(28, "No space left on device")
        return write(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        outcome = run("fit", *tiny)
    assert outcome.code == 2
    (folder,) = tmp_path.glob("runs/*/*/checkpoints")
    assert outcome.err.splitlines()[-1].startswith(f"seglit: error: {folder}/")
    assert outcome.err.splitlines()[-1].endswith("cannot be written (No space left on device)")
    assert sorted(file.name for file in folder.iterdir()) == ["best.ckpt", "last.ckpt"]
    for file in folder.iterdir():
        assert torch.load(file, weights_only=True)["epoch"] == 0


def test_pictures_are_written_whole_or_not_at_all(run: Run, tiny: list[str], tmp_path: Path) -> None:
    def save(_: Image.Image, file: Path, __: str) -> None:
        file.write_bytes(b"half")
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        outcome = run("fit", *tiny, "--pictures.count=1")
    assert outcome.code == 2
    (folder,) = tmp_path.glob("runs/*/*/pictures")
    message = f"seglit: error: {folder / 'train.png'}: cannot be written ({os.strerror(errno.EDQUOT)})"
    assert outcome.err.splitlines()[-1] == message
    assert not [*folder.iterdir()]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EDQUOT], ids=os.strerror)
def test_folder_that_cannot_be_written_to_is_one_line(
    run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def mkdir(self: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    outcome = run("fit", *tiny)
    assert outcome.code == 2
    assert only_line(outcome.err).startswith(f"seglit: error: {tmp_path / 'runs'}")
    assert only_line(outcome.err).endswith(f": {os.strerror(code)}")


def test_read_only_run_folder_is_one_line(trained: Outcome, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file = Path.open

    def open_to_read(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if "a" in mode or "w" in mode:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return open_file(self, mode, *args, **options)

    monkeypatch.setattr(Path, "open", open_to_read)
    outcome = run("fit", "--resume", trained.folder, "--trainer.max_epochs=3")
    assert outcome.code == 2
    assert only_line(outcome.err) == f"seglit: error: {trained.folder}: cannot be written (Read-only file system)"


def test_saving_is_not_said(run: Run, tiny: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "pytorch_lightning"):
        assert run("fit", *tiny, "--trainer.max_epochs=1").code == 0
    assert "weights_only" not in caplog.text


def test_checkpoint_before_the_last_is_kept(trained: Outcome) -> None:
    folder = trained.folder / "checkpoints"
    assert {file.name for file in folder.iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    epochs = {name: torch.load(folder / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("last", "previous")}
    assert epochs == {"last": 1, "previous": 0}


def test_best_checkpoint_is_in_the_folder_of_a_run_that_never_beats_it(trained: Outcome, run: Run) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    more = ["--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=9"]
    outcome = run("fit", "-c", trained.folder / "config.yaml", "--ckpt_path", last, *more)
    assert outcome.code == 0, outcome.err
    best = outcome.folder / "checkpoints" / "best.ckpt"
    states = [torch.load(file, weights_only=True) for file in (best, trained.folder / "checkpoints" / "best.ckpt")]
    assert all(torch.equal(states[0]["state_dict"][name], value) for name, value in states[1]["state_dict"].items())


def test_checkpoint_has_the_weights_that_were_scored(tiny: list[str], run: Run, tmp_path: Path) -> None:
    """Also if they are averaged at the end of an epoch; and a run continues from them as if it had not ended."""
    averaging = {"decay": 0.5, "update_every_n_steps": 0, "update_starting_at_epoch": 0}
    callback = {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": averaging}
    (tmp_path / "averaging.yaml").write_text(yaml.dump({"trainer": {"callbacks": [callback]}}))
    loss = ["--checkpoint.monitor=val/loss", "--checkpoint.mode=min"]
    every = ["--checkpoint.save_top_k=-1", "--checkpoint.filename={epoch}", "--test_after_fit=false"]
    first = run("fit", "-c", "averaging.yaml", *tiny, *loss, *every)
    assert first.code == 0, first.err
    checkpoint = first.folder / "checkpoints" / "epoch=0.ckpt"
    assert run("validate", first.folder, "--ckpt_path", checkpoint, "--trainer.default_root_dir=scored").code == 0
    (metrics,) = tmp_path.glob("scored/**/metrics.csv")
    scores = [float(logged(folder)["val/loss"][0]) for folder in (first.folder, metrics.parent)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
    again = run("fit", "-c", first.folder / "config.yaml", "--ckpt_path", checkpoint)
    assert again.code == 0, again.err
    states = [torch.load(one.folder / "checkpoints/last.ckpt", weights_only=True) for one in (first, again)]
    assert not differences(*states)
