"""The `group` that `inspect` proposes keeps near duplicates in one split."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS, Pair, PairSettings
from seglit.inspect.duplicates import Duplicate
from seglit.inspect.group_proposal import find_series, propose_group
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


def noisy(pixels: npt.NDArray[np.uint8], seed: int, deviation: float) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def disk(video: int) -> npt.NDArray[np.uint8]:
    """A disk and a box on a uniform background, whose patches differ by noise alone."""
    rng = np.random.default_rng(video)
    y, x = np.mgrid[:96, :96]
    pixels = np.full((96, 96, 3), 60, np.uint8)
    row, column, top, left = rng.integers(15, 70, 4)
    pixels[(y - row) ** 2 + (x - column) ** 2 < 150] = 200, 60, 60
    pixels[top : top + 20, left : left + 24] = 60, 60, 200
    return pixels


@pytest.mark.parametrize("scene", [image, disk])
@pytest.mark.parametrize("deviation", [5, 15])
def test_noisy_frames_of_a_scene_are_duplicates_and_others_are_not(
    tmp_path: Path, run: Run, scene: Callable[[int], npt.NDArray[np.uint8]], deviation: float
) -> None:
    for video in range(6):
        for frame in range(3):
            name = f"v{video}_{'abc'[frame]}.png"
            save(noisy(scene(video), 10 * video + frame, deviation), tmp_path / f"data/images/{name}")
            save(np.zeros_like(scene(video)[..., 0]) + (frame % 2), tmp_path / f"data/masks/{name}")
    report = json.loads(run("inspect", "data", "--json", "--workers=1").out)
    (finding,) = [finding for finding in report["findings"] if "duplicate" in finding["code"]]
    assert finding["code"] == "near_duplicate"
    assert {(file, detail) for file, detail in finding["files"]} == {
        (f"images/v{video}_{frame}.png", f"like v{video}_a.png") for video in range(6) for frame in "bc"
    }
    (question,) = [question for question in report["questions"] if "group" in question]
    assert '`group: "^(v[0-9]+)_"` gives 6 groups, which keep 12 of 12 duplicates' in question


def test_images_that_share_only_their_shading_are_no_duplicates(tmp_path: Path, run: Run) -> None:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    shading = np.repeat((150 - 40 * (x**2 + y**2))[..., None], 3, 2).astype(np.uint8)
    for number in range(8):
        save(noisy(shading, number, 20), tmp_path / f"data/images/{number}.png")
        save(np.zeros((96, 96), np.uint8) + number % 2, tmp_path / f"data/masks/{number}.png")
    report = json.loads(run("inspect", "data", "--json", "--workers=1").out)
    assert not [finding for finding in report["findings"] if "duplicate" in finding["code"]]


@pytest.mark.parametrize(
    ("name", "videos", "pattern"),
    [
        ("video{video:02}_{frame:04}", 6, "^(video[0-9]+)_"),
        ("clip{video}/{frame:03}", 6, "^([^/]+)/"),
        ("Seq{video}VD_f{frame}0", 6, "^([^_]+)_"),  # every tenth frame
        ("p{video}_series2_{frame}", 6, "^(p[0-9]+)_"),  # both series of a patient, if there were two
        ("IMG_{frame:04}", 1, None),  # a camera
        ("DSC{frame:04}", 1, None),
        ("{frame}", 1, None),
        ("video{video:02}_{frame:04}", 2, None),  # too few groups
    ],
)
def test_numbers_in_names_propose_a_group_without_duplicates(name: str, videos: int, pattern: str | None) -> None:
    names = [name.format(video=video, frame=frame) for video in range(videos) for frame in range(40)]
    pairs = [Pair(Path(f"{each}.png"), Path(f"{each}.png"), each) for each in names]
    settings = PairSettings("images", "masks", splits={"val": 0.1, "test": 0.2})
    proposal = propose_group(pairs, settings, ())
    assert (proposal and proposal.pattern) == pattern
    assert proposal is None or str(proposal) == "6 groups of consecutively numbered names"


def test_numbers_that_jump_are_no_series() -> None:
    numbers = np.random.default_rng(0).choice(10_000, (5, 40), replace=False)
    assert not find_series(f"{2007 + year}_{number:06}" for year, row in enumerate(numbers) for number in row)  # VOC
    assert not find_series(f"{name}_{number}" for name in ("a", "b", "c") for number in range(4))  # short


def test_a_group_by_names_is_a_note_and_a_comment(tmp_path: Path, run: Run) -> None:
    for number in range(24):
        save(image(number), tmp_path / f"data/images/video{number // 6:02}_{number % 6:04}.png")
        save(mask(number), tmp_path / f"data/masks/video{number // 6:02}_{number % 6:04}.png")
    outcome = run("inspect", "data", "--json", "--write=data.yaml", "--workers=1")
    assert outcome.code == 0, outcome.out
    report = json.loads(outcome.out)
    (finding,) = report["findings"]
    assert (finding["code"], finding["severity"], finding["count"]) == ("numbered_names", "note", 4)
    assert finding["files"][1] == ["images/video01_0000.png", "the first of 6"]
    assert not [question for question in report["questions"] if "group" in question]
    text = (tmp_path / "data.yaml").read_text()
    assert '  # group: "^(video[0-9]+)_" # 4 groups of consecutively numbered names\n' in text
