"""The cache's folder: bounded, shared by processes, sound when damaged or not to be written, and in a whole run."""

import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock, Timeout

from seglit.data import Cache, FolderDataModule
from seglit.data.synthetic import SyntheticDataset
from seglit.errors import InputError
from tests.conftest import Run
from tests.data.test_cache import ENTRY, SIZE, CachedDataset, cached, entries, same, save, shapes, write

AUGMENT = Path(__file__).parents[2] / "configs" / "augment" / "strong.yaml"
GB = ENTRY / 1e9


def bytes_in(folder: str) -> int:
    total = 0
    for file in Path(folder).glob("*.pair"):
        with suppress(FileNotFoundError):  # another process may just have removed it
            total += file.stat().st_size
    return total


def fill(folder: str, gb: float, data: FolderDataModule, start: Barrier) -> None:
    plain = data.dataset("train")
    start.wait()
    dataset = CachedDataset(plain, Cache(folder, gb))
    for index in [*range(len(plain))] * 2:
        for one, other in zip(dataset.read(index)[:2], plain.read(index)[:2], strict=True):
            np.testing.assert_array_equal(one, other)
        assert bytes_in(folder) <= gb * 1e9
    assert dataset.cache.closed == (gb < 1)  # for want of room, and nothing else


@pytest.mark.skipif(sys.platform != "linux", reason="forks, so that the processes start at once")
@pytest.mark.parametrize(("gb", "kept"), [(1, 2 + 8), (3.5 * GB, 3)])
def test_concurrent_processes_share_a_folder(tmp_path: Path, gb: float, kept: int) -> None:
    old, data = shapes(write(tmp_path / "old", 2)), shapes(write(tmp_path / "data", 8))
    for file in tmp_path.glob("old/images/train/*"):
        save(file, np.full((*SIZE, 3), 9, np.uint8))
    folder = str(tmp_path / "cache")
    assert same(CachedDataset(old.dataset("train"), Cache(folder, gb)), old.dataset("train"))
    assert bytes_in(folder) == 2 * ENTRY
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(3)
    processes = [fork.Process(target=fill, args=(folder, gb, data, start)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert bytes_in(folder) == kept * ENTRY
    assert {file.suffix for file in Path(folder).iterdir()} == {".pair", ".lock", ".total"}


def test_size_is_updated_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shapes(write(tmp_path / "data", 1), Cache(str(tmp_path / "cache")))
    steps: list[str] = []

    def watch(module: Any, name: str) -> None:
        real = getattr(module, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            with pytest.raises(Timeout):
                FileLock(tmp_path / "cache" / "seglit.lock").acquire(timeout=0)
            steps.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    watch(shutil, "disk_usage")
    watch(os, "utime")
    cached(data)
    assert steps == ["disk_usage", "utime"]


def test_least_recently_used_entries_are_evicted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, folder = shapes(write(tmp_path / "data", 6)).dataset("train"), str(tmp_path / "cache")
    first = CachedDataset(plain, Cache(folder, 3.5 * GB))
    made: list[Path] = []
    for index in range(3):
        first.read(index)
        made += sorted({*entries(first.cache)} - {*made})
    assert capsys.readouterr().err == ""
    second = CachedDataset(plain, Cache(folder, 3.5 * GB))
    assert same(CachedDataset(plain, first.cache), plain)  # the first run goes on, and what it uses stays
    assert entries(first.cache) == sorted(made)
    words = rf"cache: {re.escape(folder)}: full at \S+ GB \(.+\); pairs not in it are decoded each time\n"
    assert re.fullmatch(words, capsys.readouterr().err)
    assert not second.cache.closed

    third = CachedDataset(plain, Cache(folder, 3.5 * GB))
    for index in (0, 3):
        third.read(index)
    assert made[0] in entries(third.cache)
    assert made[1] not in entries(third.cache)
    assert made[2] in entries(third.cache)
    assert len(entries(third.cache)) == 3
    assert same(third, plain)
    assert {made[0]} < {*entries(third.cache)}
    assert bytes_in(folder) <= 3.5 * ENTRY


def test_lower_limit_evicts_on_start_and_keeps_other_files(tmp_path: Path) -> None:
    data, folder = shapes(write(tmp_path / "data", 4)), tmp_path / "cache"
    folder.mkdir(mode=0o700)
    (folder / "mine.pair").write_bytes(bytes(10**5))
    first = CachedDataset(data.dataset("train"), Cache(str(folder)))
    assert same(first, data.dataset("train"))
    assert len(entries(first.cache)) == 5
    Cache(str(folder), 2.5 * GB)
    assert len(entries(first.cache)) == 3
    Cache(str(folder), 1e-9)
    assert [file.name for file in entries(first.cache)] == ["mine.pair"]


def other(file: Path) -> None:
    shutil.copy(next(each for each in file.parent.glob("*.pair") if each != file), file)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
    "only a header": lambda file: file.write_bytes(file.read_bytes()[:64]),
    "zeros": lambda file: file.write_bytes(bytes(ENTRY)),
    "another's": other,
    "a bit": flip,
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_corrupt_entry_is_rewritten(tmp_path: Path, damage: str) -> None:
    data = shapes(write(tmp_path / "data", 2), Cache(str(tmp_path / "cache")))
    dataset = cached(data)
    assert same(dataset, data.dataset("train"))
    before = {file: file.read_bytes() for file in entries(dataset.cache)}
    DAMAGES[damage](entries(dataset.cache)[0])
    assert same(dataset, data.dataset("train"))
    assert {file: file.read_bytes() for file in entries(dataset.cache)} == before


def test_a_tenth_of_the_disk_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shapes(write(tmp_path / "data", 3), Cache(str(tmp_path / "cache")))
    monkeypatch.setattr("seglit.data.cache._MAX_RESERVE", ENTRY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10 * ENTRY, free=1.5 * ENTRY))
    dataset = cached(data)
    assert same(dataset, data.dataset("train"))
    assert entries(dataset.cache) == []
    assert capsys.readouterr().err.count("\n") == 1


def test_failed_write_warns_once_and_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resource = pytest.importorskip("resource")
    data = shapes(write(tmp_path / "data", 3), Cache(str(tmp_path / "cache")))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ENTRY - 100, hard))
    try:
        dataset = cached(data)
        assert same(dataset, data.dataset("train"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.suffix for file in (tmp_path / "cache").iterdir()} == {".lock", ".total"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cache: {tmp_path / 'cache'}: cannot be written (File too large); pairs not in it")


def test_invalid_caches_are_rejected(tmp_path: Path, run: Run, tiny: list[str]) -> None:
    (tmp_path / "file").touch()
    code, _, err = run("fit", *tiny, "--data.cache.folder=file")
    where = re.escape(f"seglit: error: cache: folder {tmp_path / 'file'}: cannot be written")
    assert code == 2
    assert re.fullmatch(where + r" \(.+\); use another, or remove cache\n", err)
    with pytest.raises(InputError, match=r"^cache: gb is 0; the maximum size"):
        Cache(str(tmp_path / "cache"), 0)
    with pytest.raises(InputError, match=r"^cache is set, but SyntheticDataset has no `source`"):
        CachedDataset(SyntheticDataset(1), Cache(str(tmp_path / "cache"))).read(0)


def test_errors_are_the_same_without_cache(tmp_path: Path) -> None:
    cache, root = Cache(str(tmp_path / "cache")), write(tmp_path / "data", 2)
    few = [FolderDataModule(str(root), ["a", "b"], num_workers=0, cache=each) for each in (None, cache)]
    data = shapes(root, cache)
    assert same(cached(data), data.dataset("train"))
    messages = []
    for each in few:
        with pytest.raises(InputError, match=r"/masks/train/0000\d\.png: contains the value ") as error:
            list(each.train_dataloader())
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    dataset = cached(data)
    (root / "masks/train/00001.png").unlink()
    with pytest.raises(InputError, match=r"/masks/train/00001\.png: no such file$"):
        dataset.read(1)


def test_a_run_gives_the_same_weights_without_cache(tmp_path: Path, tiny: list[str], run: Run) -> None:
    options = [*tiny, f"--data.augment={AUGMENT}", "--data.crop_size=[24, 24]", "--trainer.max_epochs=1"]
    options += ["--data.batch_size=1", "--test_after_fit=false", "--pictures.count=0"]
    cache = "--data.cache.folder=cache"
    runs = [run("fit", *options, *more) for more in ([], [cache, "--data.num_workers=1"], [cache])]
    assert [outcome.code for outcome in runs] == [0, 0, 0]
    states = [torch.load(each.folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for each in runs]
    for state in states[1:]:
        assert all(torch.equal(state[name], value) for name, value in states[0].items())
    config = yaml.safe_load((runs[-1].folder / "config.yaml").read_text())
    assert config["data"]["init_args"]["cache"] == {"folder": str(tmp_path / "cache"), "gb": 16.0}
    assert len([*(tmp_path / "cache").glob("*.pair")]) == 5 + 3
