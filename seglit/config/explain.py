"""Turns what the parser says of bad input into one line: what is wrong, the nearest right name, and where it stands.

jsonargparse's messages span many lines and repeat the whole value; the cause at the end of the chain of exceptions is
what its user needs.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from pydoc import locate

import yaml

from seglit.errors import InputError, did_you_mean

_YAML = (".yaml", ".yml")


def explain(error: BaseException, args: Sequence[str], known_keys: Iterable[str]) -> str:
    """One line for an error of parsing.

    Args:
        error: What the parser raised.
        args: The command line, to find the place in its files.
        known_keys: The dotted names of all settings.
    """
    chain = [str(each) for each in _causes(error)]
    leaf = chain[-1].strip()
    class_paths = re.findall(r"Problem with given class_path '([^']+)'", "\n".join(chain))
    keys = [found[1] for found in re.finditer(r'(?m)^\s*(?:- )?Parser key "([^"]+)"', "\n".join(chain))]
    if found := re.search(r"Option '([^']+)' is not accepted", leaf):
        return _unknown_setting(found[1], class_paths[-1], args)
    if found := re.search(r"module '([^']+)' has no attribute '([^']+)'", leaf):
        return _unknown_class(found[1], found[2], class_paths, args)
    if found := re.search(r"No module named '([^']+)'", leaf):
        path = class_paths[-1] if class_paths else found[1]
        if path.endswith(_YAML):
            return _missing_file(path, args)
        return f"cannot import {path}: no module named {found[1]!r}{_place(path, args)}"
    if found := re.search(r"does not accept option '([^']+)'|unrecognized arguments: (?:--)?([^\s=]+)", leaf):
        return _no_setting(found[1] or found[2], known_keys, args)
    if found := re.search(r"arguments are required: (.+)", leaf):
        missing = [key.split(".", 1)[-1] for key in found[1].split(", ")]
        files = "; name a configuration (-c FILE), or the data (--data NAME or FILE)" if "." in found[1] else ""
        return f"not set: {', '.join(missing)}{files}"
    if leaf.startswith("Unexpected config"):
        file = next(file for file in _files(args) if not isinstance(yaml.safe_load(file.read_text("utf-8")), dict))
        return f"{file}: holds no settings; a configuration is made of lines `name: value`"
    whole = "\n".join(chain)
    if found := re.search(r"File does not exist: '([^']+)'|Unable to load config ['\"]([^'\"]+)['\"]", whole):
        return _missing_file(found[1] or found[2], args)
    if found := re.search(r"Expected a path but (\S+\.ya?ml) either not accessible", whole):
        return _missing_file(found[1], args)
    return _wrong_value(chain, keys, args) or " ".join(chain[0].split())


def refusal(error: BaseException) -> str:
    """One line for what a class refused when it was built: its own words, without the parser's around them."""
    own = [str(each) for each in _causes(error) if isinstance(each, InputError)]
    return own[0] if own else " ".join(str(error).split())


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__


def _unknown_setting(wrong: str, class_path: str, args: Sequence[str]) -> str:
    module, _, name = class_path.rpartition(".")
    known = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    return f"{class_path} has no setting {wrong!r}{did_you_mean(wrong, known)}{_place(wrong, args)}"


def _no_setting(wrong: str, known_keys: Iterable[str], args: Sequence[str]) -> str:
    """Names the first part of a dotted setting that there is none of, beside which the right one stands."""
    keys = [key.split(".") for key in known_keys]
    known = {".".join(key[:depth]) for key in keys for depth in range(1, len(key) + 1)}
    parts = wrong.split(".")
    starts = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    first = next((start for start in starts if start not in known), wrong)
    parent, _, last = first.rpartition(".")
    beside = sorted(key for key in known if key.rpartition(".")[0] == parent)
    elsewhere = sorted((key for key in known if key.endswith(f".{last}")), key=len)
    hint = f"; did you mean {elsewhere[0]!r}?" if elsewhere else did_you_mean(first, beside)
    return f"no setting {first!r}{hint}{_place(last, args)}"


