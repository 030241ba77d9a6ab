"""Renames the package, its command and its other identities in a fork: `make rename NAME=cracks`."""

import keyword
import re
import subprocess
import sys

from tools.structure import REPOSITORY, package

_SKIPPED = {".git", ".venv", "data", "runs", "wandb", "dist", "build", "LICENSE"}  # the licence keeps its notice
_TEXT = {
    *("", ".py", ".toml", ".lock", ".cfg", ".cff", ".yaml", ".yml", ".json"),
    *(".md", ".txt", ".html", ".css", ".js", ".sh"),
}


def check(name: str, old: str) -> None:
    """Exits with one line if the name cannot be a package beside those that exist."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        sys.exit(f"rename: {name!r} cannot be a package; use lower-case letters, digits and _, such as cracks")
    taken = {*sys.stdlib_module_names, *(path.stem for path in REPOSITORY.iterdir() if path.name not in _SKIPPED)}
    if name == old or name in taken:
        sys.exit(f"rename: {name!r} is taken by a module or folder; choose another name")


def rename(old: str, new: str) -> int:
    """Replaces the name in all text files and renames the package's folder; returns the number of changed files."""
    changed = 0
    for entry in REPOSITORY.iterdir():
        if entry.name in _SKIPPED or entry.name.endswith(("_cache", ".egg-info")) or entry.name.startswith(".coverage"):
            continue
        for file in [entry] if entry.is_file() else sorted(entry.rglob("*")):
            if file.suffix not in _TEXT or file.is_symlink() or not file.is_file():
                continue
            text = file.read_text(encoding="utf-8")
            renamed = text.replace(old, new).replace(old.upper(), new.upper())
            if renamed != text:
                file.write_text(renamed, encoding="utf-8")
                changed += 1
    (REPOSITORY / old).rename(REPOSITORY / new)
    return changed


def main(arguments: list[str]) -> None:
    """Renames, then sorts imports and formats, since lengths and the order of names have changed."""
    if len(arguments) != 1:
        sys.exit("rename: give one name: make rename NAME=cracks")
    (new,), old = arguments, package().name
    check(new, old)
    changed = rename(old, new)
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command], cwd=REPOSITORY, check=True)  # noqa: S603
    sys.stdout.write(f"renamed {old} to {new} in {changed} files; next: make lint, make test, and commit\n")


if __name__ == "__main__":
    main(sys.argv[1:])
