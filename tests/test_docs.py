"""README and the pages of docs/: their Python runs, their commands parse and train, their links are valid."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seglit.__main__ import COMMANDS, main
from tests.conftest import QUIET, Run
from tools.structure import README, REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
OWN_PARTS = DOCS / "make-it-yours.md"
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\w+\.(?:py|yaml))\n")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in a language, preceded by empty lines, so that tracebacks give the page's line numbers."""
    return [
        "\n" * text[: found.start(3)].count("\n") + textwrap.dedent(found[3])
        for found in BLOCK.finditer(text)
        if found[2] == language
    ]


def files(text: str) -> dict[str, str]:
    """The code blocks whose first line is a file name."""
    codes = [code.strip("\n") + "\n" for language in ("python", "yaml") for code in blocks(text, language)]
    return {found[1]: code for code in codes if (found := FILE_NAME.match(code))}


def commands(text: str) -> list[list[str]]:
    """The arguments of every call of seglit."""
    lines = [
        shlex.split(line, comments=True)
        for code in blocks(text, "bash")
        for line in code.replace("\\\n", " ").splitlines()
    ]
    lines = [words[words.index("-m") + 1 :] if "-m" in words else words for words in lines]
    return [words[1:] for words in lines if words[:1] == ["seglit"]]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def having(language: str) -> list[object]:
    return [pytest.param(page, id=page.stem) for page in PAGES if blocks(page.read_text(encoding="utf-8"), language)]


@pytest.fixture(autouse=True)
def in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)  # what a module compares bit by bit may be made next


def write_files(page: Path) -> str:
    """Writes the files of a page to the current folder; returns its text."""
    text = page.read_text(encoding="utf-8")
    for name, code in files(text).items():
        Path(name).write_text(code, encoding="utf-8")
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_conflict_is_left(page: Path) -> None:
    assert not re.search(r"^(<{7}|>{7}|\|{7}) ", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 600, "move what few users need to docs/"


def test_the_job_script_is_shown() -> None:
    script = (REPOSITORY / "configs" / "hardware" / "slurm.sh").read_text(encoding="utf-8")
    assert script in [code.lstrip("\n") for code in blocks((DOCS / "hardware.md").read_text(encoding="utf-8"), "bash")]


@pytest.mark.parametrize("page", having("python"))
def test_python_runs_in_order(page: Path) -> None:
    names: dict[str, object] = {"__name__": page.stem}
    for code in blocks(write_files(page), "python"):
        if '"RUN"' not in code and "seglit.fit(" not in code:
            exec(compile(code, str(page), "exec"), names)


def test_training_from_python() -> None:
    (code,) = [code for code in blocks(README.read_text(encoding="utf-8"), "python") if "seglit.fit(" in code]
    names: dict[str, Any] = {}
    small = '"trainer.fast_dev_run": True, "trainer.accelerator": "cpu", "data.num_workers": 0, "data.batch_size": 1'
    exec(code.replace('"trainer.max_epochs": 5', small), names)
    assert names["run"].folder.is_dir()
    assert names["run"].checkpoint is None


@pytest.mark.parametrize("page", having("bash"))
def test_commands_parse(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = commands(write_files(page))
    assert calls
    for command, *options in calls:
        assert command in COMMANDS
        if not any(option.split("/")[0] == "RUN" for option in options):
            prints = [] if "--data.help" in options else ["--print_config"]
            with pytest.raises(SystemExit, match="0"):
                main([command, *options, *prints])
            assert ": " in capsys.readouterr().out  # the configuration, or the help


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_are_valid(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        assert anchor in anchors((page.parent / target) if target else page), (target, anchor)


SMALL = [*QUIET, "--trainer.max_epochs=1", "--data.num_workers=0", "--data.batch_size=2"]


def test_own_parts_train(run: Run) -> None:
    calls = commands(write_files(OWN_PARTS))
    shapes = ["fit", "-c", "configs/experiment/shapes.yaml"]
    own = [option for call in calls if call[:3] == shapes for option in call[3:]]
    assert {"mynet.Tiny", "myloss.Poly1", "mymetric.yaml", "myaugment.yaml"} <= set(own)
    assert {"--trainer.callbacks+=mycallback.StopBelow", "--trainer.logger+=mylogger.TextLogger"} <= set(own)
    few = [f"--data.num_{split}=2" for split in ("train", "val", "test")]
    trained = run(*shapes, *own, *SMALL, *few)
    assert trained.code == 0, trained.err
    assert "AreaError" in trained.out
    assert f"report {trained.folder} --trust mynet\n" in trained.out
    assert "val/AreaError" in trained.out.partition("{")[2]  # TextLogger prints what is logged
    assert Path("val-predictions.png").is_file()

    Path("photos/new").mkdir(parents=True)
    for path in ("photo.jpg", "photos/new/photo.jpg"):
        Image.new("RGB", (40, 30)).save(path)
    names: dict[str, Any] = {}
    for code in blocks(README.read_text(encoding="utf-8"), "python"):
        if '"RUN"' in code:
            exec(code.replace('"RUN"', f'"{trained.folder.as_posix()}", trust="mynet"'), names)
    assert names["probabilities"].shape == (6, 30, 40)
    for call in [*calls, *commands(README.read_text(encoding="utf-8"))]:
        command, *options = (word.replace("RUN", trained.folder.as_posix()) for word in call)
        if call[:2] in (["predict", "RUN"], ["report", "RUN"]):
            assert run(command, *options, "--trust=mynet").code == 0
        elif [command, *options] != call:
            assert run(command, *options, "--print_config").code == 0, call


def test_own_data_set_trains(run: Run) -> None:
    (call,) = [call for call in commands(write_files(OWN_PARTS)) if "mydata.NpzDataModule" in call]
    for split in ("train", "val", "test"):
        (Path("npz") / split).mkdir(parents=True)
        np.savez(Path("npz", split, "a.npz"), image=np.zeros((32, 32, 3), np.uint8), mask=np.eye(32, dtype=np.uint8))
    trained = run(*call, *SMALL, "--model.network.channels=[4,8]")
    assert trained.code == 0, trained.err
    assert "crack" in trained.out


def test_own_parts_take_twenty_lines() -> None:
    own = files(OWN_PARTS.read_text(encoding="utf-8"))
    assert len(own) == 8
    assert all(sum(bool(line.strip()) for line in code.splitlines()) <= 20 for code in own.values())
