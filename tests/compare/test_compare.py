"""`seglit compare` on runs of the command line: against a resampling image by image, and what it does not compare."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from tests.conftest import CLASS_NAMES, Outcome, Run

Folders = tuple[Path, Path]


def compare(run: Run, *folders: Path) -> dict[str, Any]:
    outcome = run("compare", *folders, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content: dict[str, Any] = json.loads(outcome.out)
    return content


def copy(folder: Path, to: Path, edit: Callable[[dict[str, Any]], object] = dict) -> Path:
    """A copy of a run whose score file is edited."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("pictures"))
    file = to / "scores_test.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    return to


def ious(pixels: dict[str, list[int]]) -> NDArray[np.float64]:
    """IoU of each class from counts (right, target, predicted), nan where it is not."""
    found = np.full(len(CLASS_NAMES), np.nan)
    for name, (right, target, predicted) in pixels.items():
        if target + predicted:
            found[CLASS_NAMES.index(name)] = right / (target + predicted - right)
    return found


def together(images: list[dict[str, list[int]]]) -> NDArray[np.float64]:
    names = {name for each in images for name in each}
    return ious({name: [sum(each.get(name, [0] * 3)[k] for each in images) for k in range(3)] for name in names})


def test_scores_and_intervals_are_those_of_both_score_files(run: Run, compared: Folders) -> None:
    learned, idle = (
        {image["name"]: image["pixels"] for image in json.loads((folder / "scores_test.json").read_text())["images"]}
        for folder in compared
    )
    found = compare(run, *compared)
    before, after = together([*learned.values()]), together([*idle.values()])
    first, second = found["runs"]
    assert first["difference"] is None
    assert (first["miou"], second["miou"]) == pytest.approx((np.nanmean(before), np.nanmean(after)))
    assert second["difference"]["value"] == pytest.approx(np.nanmean(after) - np.nanmean(before))
    for name, *pair in zip(CLASS_NAMES, before, after, strict=True):
        assert [np.nan if each is None else each for each in found["classes"][name]["iou"]] == pytest.approx(
            pair, nan_ok=True
        )
    generator = np.random.default_rng(5)
    drawn = [list(generator.choice(sorted(learned), len(learned))) for _ in range(2000)]
    resampled = [
        [np.nanmean(together([images[name] for name in names])) for images in (learned, idle)] for names in drawn
    ]
    ends = np.percentile(np.diff(resampled)[:, 0], [2.5, 97.5])
    np.testing.assert_allclose(second["difference"]["interval"], ends, atol=0.01)
    assert second["difference"]["verdict"] == "lower"
    changes = {name: np.nanmean(ious(idle[name])) - np.nanmean(ious(learned[name])) for name in learned}
    assert {each["name"]: each["change"] for each in found["images"]} == pytest.approx(changes)
    sizes = [abs(each["change"]) for each in found["images"]]
    assert sizes == sorted(sizes, reverse=True)


def test_a_run_does_not_differ_from_itself(run: Run, compared: Folders) -> None:
    found = compare(run, compared[0], compared[0])
    assert found["runs"][1]["difference"] == {"value": 0, "interval": [0, 0], "verdict": "no difference shown"}
    assert all(each["change"] == 0 for each in found["images"])
    assert found["settings"] == {}
    assert "settings and environment are the same" in run("compare", compared[0], compared[0]).out


def test_settings_that_differ_are_listed_and_a_run_s_own_places_are_not(
    run: Run, compared: Folders, tmp_path: Path
) -> None:
    learned, idle = compared
    other = copy(idle, tmp_path / "other")
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("# seglit ", "# seglit 9+"))
    network, lr, environment = ("model.network.channels", "model.optimizer.lr", "environment")
    assert compare(run, learned, idle)["settings"] == {network: [[8, 16], [4, 8]], lr: [0.02, 1e-9]}
    assert compare(run, idle, other)["settings"].keys() == {environment}
    outcome = run("compare", learned, idle)
    assert re.search(r"model\.network\.channels\W+\[8, 16\]\W+\[4, 8\]", outcome.out)


def test_a_class_and_its_arguments_are_settings_under_their_names_on_the_command_line(
    run: Run, compared: Folders, tmp_path: Path
) -> None:
    other = copy(compared[0], tmp_path / "other")
    config = yaml.safe_load((other / "config.yaml").read_text())
    config["model"]["criterion"] = {"class_path": "seglit.losses.Lovasz"}
    config["trainer"].update(max_epochs=5, default_root_dir="elsewhere")
    first_line = (compared[0] / "config.yaml").read_text().partition("\n")[0]
    (other / "config.yaml").write_text(f"{first_line}\n{yaml.safe_dump(config)}")
    found = compare(run, compared[0], other)["settings"]
    assert found["model.criterion"] == ["seglit.losses.WeightedSum", "seglit.losses.Lovasz"]
    assert found["model.criterion.weights"] == [[1.0, 1.0], None]
    assert found["model.criterion.terms.1"] == ["seglit.losses.Dice", None]
    assert found["trainer.max_epochs"] == [4, 5]
    assert not any("root_dir" in name or name == "environment" for name in found)


