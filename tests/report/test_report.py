"""`seglit report`: the page matches the score file, is self-contained, and is written even if files are missing."""

import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from msgspec.structs import replace

from seglit.callbacks import RunRecord
from seglit.exported.description import Description, Proof, ScoreProof, SizeProof
from seglit.runs.checkpoint import RECORD_KEY, read_checkpoint
from seglit.runs.training import Training
from tests.conftest import CLASS_NAMES, Outcome, Run, run_in

VOID_TAGS = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """A parsed page: table rows, text, URLs and ids; checks that every tag is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_TAGS:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.addresses += [value for name in ("src", "href", "srcset", "data") if (value := named.get(name))]
        self.ids += [value] if (value := named.get("id")) else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data.strip()

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == first)


def scores(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "scores_test.json").read_text())
    return content


def report(folder: Path, run: Run) -> Path:
    assert run("report", folder).code == 0
    return folder / "report.html"


@pytest.fixture
def copied(trained: Outcome, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "copied"))


@pytest.fixture(scope="module")
def page(trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    outcome = run_in(folder, "report", trained.folder, "--output", "pages/mine.html")
    assert (outcome.code, outcome.out, outcome.err) == (0, "report: pages/mine.html\n", "")
    return folder / "pages" / "mine.html"


def test_exported_files_are_shown(trained: Outcome, copied: Path, run: Run) -> None:
    sizes = [SizeProof(64, 96, 4, 1.0, 1e-6), SizeProof(97, 131, 4, 0.9995, 2e-5), SizeProof(32, 32, 4, 1.0, 1e-6)]
    proof = Proof(sizes, ScoreProof(3, 0.512, 0.514), "a note", 0.999, 0.001, "ONNX Runtime 1.0", 0.0123)
    record = read_checkpoint(trained.folder / "checkpoints/best.ckpt")[RECORD_KEY]
    description = Description("image", "mask", "uint8", None, "float32", 100, record, {}, proof)
    best = hashlib.sha256((copied / "checkpoints/best.ckpt").read_bytes()).hexdigest()
    (copied / "export").mkdir()
    digests = {"float32.onnx": best, "deleted.onnx": best, "older.onnx": "0" * 64, "unknown.onnx": ""}
    for name, digest in digests.items():
        (copied / f"export/{name}.json").write_text(replace(description, checkpoint=digest).to_json())
    for name in ("float32.onnx", "older.onnx", "unknown.onnx"):
        (copied / "export" / name).write_bytes(bytes(1_230_000))
    assert run("report", copied).code == 0
    page = Page(copied / "report.html")
    expected = ["1.23", "12.3 at 32 × 32", "99.950 % at 97 × 131", "2.0e-05", "0.514", "0.512", "ONNX Runtime 1.0"]
    assert page.row("float32.onnx") == ["float32.onnx", "float32", *expected]
    assert "float32.onnx: a note" in page.text
    assert "older.onnx: a note; not of the checkpoint that was tested here; export it again" in page.text
    assert page.text.count("not of the checkpoint") == 1
    assert "deleted.onnx" not in page.text


def test_numbers_match_the_score_file(trained: Outcome, page: Path) -> None:
    content, shown = scores(trained.folder), Page(page)
    for name in ("miou", "miou_low", "miou_high", "pixel_accuracy", "dice", "fwiou", "boundary_f1", "ece"):
        assert f"{content['scores'][name]:.3f}" in shown.text
    columns = ["iou", None, "dice", "precision", "recall", "boundary_iou", "boundary_f1"]
    for name, values in content["classes"].items():
        for column, cell in zip(columns, shown.row(name)[1:], strict=False):
            if column:
                value = values[column]
                assert cell == ("n/a" if value is None else f"{value:.3f}")
    for image in content["images"]:
        assert shown.row(image["name"]) == [image["name"], f"{image['miou']:.3f}", f"{image['pixel_accuracy']:.3f}"]
    matrix = [row for row in shown.rows if row and row[0] in CLASS_NAMES and len(row) == 1 + len(CLASS_NAMES)]
    for row, counts in zip(matrix, content["confusion"], strict=True):
        shares = [count / sum(counts) if sum(counts) else 0 for count in counts]
        assert row[1:] == [f"{100 * share:.0f}" if share >= 0.005 else "" for share in shares]
    for word in ("Loss", "Validation", "Reliability", "mIoU by object size", "mIoU by distance to the boundary"):
        assert word in shown.text
    assert f"{content['cost']['parameters']:,} parameters" in shown.text
    assert "class_path: seglit.data.FolderDataModule" in shown.text


def test_missing_intervals_are_not_drawn(copied: Path, run: Run) -> None:
    shutil.rmtree(copied / "checkpoints")  # no pictures are needed
    content = scores(copied)
    assert "resamples of the 3 images; so few give too narrow intervals" in Page(report(copied, run)).text
    for image in content["images"]:
        image["group"] = "patient"
    for values, name in ((content["scores"], "miou"), (content["classes"]["disk"], "iou")):
        values[f"{name}_low"] = values[f"{name}_high"] = None
    (copied / "scores_test.json").write_text(json.dumps(content))
    shown = Page(report(copied, run))
    assert "95 %: n/a, as 1 group of 3 images" in shown.text
    assert "with other test images" not in shown.text
    assert shown.row("mean")[2] == shown.row("disk")[2] == "n/a"
    assert shown.row("background")[2] == ""


def test_head_names_what_was_trained(trained: Outcome, page: Path) -> None:
    training = json.loads((trained.folder / "training.json").read_text())
    assert (training["epochs"], training["device"]) == (2, "1 x CPU")
    assert 0 < training["seconds"] < 600
    head = Page(page).text.partition("mean IoU")[0]
    parameters = f"UNet, {scores(trained.folder)['cost']['parameters']:,} parameters"
    facts = {"Network": parameters, "Data": "FolderDataModule, shapes", "Crop": "none, whole images"}
    facts |= {"Epochs": "2 of at most 2", "Device": "1 x CPU"}
    for title, fact in facts.items():
        assert f"{title}{fact}" in head
    assert re.search(r"Training time(\d+ min )?\d+ s", head)


def test_resumed_training_adds_its_time(tmp_path: Path) -> None:
    Training(3, 1000.0, "1 x CPU").write(tmp_path)
    record, module = RunRecord({}, mock.Mock()), mock.Mock(device=torch.device("cpu"))
    trainer = mock.Mock(is_global_zero=True, world_size=2, current_epoch=4, default_root_dir=tmp_path / "new")
    (tmp_path / "new").mkdir()
    for ckpt_path, seconds in ((tmp_path / "checkpoints/last.ckpt", 1000), (None, 0)):
        trainer.ckpt_path = ckpt_path
        record.on_fit_start(trainer, module)
        record.on_train_epoch_end(trainer, module)
        written = Training.read(tmp_path / "new")
        assert written is not None
        assert (written.epochs, written.device) == (5, "2 x CPU")
        assert seconds <= written.seconds < seconds + 60


def test_page_is_self_contained_and_small(page: Path) -> None:
    shown, text = Page(page), page.read_text()
    pictures = [address for address in shown.addresses if not address.startswith("#")]
    assert len(pictures) >= 3 * 4 + 3  # three images, and at least one crop
    assert all(address.startswith("data:image/webp;base64,") for address in pictures)
    anchors = [address[1:] for address in shown.addresses if address.startswith("#")]
    assert set(anchors) <= set(shown.ids)
    assert len(set(shown.ids)) == len(shown.ids)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert len(text) < 1_000_000


def test_tables_are_sortable(page: Path) -> None:
    text = page.read_text()
    assert "aria-sort" in text
    assert len(re.findall(r'<th scope="col"[^>]*><button type="button">', text)) > 8
    assert "color-scheme: light dark" in text


def test_confused_pairs_stop_where_they_cost_nothing(copied: Path, run: Run) -> None:
    content = scores(copied)
    pair = {"target": "disk", "prediction": "box", "pixels": 987_654, "share": 0.1, "regions": []}
    content["confusions"] = [{**pair, "cost": 0.2}, {**pair, "cost": 0.0004, "pixels": 123_456}]
    (copied / "scores_test.json").write_text(json.dumps(content))
    shutil.rmtree(copied / "checkpoints")  # no pictures are needed
    assert run("report", copied).code == 0
    text = Page(copied / "report.html").text
    assert "987,654 pixels" in text
    assert "123,456 pixels" not in text


def test_names_are_escaped_and_their_control_characters_visible(copied: Path, run: Run) -> None:
    file = copied / "scores_test.json"
    renamed = file.read_text().replace('"star"', '"<b>&\'star"').replace('"00001"', '"<script>&1"')
    renamed = renamed.replace('"line"', r'"l\u202eine\u0007"')
    file.write_text(renamed)
    outcome = run("report", copied)
    assert outcome.code == 0
    text = (copied / "report.html").read_text()
    assert "<b>&'star" not in text
    assert "<script>&" not in text
    assert r"l\u202eine\x07" in text
    assert not {"\u202e", "\x07"} & set(text)
    shown = Page(copied / "report.html")
    assert shown.row("<b>&'star")
    assert shown.row("<script>&1")
    assert "no longer has the image <script>&1" in outcome.err


@pytest.mark.parametrize("missing", ["checkpoint", "data", "curves"])
def test_reports_what_is_missing(missing: str, copied: Path, run: Run, shapes: Path) -> None:
    if missing == "checkpoint":
        (copied / "checkpoints" / "best.ckpt").unlink()
    elif missing == "data":
        config = copied / "config.yaml"
        config.write_text(config.read_text().replace(f"root: {shapes}", "root: /nowhere"))
    else:
        (copied / "metrics.csv").unlink()
    outcome = run("report", copied)
    assert outcome.code == 0
    assert outcome.out == f"report: {copied / 'report.html'}\n"
    shown = Page(copied / "report.html")
    assert f"{scores(copied)['scores']['miou']:.3f}" in shown.text
    if missing == "curves":
        assert "No learning curves" in shown.text
        return
    (line,) = outcome.err.splitlines()
    assert line.startswith("not shown: no picture")
    assert line.removeprefix("not shown: ") in shown.text
    assert all(address.startswith("#") for address in shown.addresses)


def test_separate_test_run_shows_the_learning_curves_of_the_training(
    trained: Outcome, run: Run, tmp_path: Path
) -> None:
    best = trained.folder / "checkpoints" / "best.ckpt"
    assert (
        run("test", "-c", trained.folder / "config.yaml", "--ckpt_path", best, "--trainer.default_root_dir=.").code == 0
    )
    outcome = run("report", "mine")
    assert outcome.code == 2
    folder = outcome.err.partition("did you mean ")[2].strip().rstrip("?")
    assert run("report", folder, "--output", "page.html").code == 0
    assert {"Loss", "Validation"} <= set(Page(tmp_path / "page.html").text.split())


def test_folder_without_a_test_is_one_line(run: Run, tmp_path: Path) -> None:
    for name in ("nowhere", tmp_path):
        outcome = run("report", name)
        assert (outcome.code, outcome.out) == (2, "")
        assert len(outcome.err.splitlines()) == 1
        assert str(name) in outcome.err


def test_outdated_score_file_is_one_line(copied: Path, run: Run) -> None:
    content = scores(copied)
    del content["cost"]
    (copied / "scores_test.json").write_text(json.dumps(content))
    outcome = run("report", copied)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"seglit: error: {copied}: scores_test.json is corrupt or from another seglit (Object missing required field "
        "`cost`); `seglit test` writes it again\n"
    )


REGION = {"image": "a", "target": "zz", "prediction": "zz", "box": [0, 0, 1, 1], "pixels": 1, "confidence": 0.5}
EDITS: dict[str, tuple[Any, str]] = {
    "an unknown class": (lambda file: file["images"][0]["pixels"].update(nope=[1, 1, 1]), "names the class 'nope'"),
    "a small confusion matrix": (lambda file: file.update(confusion=[[1]]), "its confusion matrix is not of"),
    "a missing score": (lambda file: file["scores"].pop("miou"), "has no score 'miou'"),
    "too many pixels": (lambda file: file["confusion"][0].__setitem__(0, 10**30), "negative or too large"),
    "negative pixels": (lambda file: file["confusion"][0].__setitem__(0, -1), "negative or too large"),
    "an unknown region": (lambda file: file["label_errors"].append(REGION), "names the class 'zz'"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("command", ["report", "compare"])
def test_inconsistent_score_files_are_one_line(copied: Path, run: Run, command: str, edit: str) -> None:
    content = scores(copied)
    change, words = EDITS[edit]
    change(content)
    (copied / "scores_test.json").write_text(json.dumps(content))
    outcome = run(command, copied, *([copied] if command == "compare" else []))
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
