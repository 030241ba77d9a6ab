"""Figures on the structure of the code: `make structure`. The tests hold the limits."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
_TABLE = re.compile(r"(?<=<!-- core -->\n\n).*?(?=\n<!-- /core -->)", re.DOTALL)

MAX_FILE = 300
MAX_FUNCTION = 50
MAX_ROOT_MODULES = 13
MAX_CORE = 2400
MAX_DYNAMIC = 8
MIN_TESTS_PER_LINE = 0.6

CORE = {
    "cli.py": "the commands fit, validate and test",
    "module.py": "the LightningModule: steps and logging",
    "losses.py": "cross-entropy, Dice, focal, Lovasz, ...",
    "metrics.py": "one confusion matrix, all scores",
    "optim.py": "parameter groups and schedule",
    "labels.py": "class names, colours, stored values",
    "normalization.py": "mean and std, on the device",
    "class_weights.py": "formulas against class imbalance",
    "errors.py": "one-line errors",
    "networks/unet.py": "U-Net",
    "networks/fcn.py": "FCN-32s, FCN-16s, FCN-8s",
    "networks/blocks.py": "convolution, upsampling, padding",
    "networks/contract.py": "what a network must return",
    "data/base.py": "the LightningDataModule and its loaders",
    "data/dataset.py": "what a data set must define",
    "data/batch.py": "samples, batches, collation",
    "data/folder.py": "folders of images and masks",
    "data/augment.py": "random scale, crop, Albumentations",
    "data/sampling.py": "order of samples, rare classes",
}
"""The training core: file to what is in it."""


class Function(NamedTuple):
    """A function or method.

    Args:
        lines: Number of lines, decorators excluded.
        name: Module and name.
    """

    lines: int
    name: str


def package(root: Path = REPOSITORY) -> Path:
    """Returns the folder of the package: the one with `cli.py`, whatever a fork is called."""
    (cli,) = root.glob("*/cli.py")
    return cli.parent


def count_lines(file: Path) -> int:
    """Returns the number of lines of a file."""
    return len(file.read_text(encoding="utf-8").splitlines())


def functions(file: Path) -> Iterator[Function]:
    """Yields the functions and methods of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function((node.end_lineno or node.lineno) - node.lineno + 1, f"{file.name}:{node.name}")


def dynamic_accesses(file: Path) -> int:
    """Returns the number of calls of `hasattr` and `getattr`."""
    calls = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return sum(isinstance(call.func, ast.Name) and call.func.id in ("hasattr", "getattr") for call in calls)


def core_lines() -> dict[str, int]:
    """Returns the lines of each file of the training core."""
    return {name: count_lines(package() / name) for name in CORE}


def readme_table() -> str:
    """Returns the core as README lists it."""
    lines = core_lines()
    rows = [f"| [{name}]({package().name}/{name}) | {lines[name]} | {CORE[name]} |" for name in CORE]
    return "\n".join(
        ["| file | lines | |", "|---|--:|---|", *rows, f"| **together** | **{sum(lines.values())}** | |", ""]
    )


def main() -> None:
    """Prints the figures, and brings the table in README up to date."""
    files = sorted(package().rglob("*.py"))
    tests = sorted((REPOSITORY / "tests").rglob("*.py"))
    lines = {file: count_lines(file) for file in files}
    total, core = sum(lines.values()), sum(core_lines().values())
    largest = max(files, key=lambda file: lines[file])
    longest = max(function for file in files for function in functions(file))
    test_lines = sum(map(count_lines, tests))
    figures = {
        "files": f"{len(files)}",
        "lines": f"{total}",
        "largest file": f"{lines[largest]} ({largest.relative_to(package())}); at most {MAX_FILE}",
        "longest function": f"{longest.lines} ({longest.name}); at most {MAX_FUNCTION}",
        "root modules": f"{len([*package().glob('*.py')])}; at most {MAX_ROOT_MODULES}",
        "core lines": f"{core}; at most {MAX_CORE}",
        "hasattr/getattr": f"{sum(map(dynamic_accesses, files))}; at most {MAX_DYNAMIC}",
        "tests per line": f"{test_lines / total:.2f} ({test_lines} lines); at least {MIN_TESTS_PER_LINE}",
    }
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<17} {figure}\n")
    readme = README.read_text(encoding="utf-8")
    if (updated := _TABLE.sub(readme_table(), readme)) != readme:
        README.write_text(updated, encoding="utf-8")
        sys.stdout.write("README.md: updated the table of core files\n")


if __name__ == "__main__":
    main()
