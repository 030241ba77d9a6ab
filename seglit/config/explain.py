"""Turns jsonargparse's errors into one line: what is wrong, the nearest valid name, and where it is written.

jsonargparse's messages span many lines and repeat whole values; the cause is at the end of the chain of exceptions.
"""

import codecs
import dataclasses
import importlib
import inspect
import locale
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from pydoc import locate
from typing import cast

import yaml
from jsonargparse import ArgumentParser

from seglit.config.bounded_yaml import load_yaml
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import is_file, is_folder

YAML = (".yaml", ".yml")
"""Suffixes of configuration files."""
_RESTRICTED = {"PositiveInt": "int above 0", "NonNegativeFloat": "number of 0 or above"}


def explain(error: BaseException, args: Sequence[str], known_keys: Iterable[str]) -> str:
    """Returns one line for a parser error.

    Args:
        error: The exception of the parser.
        args: The command line, which names the configuration files to search for the location.
        known_keys: The dotted names of all settings.
    """
    chain = [str(cause) for cause in _causes(error)]
    leaf, whole = chain[-1].strip(), "\n".join(chain)
    class_paths = re.findall(r"Problem with given class_path '([^']+)'", whole)
    class_paths += re.findall(r"callable class: .+\bclass_path='([^']+)'", whole)
    keys = re.findall(r'(?m)^\s*(?:- )?Parser key "([^"]+)"', whole)
    if match := re.search(r"\blightning\.(pytorch|fabric)\b([\w.]*)", whole):
        name = {"pytorch": "pytorch_lightning", "fabric": "lightning_fabric"}[match[1]] + match[2]
        return f"{match[0]} belongs to another package; write {name}{location(match[0], args)}"
    if match := re.search(r"Option '([^']+)' is not accepted", leaf):
        return _unknown_argument(match[1], class_paths[-1], args)
    if match := re.search(r"module '([^']+)' has no attribute '([^']+)'", leaf):
        return _unknown_class(match[1], match[2], class_paths, args)
    if match := re.search(r"No module named '([^']+)'", leaf):
        path = class_paths[-1] if class_paths else match[1]
        if path.endswith(YAML):
            return missing_file(path, args)
        return f"cannot import {path}: no module named {match[1]!r}{_in_this_folder(match[1])}{location(path, args)}"
    if match := re.search(r"does not accept option '([^']+)'|unrecognized arguments: (?:--)?([^\s=]+)", leaf):
        return unknown_key(match[1] or match[2], known_keys, args)
    if match := re.search(r"arguments are required: (.+)", leaf):
        missing = [key.split(".", 1)[-1] for key in match[1].split(", ")]
        if "." in match[1]:
            return f"not set: {', '.join(missing)}; name a configuration (-c FILE), or the data (--data NAME or FILE)"
        return f"not given: {', '.join(missing)}; --help shows the usage"
    if match := re.search(
        r"File does not exist: '([^']+)'|Unable to load config ['\"]([^'\"]+)['\"]|"
        r"Expected a path but (\S+\.ya?ml) either not accessible",
        whole,
    ):
        return missing_file(match[1] or match[2] or match[3], args)
    return _wrong_value(chain, keys, args) or " ".join(chain[0].split())


def refusal(error: BaseException) -> str:
    """Returns one line for the error of a class's constructor: its own InputError, without the parser's wrapping."""
    messages = [str(cause) for cause in _causes(error) if isinstance(cause, InputError)]
    whole = " ".join(str(error).split())
    if messages:
        return messages[0]
    if missing := re.search(r"\w+ is not installed: pip install \"[^\"]+\"", whole):  # of a logger, in a list of unions
        return missing[0]
    if required := re.search(r"Requirement '([^']+)' not met", whole):  # of Lightning's loggers
        return f'{required[1]} is not installed: pip install "{required[1]}"'
    if constructor := re.search(r"Union subtypes .*?Errors: - (.+?) - Expected a <class", whole):
        return constructor[1]
    return whole


def check_yaml(args: Sequence[str]) -> str | None:
    """Returns one line about the first configuration file that is not valid YAML, or None."""
    for file in _files(args):
        try:
            load_settings(file)
        except InputError as error:
            return str(error)
    return None


def load_settings(file: Path) -> object:
    """Loads a configuration file as plain data.

    Raises:
        InputError: It is not valid YAML, or would be read in another encoding than UTF-8.
    """
    try:
        text = file.read_text(encoding="utf-8")
        encoding = locale.getpreferredencoding(False)  # in which jsonargparse reads it
        if not text.isascii() and codecs.lookup(encoding).name != "utf-8":
            raise InputError(
                f"{file}: has letters that are not ASCII, which Python reads as {encoding}: set PYTHONUTF8=1"
            )
        return load_yaml(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not valid YAML (not text in UTF-8)") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{file}, line {line}: not valid YAML ({error.problem})") from error
    except yaml.YAMLError as error:  # of a character that no YAML may contain
        raise InputError(f"{file}: not valid YAML ({' '.join(str(error).split())})") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception, its cause, the cause's cause, ..."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _unknown_argument(name: str, class_path: str, args: Sequence[str]) -> str:
    target, parser = locate(class_path), ArgumentParser(exit_on_error=False)
    add = parser.add_class_arguments if inspect.isclass(target) else parser.add_function_arguments
    settings = add(cast(type, target), fail_untyped=False)  # those of base classes too, where `**loader` leads
    return f"{class_path} has no setting {name!r}{did_you_mean(name, settings)}{location(name, args)}"


