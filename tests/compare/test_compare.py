"""`seglit compare` on runs of the command line, against a reference bootstrap, and with runs that do not match."""

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

from tests.conftest import CLASS_NAMES, Outcome, Run, run_in

Folders = tuple[Path, Path]


def compare(run: Run, *folders: Path) -> dict[str, Any]:
    outcome = run("compare", *folders, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content: dict[str, Any] = json.loads(outcome.out)
    return content


def copy(folder: Path, to: Path, edit: Callable[[dict[str, Any]], object] = dict) -> Path:
    """Copies a run and edits its score file."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("pictures"))
    file = to / "scores_test.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    return to


def ious(pixels: dict[str, list[int]]) -> NDArray[np.float64]:
    """IoU per class from pixel counts (correct, target, predicted), nan if undefined."""
    iou = np.full(len(CLASS_NAMES), np.nan)
    for name, (correct, target, predicted) in pixels.items():
        if target + predicted:
            iou[CLASS_NAMES.index(name)] = correct / (target + predicted - correct)
    return iou


def total_ious(images: list[dict[str, list[int]]]) -> NDArray[np.float64]:
    """IoU per class of the summed pixel counts of images."""
    names = {name for image in images for name in image}
    return ious({name: [sum(image.get(name, [0] * 3)[k] for image in images) for k in range(3)] for name in names})


def test_scores_and_intervals_match_the_score_files(run: Run, compared: Folders) -> None:
    learned, idle = (
        {image["name"]: image["pixels"] for image in json.loads((folder / "scores_test.json").read_text())["images"]}
        for folder in compared
    )
    comparison = compare(run, *compared)
    before, after = total_ious([*learned.values()]), total_ious([*idle.values()])
    first, second = comparison["runs"]
    assert first["difference"] is None
    assert (first["miou"], second["miou"]) == pytest.approx((np.nanmean(before), np.nanmean(after)))
    assert second["difference"]["value"] == pytest.approx(np.nanmean(after) - np.nanmean(before))
    for name, *pair in zip(CLASS_NAMES, before, after, strict=True):
        assert [np.nan if value is None else value for value in comparison["classes"][name]["iou"]] == pytest.approx(
            pair, nan_ok=True
        )
    generator = np.random.default_rng(5)
    drawn = [list(generator.choice(sorted(learned), len(learned))) for _ in range(2000)]
    resampled = [
        [np.nanmean(total_ious([images[name] for name in names])) for images in (learned, idle)] for names in drawn
    ]
    ends = np.percentile(np.diff(resampled)[:, 0], [2.5, 97.5])
    np.testing.assert_allclose(second["difference"]["interval"], ends, atol=0.01)
    assert second["difference"]["verdict"] == "lower"
    changes = {name: np.nanmean(ious(idle[name])) - np.nanmean(ious(learned[name])) for name in learned}
    assert {image["name"]: image["change"] for image in comparison["images"]} == pytest.approx(changes)
    sizes = [abs(image["change"]) for image in comparison["images"]]
    assert sizes == sorted(sizes, reverse=True)


def test_a_run_does_not_differ_from_itself(run: Run, compared: Folders) -> None:
    comparison = compare(run, compared[0], compared[0])
    assert comparison["runs"][1]["difference"] == {"value": 0, "interval": [0, 0], "verdict": "no difference shown"}
    assert all(image["change"] == 0 for image in comparison["images"])
    assert comparison["settings"] == {}
    assert "settings and environment are the same" in run("compare", compared[0], compared[0]).out


def test_lists_differing_settings_but_not_run_folders(run: Run, compared: Folders, tmp_path: Path) -> None:
    learned, idle = compared
    other = copy(idle, tmp_path / "other")
    config = (other / "config.yaml").read_text()
    lists = f"splits: {{train: {learned}/splits/train.txt}}\n"  # as `seglit test RUN` keeps those of RUN
    changed = config.replace("# seglit ", "# seglit 9+").replace("splits: null\n", lists)
    assert lists in changed
    (other / "config.yaml").write_text(changed + "verbose: false\n")
    network, lr, environment = ("model.network.channels", "model.optimizer.lr", "environment")
    assert compare(run, learned, idle)["settings"] == {network: [[8, 16], [4, 8]], lr: [0.02, 1e-9]}
    assert compare(run, idle, other)["settings"].keys() == {environment}
    outcome = run("compare", learned, idle)
    assert re.search(r"model\.network\.channels\W+\[8, 16\]\W+\[4, 8\]", outcome.out)


def test_class_paths_and_arguments_have_their_command_line_names(run: Run, compared: Folders, tmp_path: Path) -> None:
    other = copy(compared[0], tmp_path / "other")
    config = yaml.safe_load((other / "config.yaml").read_text())
    config["model"]["criterion"] = {"class_path": "seglit.losses.Lovasz"}
    config["trainer"].update(max_epochs=5, default_root_dir="elsewhere")
    first_line = (compared[0] / "config.yaml").read_text().partition("\n")[0]
    (other / "config.yaml").write_text(f"{first_line}\n{yaml.safe_dump(config)}")
    settings = compare(run, compared[0], other)["settings"]
    assert settings["model.criterion"] == ["seglit.losses.WeightedSum", "seglit.losses.Lovasz"]
    assert settings["model.criterion.weights"] == [[1.0, 1.0], None]
    assert settings["model.criterion.terms.1"] == ["seglit.losses.Dice", None]
    assert settings["trainer.max_epochs"] == [4, 5]
    assert not any("root_dir" in name or name == "environment" for name in settings)


def test_compares_only_shared_images_with_the_same_masks(run: Run, compared: Folders, tmp_path: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        del content["images"][0]
        content["images"][0]["pixels"]["background"][1] += 1
        content["images"][1]["name"] = "new"

    other = copy(compared[0], tmp_path / "other", edit)
    comparison = compare(run, compared[0], other)
    assert comparison["images_compared"] == 9
    assert comparison["left_out"] == {"A": ["00000", "00002"], "B": ["new"], "masks_differ": ["00001"]}
    assert comparison["runs"][1]["difference"]["value"] == 0
    out = run("compare", compared[0], other).out
    assert "left out: 2 images (00000, 00002) of A" in out
    assert "left out: 1 image (00001) whose masks differ" in out


def test_too_few_images_show_no_difference(run: Run, compared: Folders, tmp_path: Path) -> None:
    def keep(content: dict[str, Any]) -> None:
        del content["images"][5:]

    few = copy(compared[1], tmp_path / "few", keep)
    comparison = compare(run, compared[0], few)
    low, high = comparison["runs"][1]["difference"]["interval"]
    assert low <= high < 0
    assert comparison["runs"][1]["difference"]["verdict"] == "no difference shown"
    assert "Too few to show any difference: 5 images." in run("compare", compared[0], few).out


def test_groups_are_compared_not_their_images(run: Run, compared: Folders, tmp_path: Path) -> None:
    def group(content: dict[str, Any]) -> None:
        for index, image in enumerate(content["images"]):
            image["group"] = f"patient{index % 7}"

    def stack(content: dict[str, Any]) -> None:
        for index, image in enumerate(content["images"]):
            image["name"] = f"stack{index // 6}[{index % 6}]"

    by_patient = copy(compared[1], tmp_path / "patients", group)
    comparison = compare(run, compared[0], by_patient)
    learned, idle = (json.loads((folder / "scores_test.json").read_text())["images"] for folder in compared)
    generator = np.random.default_rng(5)
    changes = []
    for _ in range(1000):
        drawn = [index for patient in generator.integers(7, size=7) for index in range(patient, 12, 7)]
        miou = [np.nanmean(total_ious([images[index]["pixels"] for index in drawn])) for images in (learned, idle)]
        changes.append(miou[1] - miou[0])
    difference = comparison["runs"][1]["difference"]
    np.testing.assert_allclose(difference["interval"], np.percentile(changes, [2.5, 97.5]), atol=0.015)
    assert difference["verdict"] == "lower"
    assert "The images are 7 groups, which vary as a whole: slices of a stack, " in " ".join(comparison["notes"])
    assert "paired bootstrap over groups" in comparison["notes"][0]

    stacks = [copy(folder, tmp_path / folder.name, stack) for folder in compared]
    comparison = compare(run, *stacks)
    assert comparison["runs"][1]["difference"]["verdict"] == "no difference shown"
    assert "Too few to show any difference: 2 groups." in comparison["notes"]


def test_one_image_has_no_interval(run: Run, compared: Folders, tmp_path: Path) -> None:
    def keep(content: dict[str, Any]) -> None:
        del content["images"][1:]

    one = copy(compared[1], tmp_path / "one", keep)
    shutil.rmtree(one / "checkpoints")  # no pictures are needed
    comparison = compare(run, compared[0], one)
    assert comparison["runs"][1]["miou_interval"] == comparison["runs"][1]["difference"]["interval"] == [None, None]
    outcome = run("compare", compared[0], one, "--output", "compare.html")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(r"B +│ +0\.\d+ │ +n/a │ +-0\.\d+ │ +n/a │ no difference shown", outcome.out)
    assert "nan" not in (tmp_path / "compare.html").read_text().partition("<h2>Images")[0].partition("<body")[2]


def test_three_runs(run: Run, compared: Folders) -> None:
    learned, idle = compared
    comparison = compare(run, learned, idle, learned)
    assert [compared_run["letter"] for compared_run in comparison["runs"]] == ["A", "B", "C"]
    assert comparison["runs"][2]["difference"]["value"] == 0
    assert comparison["runs"][1] == compare(run, learned, idle)["runs"][1]
    assert all(image["change"] == max(image["miou"]) - min(image["miou"]) for image in comparison["images"])
    assert comparison["settings"]["model.optimizer.lr"] == [0.02, 1e-9, 0.02]
    out = run("compare", learned, idle, learned).out
    assert re.search(r"background\W+[\d.]+\W+[\d.]+ ▼\W+[\d.]+ ", out)


@pytest.fixture(scope="module")
def page(compared: Folders, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("compare")
    outcome = run_in(folder, "compare", *compared, "--output", "pages/compare.html")
    assert outcome.out.endswith("page: pages/compare.html\n")
    return (folder / "pages" / "compare.html").read_text()


def test_page_shows_predictions_of_the_most_changed_images(run: Run, compared: Folders, page: str) -> None:
    changes = compare(run, *compared)["images"]
    lost = sorted((image for image in changes if image["change"] < 0), key=lambda image: image["change"])
    shown = re.findall(r'<div class="row"><p><b>(\w+)</b> ([-+.\d]+)', page)
    assert [(image["name"], f"{image['change']:+.3f}") for image in lost[:8]] == [row for row in shown if "-" in row[1]]
    pictures = re.findall(r'alt="(.*?)" src="(data:image/webp.*?)"', page)
    assert [title for title, _ in pictures[:5]] == ["image", "target", "A", "B", "change"]
    assert len({url for _, url in pictures[:5]}) == 5
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_page_starts_with_settings_and_overlays_curves(page: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", page)[:3] == ["Settings that differ", "Scores", "Curves"]
    for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert {">A</text>", ">B</text>"} <= set(re.findall(r">\w</text>", chart))
    titles = re.findall(r'aria-label="(.*?)">', "".join(re.findall(r"<svg[^>]*>", page)))
    assert titles[:3] == ["train/loss", "val/loss", "val/miou"]
    colors = set(re.findall(r'class="run" style="background: (.*?)"', page))
    swatches = set(re.findall(r'class="swatch" style="background: (.*?)"', page))
    assert len(colors) == 2
    assert not colors & swatches


@pytest.mark.parametrize("missing", ["checkpoint", "data"])
def test_page_without_data_or_checkpoint_states_why_it_has_no_pictures(
    run: Run, compared: Folders, tmp_path: Path, missing: str
) -> None:
    other = copy(compared[1], tmp_path / "other")
    if missing == "checkpoint":
        shutil.rmtree(other / "checkpoints")
    else:
        config = (other / "config.yaml").read_text()
        (other / "config.yaml").write_text(re.sub(r"(?m)^    root: .*", "    root: /nowhere", config))
    outcome = run("compare", compared[0], other, "--output", "compare.html")
    assert outcome.code == 0
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("no pictures: ")]
    assert ("best.ckpt" if missing == "checkpoint" else "/nowhere") in line
    page = (tmp_path / "compare.html").read_text()
    assert line in page
    assert "<img" not in page


def refused(outcome: Outcome) -> str:
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    return line


def test_incomparable_runs_are_one_line(run: Run, compared: Folders, tmp_path: Path) -> None:
    def rename_class(content: dict[str, Any]) -> None:
        content.update(json.loads(json.dumps(content).replace('"star"', '"comet"')))

    def rename_images(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["name"] += "x"

    def remask(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["pixels"]["background"][1] += 1

    learned = compared[0]
    assert "2 to 26 run folders, not 1" in refused(run("compare", learned))
    assert "not given: runs" in refused(run("compare"))
    assert "no such run folder" in refused(run("compare", learned, tmp_path / "none"))
    assert f"did you mean {max(compared)}?" in refused(run("compare", learned, learned.parent))
    other = copy(learned, tmp_path / "a", rename_class)
    assert "lacks 'star' and adds 'comet'" in refused(run("compare", learned, other))
    assert "no images of the same name" in refused(
        run("compare", learned, copy(learned, tmp_path / "b", rename_images))
    )
    assert "different masks" in refused(run("compare", learned, copy(learned, tmp_path / "c", remask)))
    assert "must be an HTML file, such as page.html" in refused(run("compare", learned, learned, "--output", "page"))