def _unknown_class(module: str, name: str, class_paths: Sequence[str], args: Sequence[str]) -> str:
    package = importlib.import_module(module)
    if class_paths and class_paths[-1].startswith(f"{module}.{name}."):
        modules = [each.name for each in pkgutil.iter_modules(getattr(package, "__path__", None) or [])]
        return f"{module} has no module {name!r}{did_you_mean(name, modules)}{_place(class_paths[-1], args)}"
    classes = [each for each, _ in inspect.getmembers(package, inspect.isclass)]
    same = [each for each in classes if each.lower() == name.lower()]
    return f"{module} has no class {name!r}{did_you_mean(name, same or classes)}{_place(f'{module}.{name}', args)}"


def _missing_file(path: str, args: Sequence[str]) -> str:
    folders = {(base / path).parent for base in (Path(), *(file.parent for file in _files(args)))}
    names = sorted(entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir())
    return f"no file {path}{did_you_mean(Path(path).name, names)}{_place(path, args)}"


def _wrong_value(chain: Sequence[str], keys: Sequence[str], args: Sequence[str]) -> str | None:
    """For a value of the wrong type, or a name that is none of a fixed few."""
    union = next((text for text in reversed(chain) if "Expected a" in text and "Got value" not in text), chain[-1])
    expected = [
        _plain_type(found[1])
        for found in re.finditer(r"Expected a ((?!dot).+?)(?:\. Got value|$)", union, re.MULTILINE)
    ]
    value = re.search(r"(?:Got|Given) value: (.+?)\.?$", "\n".join(reversed(chain)), re.MULTILINE)
    named = re.search(r"Expected a dot import path string: (\S+)", chain[-1])
    if named and named[1].endswith(_YAML):
        return _missing_file(named[1], args)
    if named and (settings := _settings(chain)):
        takes = ", ".join(f"{name}: ..." for name in settings)
        return f"{keys[-1]} is {named[1]!r}, but takes settings: {{{takes}}}{_place(named[1], args)}"
    if named:
        key = f"{keys[-1]}: " if keys else ""
        return f"{key}{named[1]!r} is no class_path, such as torch.optim.AdamW{_place(named[1], args)}"
    if not expected or value is None:
        return None
    key = ".".join(dict.fromkeys(keys)) or "a value"
    choices = re.findall(r"'([^']+)'", " ".join(expected))
    hint = did_you_mean(value[1], choices)
    return f"{key} is {value[1]!r}, but takes {' or '.join(dict.fromkeys(expected))}{hint}{_place(value[1], args)}"


def _settings(chain: Sequence[str]) -> list[str]:
    """The settings that make up a value, where it is of a dataclass; none where a class is to be named."""
    kinds = re.findall(r"Subtypes: \[<class '([\w.]+)'>", "\n".join(chain))
    kind = locate(kinds[-1]) if kinds else None
    return [field.name for field in dataclasses.fields(kind) if field.init] if dataclasses.is_dataclass(kind) else []


def _plain_type(text: str) -> str:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text).replace("NoneType", "null")
    return re.sub(r"typing\.Literal\[(.+)\]", r"one of \1", text)


def _place(word: str, args: Sequence[str]) -> str:
    """' (FILE, line N)' for the first place of a word in the configuration files; '' if it is on the command line."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)")
    if any(pattern.search(arg.replace("--", " ").replace(".", " ")) or arg == word for arg in args):
        return ""
    for file in _files(args):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line.split("#", 1)[0]):
                return f" ({file}, line {number})"
    return ""


def _files(args: Sequence[str]) -> list[Path]:
    """The YAML files of the command line and those that they name, each once."""
    waiting = [Path(arg.split("=", 1)[-1]) for arg in args]
    found: dict[Path, Path] = {}
    while waiting:
        file = waiting.pop(0)
        if file.suffix in _YAML and file.is_file() and file.resolve() not in found:
            found[file.resolve()] = file
            text = file.read_text(encoding="utf-8")
            waiting += [file.parent / named for named in re.findall(r"[\w./-]+\.ya?ml\b", text)]
    return list(found.values())


def check_yaml(args: Sequence[str]) -> str | None:
    """One line on the first configuration file that is no YAML, or None."""
    for file in _files(args):
        try:
            yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else "?"
            return f"{file}, line {line}: not valid YAML ({error.problem})"
    return None
