"""The `group` that `inspect` proposes keeps near duplicates in one split."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS
from tests.conftest import Run
from tests.inspect.folders import image, mask, save


def videos(root: Path, name: str, count: int = 6) -> dict[str, int]:
    """Videos of three frames that are nearly the same; returns the video of each name."""
    numbers = {}
    for video in range(count):
        for frame in range(3):
            path = name.format(video=video, frame=frame)
            numbers[path] = video
            save((image(video) * (1 - 0.01 * frame)).astype(np.uint8), root / f"images/{path}.png")
            save(mask(video), root / f"masks/{path}.png")
    return numbers


def questions(run: Run) -> list[str]:
    """The question about groups, if there is one."""
    outcome = run("inspect", "data", "--json", "--write=data.yaml", "--workers=1")
    assert outcome.code == 1, outcome.err  # near duplicates that are split at random are an error
    return [question for question in json.loads(outcome.out)["questions"] if "group" in question]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("video{video:02}_frame{frame:04}", "^(video[0-9]+)_"),
        ("{video}x/frame{frame}", "^([^/]+)/"),
        ("set_a{video}b_{frame}", "^([^_]+_[^_]+)_"),
        ("2020-{video}-{frame}", "^([^-]+-[^-]+)-"),
        ("2020.{video}.{frame}", "^([^.]+[.][^.]+)[.]"),
        ("clip{video}at{frame}", "^(.*[^0-9])[0-9]+$"),
    ],
)
def test_group_of_names_that_share_a_part(name: str, pattern: str, tmp_path: Path, run: Run) -> None:
    numbers = videos(tmp_path / "data", name)
    (question,) = questions(run)
    assert f"`group: {json.dumps(pattern)}` gives 6 groups, which keep 12 of 12 duplicates" in question

    text = (tmp_path / "data.yaml").read_text()
    assert "group" not in yaml.safe_load(text)["init_args"]
    settings = yaml.safe_load(text.replace("  # group:", "  group:"))["init_args"]
    assert settings["group"] == pattern
    del settings["augment"]
    data = FolderDataModule(**settings, num_workers=0)
    split = [{numbers[pair.name] for pair in data.dataset(split).pairs} for split in SPLITS]
    assert sum(map(len, split)) == 6  # no video is in two splits


@pytest.mark.parametrize(
    ("name", "count"),
    [("{frame}_of{video}", 6), ("v{video}_{frame}", 2)],  # names that divide the duplicates, and too few groups
)
def test_no_group_that_does_not_keep_them_together(name: str, count: int, tmp_path: Path, run: Run) -> None:
    videos(tmp_path / "data", name, count)
    assert questions(run) == []
    assert "group:" not in (tmp_path / "data.yaml").read_text()