def unknown_key(key: str, known_keys: Iterable[str], args: Sequence[str]) -> str:
    """Returns one line with the shortest unknown prefix of a key, and the key of the same last part, or the nearest."""
    prefixes = {prefix for known_key in known_keys for prefix in _prefixes(known_key)}
    unknown = next((prefix for prefix in _prefixes(key) if prefix not in prefixes), key)
    parent, _, name = unknown.rpartition(".")
    siblings = sorted(key for key in prefixes if key.rpartition(".")[0] == parent and not key.startswith("__"))
    same_name = sorted((prefix for prefix in prefixes if prefix.endswith(f".{name}")), key=len)
    hint = f"; did you mean {same_name[0]!r}?" if same_name else did_you_mean(unknown, siblings)
    return f"unknown setting {unknown!r}{hint}{location(name, args)}"


def _prefixes(key: str) -> list[str]:
    """`a.b.c` -> `a`, `a.b`, `a.b.c`."""
    parts = key.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _unknown_class(module: str, name: str, class_paths: Sequence[str], args: Sequence[str]) -> str:
    package = importlib.import_module(module)
    if class_paths and class_paths[-1].startswith(f"{module}.{name}."):
        modules = [info.name for info in pkgutil.iter_modules(getattr(package, "__path__", None) or [])]
        return f"{module} has no module {name!r}{did_you_mean(name, modules)}{location(class_paths[-1], args)}"
    classes = [class_name for class_name, _ in inspect.getmembers(package, inspect.isclass)]
    same = [class_name for class_name in classes if class_name.lower() == name.lower()]
    return f"{module} has no class {name!r}{did_you_mean(name, same or classes)}{location(f'{module}.{name}', args)}"


def missing_file(path: str, args: Sequence[str]) -> str:
    """Returns one line about a file that does not exist, with the nearest name and where it is named."""
    if is_file(Path(path, "config.yaml")):
        return f"{path}: a run folder; its configuration is {path}/config.yaml{location(path, args)}"
    if is_folder(Path(path)):
        return f"{path}: a folder, not a configuration file{location(path, args)}"
    folders = {(base / path).parent for base in (Path(), *(file.parent for file in _files(args)))}
    names = sorted(entry.name for folder in folders if is_folder(folder) for entry in folder.iterdir())
    return f"no such file {path}{did_you_mean(Path(path).name, names)}{location(path, args)}"


def _wrong_value(chain: Sequence[str], keys: Sequence[str], args: Sequence[str]) -> str | None:
    """One line about a value of the wrong type, or not among the choices; None for any other error."""
    union = next((text for text in reversed(chain) if "Expected a" in text and "Got value" not in text), chain[-1])
    types = re.findall(r"(?m)Expected a ((?!dot).+?)(?:\. Got value|$)", union)
    types += [_RESTRICTED.get(name, name) for name in re.findall(r"Not of type (\w+): ", union)]
    expected = dict.fromkeys(map(_plain_type, types))
    value = re.search(r"(?:Got|Given) value: (.+?)\.?$", "\n".join(reversed(chain)), re.MULTILINE)
    class_path = re.search(r"Expected a dot import path string: (\S+)", chain[-1])
    if class_path and class_path[1].endswith(YAML):
        return missing_file(class_path[1], args)
    if class_path and (fields := _dataclass_fields(chain)):
        settings = ", ".join(f"{name}: ..." for name in fields)
        return f"{keys[-1]} is {class_path[1]!r}; expected settings {{{settings}}}{location(class_path[1], args)}"
    if class_path:
        key = f"{keys[-1]}: " if keys else ""
        return f"{key}{class_path[1]!r} is not a class_path, such as torch.optim.AdamW{location(class_path[1], args)}"
    if not expected or value is None:
        return None
    key = ".".join(dict.fromkeys(keys)) or "a value"
    choices = re.findall(r"'([^']+)'", " ".join(expected))
    hint = did_you_mean(value[1], get_close_matches(value[1], choices, 1))  # which are all listed already
    return f"{key} is {value[1]!r}; expected {' or '.join(expected)}{hint}{location(value[1], args)}"


def _in_this_folder(module: str) -> str:
    """Says how to import a module of the current folder, if it has one of this name."""
    name = module.partition(".")[0]
    beside = next((path for path in (Path(f"{name}.py"), Path(name)) if path.exists()), None)
    return f"; to import {beside} of this folder, run python -m seglit instead of seglit" if beside else ""


def _dataclass_fields(chain: Sequence[str]) -> list[str]:
    """The fields of the dataclass that a value must be; empty if a class is expected."""
    class_paths = re.findall(r"Subtypes: \[<class '([\w.]+)'>", "\n".join(chain))
    kind = locate(class_paths[-1]) if class_paths else None
    return [field.name for field in dataclasses.fields(kind) if field.init] if dataclasses.is_dataclass(kind) else []


def _plain_type(text: str) -> str:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text).replace("NoneType", "null")
    return re.sub(r"typing\.Literal\[(.+)\]", r"one of \1", text)


def location(word: str, args: Sequence[str]) -> str:
    """Returns ' (FILE, line N)' where a word first occurs in the configurations; '' if it is on the command line."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)")
    if any(pattern.search(arg.replace("--", " ").replace(".", " ")) or arg == word for arg in args):
        return ""
    for file in _files(args):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line.split("#", 1)[0]):
                return f" ({file}, line {number})"
    return ""


def _files(args: Sequence[str]) -> list[Path]:
    """The YAML files on the command line and those that they name, without duplicates."""
    queue = [Path(arg.split("=", 1)[-1]) for arg in args]
    files: dict[Path, Path] = {}
    while queue:
        file = queue.pop(0)
        if file.suffix in YAML and is_file(file) and file.resolve() not in files:
            files[file.resolve()] = file
            text = file.read_text(encoding="utf-8", errors="replace")
            queue += [file.parent / name for name in re.findall(r"[\w./-]+\.ya?ml\b", text)]
    return list(files.values())
