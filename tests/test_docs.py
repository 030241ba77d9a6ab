"""What the pages of docs/ say is true: their Python runs, their commands parse, their links lead somewhere."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest
import torch

from seglit.__main__ import COMMANDS, main

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The page's code in a language, each block after as many empty lines as make a traceback name the page's own."""
    text = page.read_text(encoding="utf-8")
    return [
        "\n" * text[: found.start(3)].count("\n") + textwrap.dedent(found[3])
        for found in BLOCK.finditer(text)
        if found[2] == language
    ]


def having(language: str) -> list[object]:
    return [pytest.param(page, id=page.stem) for page in PAGES if blocks(page, language)]


@pytest.fixture(autouse=True)
def in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(2)


@pytest.mark.parametrize("page", having("python"))
def test_python_runs_in_order(page: Path) -> None:
    names: dict[str, object] = {"__name__": page.stem}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.parametrize("page", having("bash"))
def test_commands_parse(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for config in map(str.strip, blocks(page, "yaml")):
        Path(config.splitlines()[0].removeprefix("# ")).write_text(config, encoding="utf-8")
    lines = [line.split() and shlex.split(line) for code in blocks(page, "bash") for line in code.splitlines()]
    commands = [words[1:] for words in lines if words[:1] == ["seglit"]]
    assert commands
    for command, *options in commands:
        assert command in COMMANDS
        if not any(option.startswith("RUN/") for option in options):
            with pytest.raises(SystemExit, match="0"):
                main([command, *options, "--print_config"])
            assert ": " in capsys.readouterr().out  # the configuration


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_are_valid(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
