"""Limits of the structure: sizes of files and functions, the training core and its table in README."""

from collections import Counter

from tools import structure
from tools.structure import package

# A room has one of each.
SHARED_NAMES = {"__init__", "command", "page", "text", "pictures", "settings", "base"}
FILES = sorted(package().rglob("*.py"))


def test_files_and_functions_are_short() -> None:
    assert not [file for file in FILES if structure.count_lines(file) > structure.MAX_FILE]
    functions = [function for file in FILES for function in structure.functions(file)]
    assert not [function for function in functions if function.lines > structure.MAX_FUNCTION]


def test_root_has_few_modules() -> None:
    assert len([*package().glob("*.py")]) <= structure.MAX_ROOT_MODULES


def test_base_names_are_unique() -> None:
    names = Counter(file.stem for file in FILES)
    assert {name for name, count in names.items() if count > 1} <= SHARED_NAMES


def test_core_is_small_and_listed_in_readme() -> None:
    assert sum(structure.core_lines().values()) <= structure.MAX_CORE
    assert structure.readme_table() in structure.README.read_text(encoding="utf-8"), "run `make structure`"


def test_attributes_are_rarely_looked_up_by_name() -> None:
    assert sum(map(structure.dynamic_accesses, FILES)) <= structure.MAX_DYNAMIC


def test_code_is_tested() -> None:
    tests = sum(map(structure.count_lines, (structure.REPOSITORY / "tests").rglob("*.py")))
    assert tests >= structure.MIN_TESTS_PER_LINE * sum(map(structure.count_lines, FILES))
