"""The public API: imported on first use, documented by examples that run."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import seglit
from tools.structure import REPOSITORY, package

DOCUMENTED = [
    ".".join(file.relative_to(package().parent).with_suffix("").parts).removesuffix(".__init__")
    for file in sorted(package().rglob("*.py"))
    if ">>> " in file.read_text(encoding="utf-8")
]


def test_every_public_name_is_imported_on_first_use() -> None:
    code = (
        "import sys, seglit; assert not {'torch', 'numpy'} & set(sys.modules); print(*map(vars(seglit).get, ['load']))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "None\n"
    for name in seglit.__all__:
        assert getattr(seglit, name).__module__.startswith("seglit.")
        assert name in dir(seglit)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = seglit.lode  # type: ignore[attr-defined]


def test_no_public_name_is_a_room() -> None:
    assert not {path.stem for path in package().iterdir()} & set(seglit.__all__)


@pytest.mark.parametrize("module", DOCUMENTED)
def test_examples_in_docstrings(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_citation_has_the_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == seglit.__version__
