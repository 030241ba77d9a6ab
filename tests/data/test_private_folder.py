"""Below a folder that everybody may write to, the cache is the user's own, and follows no links that others planted."""

import os
import stat
import sys
from pathlib import Path

import pytest

from seglit.data.cache import Cache
from seglit.errors import InputError
from tests.conftest import Run
from tests.corpus.conftest import only_line

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder like /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_new_folders_are_private(shared: Path) -> None:
    before = os.umask(0)
    try:
        Cache(str(shared / "a/b"))
        Cache(str(shared / "a/b"))  # and may be used again
    finally:
        os.umask(before)
    assert [mode(shared / "a"), mode(shared / "a/b")] == [0o700, 0o700]


def test_elsewhere_a_group_may_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder of the tests is itself below one that everybody may write to, so `/` stands for it here."""
    real = Path.lstat
    own = tmp_path / "own"

    def lstat(path: Path) -> os.stat_result:
        status = real(path)
        return status if path.is_relative_to(own) else os.stat_result((status.st_mode & ~stat.S_IWOTH, *status[1:]))

    monkeypatch.setattr(Path, "lstat", lstat)
    before = os.umask(0o002)
    try:
        Cache(str(own / "cache"))
    finally:
        os.umask(before)
    assert mode(own / "cache") == 0o775
    (own / "link").symlink_to(own / "cache")
    Cache(str(own / "link"))
    (own / "open").mkdir()
    (own / "open").chmod(0o777)
    with pytest.raises(InputError, match=r"everybody may write to .*open; use a new folder"):
        Cache(str(own / "open"))
    (own / "elsewhere").symlink_to(own / "open")
    with pytest.raises(InputError, match="open/cache can be replaced by others, as everybody may write to"):
        Cache(str(own / "elsewhere/cache"))


def test_folders_of_others_are_refused(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache(str(shared / "theirs/cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(InputError, match=r"theirs(/cache)? belongs to another user, as everybody may"):
        Cache(str(shared / "theirs/cache"))


def test_folders_that_others_may_enter_are_refused(run: Run, shared: Path, tiny: list[str]) -> None:
    (shared / "cache").mkdir()
    (shared / "cache").chmod(0o770)
    outcome = run("fit", *tiny, "--data.cache.folder", shared / "cache")
    assert outcome.code == 2
    assert "has the mode 770 and must have 700" in only_line(outcome.err)
    assert not list((shared / "cache").iterdir())
    with pytest.raises(InputError, match="cache can be written by others, as everybody may write to"):
        Cache(str(shared / "cache/inner"))
    (shared / "cache").chmod(0o755)
    with pytest.raises(InputError, match="has the mode 755"):
        Cache(str(shared / "cache"))


def test_links_are_not_followed(shared: Path, tmp_path: Path, shapes: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (shared / "link").symlink_to(target)
    for path in (shared / "link", shared / "link/cache"):
        with pytest.raises(InputError, match="link is a link, as everybody may write to"):
            Cache(str(path))
    assert not list(target.iterdir())
    (target / "precious").write_text("mine")
    for name in ("seglit.total", "seglit.lock"):
        cache = shared / name.replace(".", "-")
        cache.mkdir(mode=0o700)
        (cache / name).symlink_to(target / "precious")
        with pytest.raises(InputError, match="cannot be written"):
            Cache(str(cache))
    assert (target / "precious").read_text() == "mine"
