"""Creates a folder that nobody else can write to, or read, where everybody may create files, as in /tmp and /dev/shm.

POSIX only: on Windows a folder inherits the permissions of its parent, and temporary folders are the user's own.
"""

import os
import stat
from pathlib import Path

from seglit.errors import InputError

_ADVICE = "use a new folder of your own, or one below your home folder"


def make_folder(path: Path) -> None:
    """Creates a folder if it is missing.

    Below a folder that everybody may write to, it gets the mode 0700, and another user must not have placed it or a
    link on the way to it. Elsewhere its permissions are those of any new folder, and a group may share it.

    Raises:
        InputError: Another user could have placed the folder, or could read or replace it.
        OSError: It cannot be created.
    """
    if os.name != "posix":
        path.mkdir(parents=True, exist_ok=True)
        return
    path = path.absolute()
    shared: Path | None = None  # the last folder on the way that everybody may write to
    is_sticky = True  # whether only owners may rename and delete what is in it
    for folder in (*reversed(path.parents), path):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            folder.mkdir(0o700 if shared else 0o777, exist_ok=True)
            status = folder.lstat()
        if shared is None and stat.S_ISLNK(status.st_mode):
            make_folder(folder.resolve() / path.relative_to(folder))
            return
        problem = _problem(status, is_target=folder == path) if is_sticky else "can be replaced by others"
        if shared and problem:
            raise InputError(f"{folder} {problem}, as everybody may write to {shared}; {_ADVICE}")
        if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IWOTH:
            shared, is_sticky = folder, bool(status.st_mode & stat.S_ISVTX)
    if shared == path:
        raise InputError(f"everybody may write to {path}; {_ADVICE}")


def _problem(status: os.stat_result, *, is_target: bool) -> str | None:
    """Returns what is wrong with a folder that is below one that everybody may write to."""
    mode, own = status.st_mode, os.geteuid()
    if stat.S_ISLNK(mode):
        return "is a link"
    if status.st_uid not in ((own,) if is_target else (own, 0)):
        return "belongs to another user"
    if not stat.S_ISDIR(mode):
        return None  # cannot be written to, which is reported as for any other file
    if is_target and mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"has the mode {stat.S_IMODE(mode):o} and must have 700"
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        return "can be written by others"
    return None


def no_follow(path: str, flags: int) -> int:
    """An `opener` of `open` that does not follow a link."""
    return os.open(path, flags | vars(os).get("O_NOFOLLOW", 0), 0o666)
