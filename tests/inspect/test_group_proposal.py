"""The `group` that `inspect` proposes keeps near duplicates in one split."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS, Pair, PairSettings
from seglit.inspect.duplicates import Duplicate
from seglit.inspect.group_proposal import propose_group
from tests.conftest import Run
from tests.inspect.folders import image, mask, save


def videos(root: Path, name: str) -> dict[str, int]:
    """Six videos of three frames that are nearly the same; returns the video of each name."""
    numbers = {}
    for video in range(6):
        for frame in range(3):
            path = name.format(video=video, frame=frame)
            numbers[path] = video
            save((image(video) * (1 - 0.01 * frame)).astype(np.uint8), root / f"images/{path}.png")
            save(mask(video), root / f"masks/{path}.png")
    return numbers


def test_proposal_in_the_configuration_keeps_videos_together(tmp_path: Path, run: Run) -> None:
    numbers = videos(tmp_path / "data", "video{video:02}_frame{frame:04}")
    outcome = run("inspect", "data", "--json", "--write=data.yaml", "--workers=1")
    assert outcome.code == 1, outcome.err  # near duplicates that are split at random are an error
    (question,) = [question for question in json.loads(outcome.out)["questions"] if "group" in question]
    assert '`group: "^(video[0-9]+)_"` gives 6 groups, which keep 12 of 12 duplicates' in question

    text = (tmp_path / "data.yaml").read_text()
    assert "group" not in yaml.safe_load(text)["init_args"]
    settings = yaml.safe_load(text.replace("  # group:", "  group:"))["init_args"]
    assert settings["group"] == "^(video[0-9]+)_"
    del settings["augment"]
    data = FolderDataModule(**settings, num_workers=0)
    split = [{numbers[pair.name] for pair in data.dataset(split).pairs} for split in SPLITS]
    assert sum(map(len, split)) == 6  # no video is in two splits


@pytest.mark.parametrize(
    ("name", "count", "pattern"),
    [
        ("{video}x/frame{frame}", 6, "^([^/]+)/"),
        ("set_a{video}b_{frame}", 6, "^([^_]+_[^_]+)_"),
        ("2020-{video}-{frame}", 6, "^([^-]+-[^-]+)-"),
        ("2020.{video}.{frame}", 6, "^([^.]+[.][^.]+)[.]"),
        ("clip{video}at{frame}", 6, "^(.*[^0-9])[0-9]+$"),
        ("{frame}_of{video}", 6, None),  # all that names share divides the duplicates
        ("v{video}_{frame}", 2, None),  # too few groups
    ],
)
def test_part_of_the_names_that_duplicates_share(name: str, count: int, pattern: str | None) -> None:
    names = [[name.format(video=video, frame=frame) for frame in range(3)] for video in range(count)]
    frames = [[Pair(Path(f"{each}.png"), Path(f"{each}.png"), each) for each in video] for video in names]
    duplicates = [Duplicate(first, copy, exact=False) for first, *copies in frames for copy in copies]
    settings = PairSettings("images", "masks", splits={"val": 0.1, "test": 0.2})
    proposal = propose_group([pair for video in frames for pair in video], settings, duplicates)
    assert (proposal and proposal.pattern) == pattern
    divided = PairSettings("images", "masks", splits={"train": "train.txt", "val": "val.txt"})
    assert propose_group([pair for video in frames for pair in video], divided, duplicates) is None
