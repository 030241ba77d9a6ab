"""YAML whose aliases, or levels, would fill the memory is refused before it is loaded; any other is loaded as it is."""

from pathlib import Path

import pytest
import yaml

from seglit.config.bounded_yaml import load_yaml
from seglit.config.named_configs import _load_with_names
from tests.conftest import Outcome, Run
from tests.corpus.conftest import only_line

NINE = "\n".join(["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
MERGED = "\n".join(["a0: &a0 {k: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))])
CHAIN = "\n".join(["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000))])


@pytest.mark.parametrize(
    "text", [NINE, MERGED, CHAIN, "&a [*a]", "&a {k: [1, *a]}", "[" * 500_000, "[" * 101 + "]" * 101]
)
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match=r"repeat too many values|nested too deeply"):
        load_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "[" * 99 + "]" * 99, "a: &a [1, 2]\nb: {c: *a, d: &e x, f: *e}", "a: &a {x: 1}\nb: {<<: *a, y: 2}"),
        f"a: &a {list(range(999))}\nb: [{', '.join(['*a'] * 90)}]",
    ],
)
def test_others_are_loaded_as_they_are(text: str) -> None:
    assert load_yaml(text) == yaml.safe_load(text)


def test_unknown_aliases_are_named() -> None:
    with pytest.raises(yaml.YAMLError, match="undefined alias 'png'"):
        load_yaml("images: *png")


def test_file_names_that_are_not_valid_unicode() -> None:
    name = "caf\udce9"
    for load in (load_yaml, _load_with_names):
        assert load(yaml.safe_dump({"root": name})) == {"root": name}
    with pytest.raises(yaml.YAMLError, match="unacceptable character"):  # by which the command line knows text
        load_yaml(name)


def test_dates_are_text() -> None:
    assert load_yaml("day: 2026-01-31") == {"day": "2026-01-31"}


def test_every_file_is_bounded(run: Run, trained: Outcome, tmp_path: Path) -> None:
    """Configurations, those of other runs, and the files of label formats."""
    bomb, root = tmp_path / "bomb.yaml", tmp_path / "yolo"
    bomb.write_text(f"# bomb\n{NINE}")
    (root / "images").mkdir(parents=True)
    (root / "data.yaml").write_text(NINE)
    for name in ("config.yaml", "scores_test.json"):
        (root / name).write_bytes((trained.folder / name).read_bytes())
    (root / "config.yaml").write_text(NINE)
    for args in (["fit", "-c", bomb], ["fit", "--data", bomb], ["report", root], ["compare", root, root]):
        outcome = run(*args)
        assert outcome.code == 2
        assert "too many values" in only_line(outcome.err)
    assert f"{bomb}, line 7" in run("fit", "-c", bomb).err
    assert "too many values" in run("predict", "--config", bomb, "RUN", "a.png").err
