"""Bundles: their files, their model card, and the Hugging Face Hub, by its offline cache and a stand-in for its API."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import yaml
from msgspec.structs import replace
from PIL import Image
from safetensors import safe_open

import seglit
from seglit.errors import InputError
from seglit.export.model_card import model_card
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord, read_checkpoint
from seglit.runs.scores import SavedScores
from tests.conftest import CLASS_NAMES, Outcome, Run, run_in
from tests.export.checkpoints import export, picture, write_checkpoint


@pytest.fixture(scope="module")
def bundle(trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    outcome = run_in(folder, "export", trained.folder, "--format=bundle", "--output=mine")
    assert outcome.code == 0, outcome.err
    return folder / "mine"


def test_bundle_predicts_as_its_run(trained: Outcome, bundle: Path, run: Run, tmp_path: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == ["README.md", "model.json", "model.safetensors"]
    with safe_open(bundle / "model.safetensors", "np") as weights:
        assert all(name.partition(".")[0] in ("encoder", "decoder", "head") for name in weights.keys())  # noqa: SIM118
    Image.fromarray(picture(45, 37)).save(tmp_path / "a.png")
    for name, model in (("run", trained.folder), ("bundle", bundle)):
        assert run("predict", model, "a.png", "--output", name).code == 0
    ours, theirs = (np.array(Image.open(tmp_path / name / "masks/a.png")) for name in ("bundle", "run"))
    assert np.array_equal(ours, theirs)


def test_bundle_resizes_as_its_run(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8], resize=0.5)
    bundle = seglit.load(export(tmp_path, checkpoint, "--format=bundle", name="mine"))
    sizes: list[tuple[int, ...]] = []
    bundle.network.register_forward_pre_hook(lambda _, args: sizes.append(tuple(args[0].shape[2:])))
    image = picture(40, 56)
    assert np.array_equal(bundle(image), seglit.load(checkpoint)(image))
    assert sizes == [(20, 28)]


def test_card_states_data_scores_and_training(trained: Outcome, bundle: Path, shapes: Path) -> None:
    text = (bundle / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["pipeline_tag"] == "image-segmentation"
    scores = json.loads((trained.folder / "scores_test.json").read_text())
    assert "images: train 5, val 3, test 3" in body
    assert f"mean IoU {scores['scores']['miou']:.1%}, 95 % interval {scores['scores']['miou_low']:.1%}" in body
    assert all(f"| {name} | " in body for name in CLASS_NAMES)
    assert "bootstrap resamples of the 3 images; so few give too narrow intervals." in body
    assert "torch.optim.AdamW(lr=0.01" in body
    worst = min(scores["images"], key=lambda image: image["miou"])
    assert f"- {worst['name']}: {worst['miou']:.1%}" in body
    assert "of the weights: not stated: fill in" in body
    assert str(shapes.parent) not in text


def test_card_without_intervals(trained: Outcome) -> None:
    saved = SavedScores.read(trained.folder)
    line = replace(saved.classes["line"], iou_low=None, iou_high=None)
    saved = replace(
        saved,
        scores={**saved.scores, "miou_low": None, "miou_high": None},
        classes={**saved.classes, "line": line},
        images=[replace(image, group="patient") for image in saved.images],
    )
    record = ModelRecord.from_dict(read_checkpoint(trained.folder / "checkpoints/best.ckpt")[RECORD_KEY])
    card = model_card("mine", record, {}, "", None, saved, None)
    assert f"mean IoU {saved.scores['miou']:.1%}, 95 % interval n/a" in card
    assert f"| line | {line.iou:.1%} | n/a |" in card
    assert "95 %: n/a, as 1 group of 3 images" in card


def test_damaged_bundle_is_one_line(bundle: Path, tmp_path: Path) -> None:
    for name, content in (
        ("model.safetensors", b"x"),
        ("model.json", b'{"network": 1, "labels": 2}'),
        ("model.json", b"{{"),
    ):
        broken = tmp_path / str(len(content))
        shutil.copytree(bundle, broken)
        (broken / name).write_bytes(content)
        with pytest.raises(InputError, match=r"damaged"):
            seglit.load(broken)


def test_bundle_of_the_hub(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    cache = tmp_path / "models--owner--name"
    shutil.copytree(bundle, cache / "snapshots" / ("a" * 40))
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("a" * 40)
    image = picture(45, 37)
    for name in ("hf:owner/name", "hf:owner/name@main", "hf-hub:owner/name"):
        assert np.array_equal(seglit.load(name)(image), seglit.load(bundle)(image))
    with pytest.raises(InputError, match=r"hf:owner/other: cannot be downloaded and is not in the cache"):
        seglit.load("hf:owner/other")


def test_push(bundle: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []

    class Api:
        def create_repo(self, name: str, **options: Any) -> None:
            calls.append((name, options))

        def upload_folder(self, **options: Any) -> Any:
            calls.append((options["repo_id"], options))
            return SimpleNamespace(commit_url="https://example.org/commit")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    outcome = run("push", bundle, "hf:owner/name")
    assert (outcome.code, outcome.out) == (0, "pushed: https://example.org/commit\n"), outcome.err
    assert calls[0] == ("owner/name", {"private": True, "exist_ok": True})
    assert calls[1][1]["folder_path"] == bundle
    for wrong, message in ((bundle.parent, "not a bundle"), (bundle, "such as hf:owner/name")):
        outcome = run("push", wrong, "hf:owner/name" if wrong != bundle else "owner/name")
        assert outcome.code == 2
        assert message in outcome.err
