"""ONNX files: what they contain, how they are proven, and that the predictor uses them as it uses checkpoints."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import yaml
from PIL import Image

import seglit
from seglit.errors import InputError, RunError
from seglit.export.requested import write_requested
from seglit.normalization import Normalization
from seglit.predict.file_predictor import FilePredictor
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Settings
from seglit.runs.scores import score_folder
from tests.conftest import CLASS_NAMES, Outcome, Run
from tests.export.checkpoints import export, picture, write_checkpoint

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")

UNET = "seglit.networks.UNet"
LRASPP = "lraspp_mobilenet_v3_large"


@pytest.fixture(scope="module")
def masks(trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("masks"), trained.folder)


@pytest.fixture(scope="module")
def probabilities(trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("probabilities"), trained.folder, "--probabilities")


def test_file_needs_no_seglit(trained: Outcome, masks: Path) -> None:
    session = onnxruntime.InferenceSession(masks)
    (image,), (mask,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 3, "height", "width"])
    assert (mask.name, mask.type, mask.shape) == ("mask", "tensor(uint8)", ["batch", "height", "width"])
    stored = picture(45, 37)
    (answer,) = session.run(None, {"image": np.moveaxis(stored, -1, 0)[None]})
    assert np.mean(answer[0] == _in_float32(trained.folder)(stored)) > 0.999
    description = json.loads(session.get_modelmeta().custom_metadata_map["seglit"])
    assert description["record"]["labels"]["class_names"] == CLASS_NAMES
    best = (trained.folder / "checkpoints" / "best.ckpt").read_bytes()
    assert description["checkpoint"] == hashlib.sha256(best).hexdigest()
    assert (
        description["scores"]["miou"] == json.loads((trained.folder / "scores_test.json").read_text())["scores"]["miou"]
    )
    assert description == json.loads((masks.parent / "model.onnx.json").read_text())


def test_file_contains_no_path_of_this_machine(masks: Path) -> None:
    content = masks.read_bytes()
    assert str(Path(seglit.__file__).parent).encode() not in content
    assert b"site-packages" not in content


def test_proof_covers_odd_sizes_and_the_score(masks: Path) -> None:
    proof = json.loads((masks.parent / "model.onnx.json").read_text())["proof"]
    assert [(one["height"], one["width"]) for one in proof["sizes"]] == [(64, 96), (97, 131), (165, 83), (32, 32)]
    assert all(one["equal_pixels"] >= 0.999 and one["images"] == 4 for one in proof["sizes"])
    assert all(0 < one["largest_difference"] < 1e-4 for one in proof["sizes"])
    assert proof["validation"]["images"] == 3
    assert abs(proof["validation"]["miou"] - proof["validation"]["miou_pytorch"]) < 0.001
    assert proof["note"] == ""


def test_file_predicts_as_its_checkpoint(trained: Outcome, probabilities: Path, run: Run, tmp_path: Path) -> None:
    """Tiles, flips, scales, odd sizes, a TIFF that is read by windows, and a label format."""
    (tmp_path / "photos").mkdir()
    for index, size in enumerate([(100, 75), (33, 161)]):
        Image.fromarray(picture(*size, index)).save(tmp_path / f"photos/{index}.png")
    tifffile.imwrite(tmp_path / "photos/large.tif", picture(96, 200), tile=(64, 64))
    options = ["--tile=64", "--flips=horizontal", "--scales=[0.75,1]", "--labels=coco", "--probabilities"]
    for name, model, more in (("torch", trained.folder, ["--precision=32-true"]), ("file", probabilities, [])):
        outcome = run("predict", model, "photos", "--output", name, *options, *more)
        assert outcome.code == 0, outcome.err
    for kind in ("masks", "probabilities"):
        files = sorted((tmp_path / "torch" / kind).iterdir())
        assert len(files) == 3
        for file in files:
            read: Any = np.load if kind == "probabilities" else tifffile.imread if file.suffix == ".tif" else _read_png
            ours, theirs = read(file), read(tmp_path / "file" / kind / file.name)
            assert np.mean(ours == theirs) > 0.999 if kind == "masks" else np.allclose(ours, theirs, atol=2e-3)
    assert (tmp_path / "file" / "labels").is_dir()


def _read_png(file: Path) -> npt.NDArray[Any]:
    return np.array(Image.open(file))


def test_tiles_of_masks_vote_by_their_blending_weights(masks: Path, run: Run, tmp_path: Path) -> None:
    image = picture(96, 160)
    Image.fromarray(image).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(64, 64))
    assert run("predict", masks, "a.png", "a.tif", "--tile=64").code == 0
    expected = _vote(onnxruntime.InferenceSession(masks), image, 64, stride=32)
    assert len(np.unique(expected)) > 1
    assert np.array_equal(_read_png(tmp_path / "predictions/masks/a.png.png"), expected)
    assert np.array_equal(tifffile.imread(tmp_path / "predictions/masks/a.tif.tif"), expected)
    for option, message in (
        ("--flips=all", "has masks, no probabilities, which flips and scales average: export it with --probabilities"),
        ("--probabilities", "has masks, no probabilities: export it with --probabilities true"),
        ("--precision=32-true", "precision cannot be set: that of "),
    ):
        outcome = run("predict", masks, "a.png", "--output", "other", option)
        assert outcome.code == 2
        assert message in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert not (tmp_path / "other").exists()


def _vote(session: Any, image: npt.NDArray[np.uint8], tile: int, stride: int) -> npt.NDArray[np.intp]:
    """The class of most votes, each of a Gaussian weight with a deviation of an eighth of the tile."""
    gaussian = np.exp(-0.5 * (8 * (np.arange(tile) - (tile - 1) / 2) / tile) ** 2)
    votes = np.zeros((len(CLASS_NAMES), *image.shape[:2]))
    for top in range(0, image.shape[0] - tile + 1, stride):
        for left in range(0, image.shape[1] - tile + 1, stride):
            part = np.s_[top : top + tile, left : left + tile]
            (mask,) = session.run(None, {"image": np.moveaxis(image[part], -1, 0)[None]})
            votes[(slice(None), *part)] += (mask == np.arange(len(votes))[:, None, None]) * np.outer(gaussian, gaussian)
    winners: npt.NDArray[np.intp] = votes.argmax(0)
    return winners


def test_scores_are_those_of_the_run_and_stay_beside_the_file(trained: Outcome, probabilities: Path, run: Run) -> None:
    before = (trained.folder / "scores_test.json").read_bytes()
    outcome = run("test", probabilities, "-c", trained.folder / "config.yaml")
    assert outcome.code == 0, outcome.err
    assert (trained.folder / "scores_test.json").read_bytes() == before
    ours = json.loads((score_folder(probabilities) / "scores_test.json").read_text())
    theirs = json.loads(before)
    assert ours["scores"] == pytest.approx(theirs["scores"], abs=5e-3)  # the run may have been tested in bfloat16
    assert ours["checkpoint"] == str(probabilities)
    assert ours["cost"]["parameters"] == theirs["cost"]["parameters"]
    assert run("report", score_folder(probabilities)).code == 0


def test_scores_of_the_file_before_are_removed(tmp_path: Path) -> None:
    exporter, file = mock.Mock(), tmp_path / "model.onnx"
    scored = [score_folder(file) / name for name in ("config.yaml", "report.html", "scores_test.json")]
    for path in scored:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    exporter.export.side_effect = RunError("it differs")
    with pytest.raises(RunError):  # the file stays, and so do its scores
        write_requested(exporter, "onnx", "float32", str(file), 0.005)
    assert all(path.exists() for path in scored)
    exporter.export.side_effect = None
    write_requested(exporter, "onnx", "float32", str(file), 0.005)
    assert [path.name for path in scored if path.exists()] == ["config.yaml"]


def test_masks_are_scored_without_what_needs_a_confidence(trained: Outcome, masks: Path, run: Run) -> None:
    outcome = run("test", masks, f"-c={trained.folder / 'config.yaml'}")
    assert outcome.code == 0, outcome.err
    assert "no calibration and no likely label errors, which need a file with --probabilities true" in outcome.out
    folder = masks.parent / "model.onnx.test"
    ours, theirs = (json.loads((one / "scores_test.json").read_text()) for one in (folder, trained.folder))
    assert ours["scores"].pop("ece") is None
    theirs["scores"].pop("ece")
    assert ours["scores"] == pytest.approx(theirs["scores"], abs=5e-3)
    assert np.abs(np.subtract(ours["confusion"], theirs["confusion"])).sum() < 20
    assert ours["label_errors"] == []
    assert {region["confidence"] for pair in ours["confusions"] for region in pair["regions"]} == {None}
    assert run("report", folder).code == 0
    assert "the predictions have no confidence" in (folder / "report.html").read_text()


def test_groups_of_the_data_are_resampled(trained: Outcome, masks: Path, run: Run, tmp_path: Path) -> None:
    config = yaml.safe_load((trained.folder / "config.yaml").read_text())
    config["data"]["init_args"]["group"] = "^(0)"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert run("test", masks, "--config=config.yaml").code == 0
    scores = json.loads((masks.parent / "model.onnx.test/scores_test.json").read_text())
    assert {image["group"] for image in scores["images"]} == {"0"}
    assert scores["scores"]["miou_low"] is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "SMP",  # half of the nodes of a whole one to trace
            {
                "architecture": "unet",
                "encoder_name": "tu-test_resnet",
                "options": {"encoder_depth": 3, "decoder_channels": [16, 8, 8]},
            },
        ),
        ("Segmenter", {"width": 16, "depth": 1, "heads": 2}),
    ],
)
def test_networks_at_any_size(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", f"seglit.networks.{name}", **options)
    file = export(tmp_path, checkpoint, "--probabilities")
    assert "random images only" in json.loads((tmp_path / "model.onnx.json").read_text())["proof"]["note"]
    image = picture(71, 50)
    assert np.mean(seglit.load(file)(image) == _in_float32(checkpoint)(image)) > 0.999


def test_one_size(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.Torchvision", architecture=LRASPP)
    file = export(tmp_path, checkpoint, "--size=40,56", "--probabilities")
    operators = {node.op_type for node in pytest.importorskip("onnx").load(file).graph.node}
    assert "HardSwish" in operators  # not what its in-place form is decomposed into
    predictor = seglit.load(file)
    assert re.fullmatch(r"FilePredictor\(.*, float32, [\d,]{9} parameters, .*: road, tree, sky\)", repr(predictor))
    image = picture(40, 56)
    assert np.mean(predictor(image) == _in_float32(checkpoint)(image)) > 0.999
    refusal = "is for images of 40 x 56 pixels, not {} x {}; export it without --size"
    with pytest.raises(InputError, match=refusal.format(40, 57)):
        predictor(picture(40, 57))
    predictor.settings = Settings(scales=(0.5,))
    with pytest.raises(InputError, match=refusal.format(20, 28)):
        predictor(image)


def _in_float32(checkpoint: Path) -> Predictor:
    predictor = seglit.load(checkpoint)
    predictor.settings = Settings(precision="32-true")
    return predictor


OWN = "tests.export.untraceable"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("Shifted", r"not written: at 64 x 96 pixels Shifted agrees with PyTorch on [1-7]\d\.\d\d% of the pixels"),
        (
            "Pooling",
            r"not written: Pooling fails at 64 x 96 pixels .*; for one size alone it may succeed: --size HEIGHT",
        ),
    ],
)
def test_graph_that_differs_is_not_kept(tmp_path: Path, run: Run, network: str, message: str) -> None:
    write_checkpoint(tmp_path / "a.ckpt", f"{OWN}.{network}", trust=(OWN,))
    outcome = run("export", "a.ckpt", "--trust", OWN)
    assert outcome.code == 1
    assert re.search(message, outcome.err)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_nan_is_void_in_the_file_and_an_error_of_the_predictor(tmp_path: Path) -> None:
    stored = Normalization((100.0,), (50.0,), 1.0)
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", UNET, stored, 2, channels=[4, 8])
    predictor = seglit.load(export(tmp_path, checkpoint, "--size=40,40"))
    assert isinstance(predictor, FilePredictor)
    assert predictor.description.dtype == "float32"
    image = np.random.default_rng(0).normal(100, 50, (40, 40, 2)).astype(np.float32)
    hole = image.copy()
    hole[:8, :8] = np.nan
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (mask,) = session.run(None, {"image": np.moveaxis(hole, -1, 0)[None]})
    assert mask[0, 0, 0] == 255
    with pytest.raises(RunError, match="NaN"):
        next(predictor.stream([hole]))
    assert np.mean(predictor(hole) == _in_float32(checkpoint)(hole)) > 0.999
    assert np.all(predictor(hole)[:8, :8] == 255)
    with pytest.raises(InputError, match=r"images hold uint8 values, but .* was exported for float32"):
        predictor(picture(40, 40)[..., :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size=352"], "--size 352: must be height and width in pixels, such as 352,480"),
        (["--precision=int8"], "--precision int8: onnx has float32, float16"),
        (
            ["--format=bundle", "--precision=int8"],
            "--format bundle contains the network: without --precision, --size and --probabilities",
        ),
        (["--output=model.pth"], "--output model.pth: a file of --format onnx ends with .onnx"),
    ],
)
def test_invalid_options(trained: Outcome, run: Run, options: list[str], message: str) -> None:
    outcome = run("export", trained.folder, *options)
    assert (outcome.code, outcome.err) == (2, f"seglit: error: {message}\n")


@pytest.mark.parametrize(
    "command", ["export --format onnx", "export --format pt2", "export --precision best", "demo --static page"]
)
def test_resized_images_are_for_bundles_only(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("seglit.demo.onnxruntime_web.download", dict)
    write_checkpoint(tmp_path / "a.ckpt", UNET, channels=[4, 8], resize=0.5)
    name, *options = command.split()
    outcome = run(name, "a.ckpt", *options)
    message = (
        f"{tmp_path / 'a.ckpt'}: was trained with data.resize 0.5, which exported files do not apply to their images"
    )
    assert outcome.code == 2
    assert outcome.err.endswith(f"seglit: error: {message}; `seglit export --format bundle` does\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_foreign_file_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    Image.fromarray(picture(40, 40)).save(tmp_path / "a.png")
    outcome = run("predict", "x.onnx", "a.png")
    assert outcome.code == 2
    assert "ONNX Runtime cannot load it" in outcome.err