def test_only_images_of_all_runs_with_the_same_masks_are_compared(run: Run, compared: Folders, tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        del content["images"][0]
        content["images"][0]["pixels"]["background"][1] += 1
        content["images"][1]["name"] = "new"

    other = copy(compared[0], tmp_path / "other", edit)
    found = compare(run, compared[0], other)
    assert found["images_compared"] == 9
    assert found["left_out"] == {"A": ["00000", "00002"], "B": ["new"], "masks_differ": ["00001"]}
    assert found["runs"][1]["difference"]["value"] == 0
    out = run("compare", compared[0], other).out
    assert "left out: 2 images (00000, 00002) of A" in out
    assert "left out: 1 image (00001) whose masks differ" in out


def test_a_few_images_show_no_difference(run: Run, compared: Folders, tmp_path: Path) -> None:
    def keep(content: dict[str, Any]) -> None:
        del content["images"][5:]

    few = copy(compared[1], tmp_path / "few", keep)
    found = compare(run, compared[0], few)
    low, high = found["runs"][1]["difference"]["interval"]
    assert low <= high < 0
    assert found["runs"][1]["difference"]["verdict"] == "no difference shown"
    assert "5 images are too few" in run("compare", compared[0], few).out


def test_three_runs_are_a_table(run: Run, compared: Folders) -> None:
    learned, idle = compared
    found = compare(run, learned, idle, learned)
    assert [each["letter"] for each in found["runs"]] == ["A", "B", "C"]
    assert found["runs"][2]["difference"]["value"] == 0
    assert found["runs"][1] == compare(run, learned, idle)["runs"][1]
    assert all(each["change"] == max(each["miou"]) - min(each["miou"]) for each in found["images"])
    assert found["settings"]["model.optimizer.lr"] == [0.02, 1e-9, 0.02]
    out = run("compare", learned, idle, learned).out
    assert re.search(r"background\W+[\d.]+\W+[\d.]+ ▼\W+[\d.]+ ", out)


def test_the_page_shows_the_largest_changes_as_every_run_predicts_them(
    run: Run, compared: Folders, tmp_path: Path
) -> None:
    outcome = run("compare", *compared, "--output", "pages/compare.html")
    page = (tmp_path / "pages" / "compare.html").read_text()
    assert outcome.out.endswith("page: pages/compare.html\n")
    changes = compare(run, *compared)["images"]
    lost = sorted((each for each in changes if each["change"] < 0), key=lambda each: each["change"])
    shown = re.findall(r'<div class="row"><p><b>(\w+)</b> ([-+.\d]+)', page)
    assert [(each["name"], f"{each['change']:+.3f}") for each in lost[:8]] == [each for each in shown if "-" in each[1]]
    pictures = re.findall(r'alt="(.*?)" src="(data:image/webp.*?)"', page)
    assert [what for what, _ in pictures[:5]] == ["image", "target", "A", "B", "change"]
    assert len({address for _, address in pictures[:5]}) == 5
    assert not re.search(r'(src|href)="(?!data:)', page)


@pytest.mark.parametrize("gone", ["checkpoint", "data"])
def test_without_data_or_checkpoint_the_page_has_no_pictures_and_says_so(
    run: Run, compared: Folders, tmp_path: Path, gone: str
) -> None:
    other = copy(compared[1], tmp_path / "other")
    if gone == "checkpoint":
        shutil.rmtree(other / "checkpoints")
    else:
        config = (other / "config.yaml").read_text()
        (other / "config.yaml").write_text(re.sub(r"(?m)^    root: .*", "    root: /nowhere", config))
    outcome = run("compare", compared[0], other, "--output", "compare.html")
    assert outcome.code == 0
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("no pictures: ")]
    assert ("best.ckpt" if gone == "checkpoint" else "/nowhere") in line
    page = (tmp_path / "compare.html").read_text()
    assert line in page
    assert "<img" not in page


def refused(outcome: Outcome) -> str:
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    return line


def test_what_cannot_be_compared_is_one_line(run: Run, compared: Folders, tmp_path: Path) -> None:
    def rename_class(content: dict[str, Any]) -> None:
        content["classes"]["comet"] = content["classes"].pop("star")
        content["images"] = []

    def rename_images(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["name"] += "x"

    def remask(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["pixels"]["background"][1] += 1

    learned = compared[0]
    assert "2 to 26 run folders, not 1" in refused(run("compare", learned))
    assert "not set: runs" in refused(run("compare"))
    assert "no such run folder" in refused(run("compare", learned, tmp_path / "none"))
    assert f"did you mean {max(compared)}?" in refused(run("compare", learned, learned.parent))
    other = copy(learned, tmp_path / "a", rename_class)
    assert "lacks 'star' and adds 'comet'" in refused(run("compare", learned, other))
    assert "no image of one name" in refused(run("compare", learned, copy(learned, tmp_path / "b", rename_images)))
    assert "other masks" in refused(run("compare", learned, copy(learned, tmp_path / "c", remask)))
    assert "name it page.html" in refused(run("compare", learned, learned, "--output", "page"))
