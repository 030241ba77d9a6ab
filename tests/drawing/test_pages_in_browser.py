"""The pages of inspect, report and compare in Chromium: on a desktop and a phone, in light and dark mode."""

import json
import re
import shutil
import subprocess
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Outcome, run_in
from tests.inspect.folders import image, mask, save, split_folders

SCRIPT = Path(__file__).with_name("pages_in_browser.js")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (1280, 390)
ERRORS = """<script>
    window.errors = [];
    addEventListener("error", (event) => errors.push(event.message));
</script>"""

Seen = dict[tuple[str, int], Any]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="requires Chromium, which is not installed")


def make_pages(folder: Path, trained: Outcome, compared: tuple[Path, Path]) -> dict[str, Path]:
    data = folder / "data"
    split_folders(data, 3, (3, 2, 1))
    for number, size in ((50, (64, 48)), (51, (20, 90))):
        save(image(number).repeat(2, 0)[: size[0], : size[1]], data / f"images/train/{number}.png")
        save(mask(number, 3).repeat(2, 0)[: size[0], : size[1]], data / f"masks/train/{number}.png")
    (data / "images/train/000.png").write_bytes(b"truncated")
    (data / "masks/train/001.png").unlink()
    assert run_in(folder, "inspect", "data", "--report", "of_data", "--workers=1").code == 1
    assert run_in(folder, "report", trained.folder, "--output", "of_run.html").code == 0
    assert run_in(folder, "compare", *compared, "--output", "of_runs.html").code == 0
    names = {"inspect": "of_data/index.html", "report": "of_run.html", "compare": "of_runs.html"}
    return {page: folder / name for page, name in names.items()}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, trained: Outcome, compared: tuple[Path, Path]) -> Seen:
    """What the script saw, by page and width; all of it in one start of the browser."""
    folder = tmp_path_factory.mktemp("pages")
    pages = make_pages(folder, trained, compared)
    for page, path in pages.items():
        (folder / f"{page}.html").write_text(path.read_text().replace("<head>", f"<head>{ERRORS}"))
    frames = [
        f'<iframe data-page="{page}" src="{page}.html" style="border: 0; height: 800px; width: {width}px"></iframe>'
        for page, width in product(pages, WIDTHS)
    ]
    document = folder / "frames.html"
    document.write_text(f"<!doctype html><body>{''.join(frames)}<script>{SCRIPT.read_text()}</script>")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--allow-file-access-from-files", "--dump-dom"]
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [str(BROWSER), *options, profile, document.as_uri()]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    found = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    assert found, done.stderr
    return {(one["page"], one["width"]): one for one in json.loads(unescape(found[1]))}


def test_pages_fit_without_errors(seen: Seen) -> None:
    assert set(seen) == set(product(("inspect", "report", "compare"), WIDTHS))
    assert {key: one["scrollWidth"] for key, one in seen.items() if one["scrollWidth"] > key[1]} == {}
    assert {key: one["errors"] for key, one in seen.items() if one["errors"]} == {}


def test_text_is_readable_in_both_colour_schemes(seen: Seen) -> None:
    low = {
        (*key, scheme, text): round(ratio, 2)
        for key, one in seen.items()
        for part in (one["contrast"], one["viewer"]["contrast"])
        for scheme, (ratio, text) in part.items()
        if ratio < 4.5
    }
    assert low == {}


def test_viewer_opens_zooms_fades_and_steps(seen: Seen) -> None:
    for key, one in seen.items():
        viewer = one["viewer"]
        assert all(viewer[name] for name in ("open", "focusInside", "fits", "zoomed", "stays", "closed")), key
        assert viewer["images"] == 2
        assert viewer["opacity"] == pytest.approx([0.25, 0.8])
        assert viewer["fitted"] == "100 %"
        assert viewer["next"] != viewer["name"] == viewer["back"]


def test_filters_hide_pictures(seen: Seen) -> None:
    for (page, _), one in seen.items():
        assert set(one["filters"]) == ({"class", "finding"} if page == "inspect" else {"class"})
        for name, choice in one["filters"].items():
            assert choice["wrong"] == 0
            assert choice["restored"] == choice["all"] >= choice["shown"]
            assert choice["said"] == f"{choice['shown']} of {choice['all']} pictures"
            assert choice["hash"].startswith(f"#{name}=")
    finding = seen["inspect", 390]["filters"]["finding"]
    assert 0 < finding["shown"] < finding["all"]


def test_tables_are_sorted_by_a_click(seen: Seen) -> None:
    for page in ("report", "compare"):
        falling, rising = seen[page, 1280]["sorted"]
        assert falling == sorted(falling, reverse=True)
        assert rising == sorted(rising)
        assert len(set(rising)) > 1
