"""Names of settings, read from the source of the classes that have them, without importing it.

Importing Lightning takes seconds, more than a user should wait to learn of a misspelt setting.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path

_CLASSES = {
    "trainer": ("pytorch_lightning", "trainer/trainer.py"),
    "checkpoint": ("pytorch_lightning", "callbacks/model_checkpoint.py"),
    "pictures": ("seglit", "callbacks/pictures.py"),
    "model": ("seglit", "module.py"),
    "data": ("seglit", "data/base.py"),
}
_LINKED = ("labels", "normalization")  # arguments of the model that come from the data


@cache
def settings_of(group: str) -> tuple[str, ...]:
    """Returns the names of the settings of a group, such as `trainer`; of `data`, those of every data module."""
    package, file = _CLASSES[group]
    spec = importlib.util.find_spec(package)
    (folder,) = (spec and spec.submodule_search_locations) or [""]
    tree = ast.parse(Path(folder, file).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node for each in classes for node in each.body if isinstance(node, ast.FunctionDef)]
    arguments = next(function.args for function in functions if function.name == "__init__")
    names = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
    return tuple(name for name in names if name not in ("self", *_LINKED))


def complete_groups() -> tuple[str, ...]:
    """Returns the groups whose settings are known completely: those of `data` depend on the class."""
    return tuple(group for group in _CLASSES if group != "data")
