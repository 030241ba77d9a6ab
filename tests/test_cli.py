"""`seglit fit`, `validate` and `test` from the command line: their files and their output."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml
from PIL import Image

from tests.conftest import CLASS_NAMES, QUIET, Outcome, Run, run_in

REPOSITORY = Path(__file__).parents[1]
SCORES = ["miou", "dice", "pixel_accuracy", "mean_accuracy", *(f"iou/{name}" for name in CLASS_NAMES)]
TEST_SCORES = [*SCORES, "miou_low", "miou_high", "fwiou", "boundary_iou", "boundary_f1", "ece"]


def logged(folder: Path) -> dict[str, list[str]]:
    """The values of every column of metrics.csv, in order, without the empty cells."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows if row[name]] for name in rows[0]}


def table(out: str) -> list[str]:
    """The rows of the score table, and its title."""
    return [line for line in out.splitlines() if line.startswith("│")] + re.findall(r"test: [\d,]+ labelled", out)


def test_fit_writes_a_complete_run_folder(trained: Outcome) -> None:
    assert trained.code == 0
    files = {str(file.relative_to(trained.folder)) for file in trained.folder.rglob("*") if file.is_file()}
    assert {"config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= files
    columns = logged(trained.folder)
    assert len(columns["train/loss"]) == 4  # two steps an epoch, the fifth image being left over
    for split, epochs, scores in (("val", 2, SCORES), ("test", 1, TEST_SCORES)):
        logged_here = {name.removeprefix(f"{split}/") for name in columns if name.startswith(f"{split}/")}
        assert logged_here == {"loss", *scores}
        assert all(len(columns[f"{split}/{name}"]) == epochs for name in ("loss", *scores))
        with Image.open(trained.folder / "pictures" / f"{split}.png") as picture:
            assert picture.width > 400


def test_fit_prints_the_table_and_the_next_commands(trained: Outcome) -> None:
    rows = table(trained.out)
    assert [row.split()[1] for row in rows[:-1]] == [*CLASS_NAMES, "mean"]
    assert rows[-1] == f"test: {3 * 32 * 32:,} labelled"
    miou = float(logged(trained.folder)["test/miou"][0])
    assert f"{miou:.3f}" in rows[-2]
    low, high = (float(logged(trained.folder)[f"test/miou_{end}"][0]) for end in ("low", "high"))
    assert f"{low:.3f}–{high:.3f}" in rows[-2]
    for name, line in (("fwiou", "frequency-weighted IoU"), ("boundary_iou", "boundary IoU"), ("ece", "calibration")):
        (found,) = [row for row in trained.out.splitlines() if row.startswith(line)]
        assert f"{float(logged(trained.folder)[f'test/{name}'][0]):.3f}" in found
    *_, where, look, report, predict = trained.out.splitlines()
    assert where == f"run folder: {trained.folder}"
    assert look.startswith(f"look at:    {trained.folder / 'pictures'}")
    assert report == f"report:     seglit report {trained.folder}"
    assert predict == f"predict:    seglit predict {trained.folder} IMAGES"


def test_a_run_folder_stands_for_its_configuration_and_best_checkpoint(trained: Outcome, run: Run) -> None:
    before = set(trained.folder.parent.iterdir())
    again = run("test", trained.folder, "--data.batch_size=3")
    assert again.code == 0
    assert table(again.out) == table(trained.out)
    (other,) = set(trained.folder.parent.iterdir()) - before  # beside the run that it scores
    scores = logged(trained.folder)
    assert {name: logged(other)[f"test/{name}"] for name in TEST_SCORES} == {
        name: scores[f"test/{name}"] for name in TEST_SCORES
    }


def test_scores_of_each_image_are_saved(trained: Outcome) -> None:
    content = json.loads((trained.folder / "scores_test.json").read_text())
    assert list(content["classes"]) == CLASS_NAMES
    assert [image["name"] for image in content["images"]] == ["00000", "00001", "00002"]
    right = sum(image["pixel_accuracy"] for image in content["images"]) / 3  # of one size and without void
    assert right == pytest.approx(content["scores"]["pixel_accuracy"])
    for image in content["images"]:
        ious = [right / (target + predicted - right) for right, target, predicted in image["pixels"].values()]
        assert image["miou"] == pytest.approx(sum(ious) / len(ious))
    for name, value in content["scores"].items():
        assert value == pytest.approx(float(logged(trained.folder)[f"test/{name}"][0]), abs=1e-6)


def test_miou_by_other_protocols(trained: Outcome, run: Run) -> None:
    command = ["test", trained.folder]
    lines = run(*command, "--protocol").out.splitlines()
    names = ["torchmetrics", "mmsegmentation", "Cityscapes"]
    found = [line.split()[:2] for line in lines if line.startswith(tuple(names))]
    miou = float(logged(trained.folder)["test/miou"][0])
    assert found == [[name, f"{miou:.3f}"] for name in names]
    assert "torchmetrics" not in trained.out
    code, _, err = run(*command, "--protocol=[backgrund]")
    assert code == 2
    assert err.splitlines()[-1] == "seglit: error: protocol: no class 'backgrund'; did you mean 'background'?"


def test_validate_repeats_the_best_scores(trained: Outcome, run: Run) -> None:
    outcome = run(
        *("validate", "-c", trained.folder / "config.yaml", "--trainer.default_root_dir=."),
        *("--ckpt_path", trained.folder / "checkpoints" / "best.ckpt", "--data.batch_size=3"),
    )
    assert outcome.code == 0
    assert [row.split()[1] for row in table(outcome.out)] == [*CLASS_NAMES, "mean"]
    best = max(map(float, logged(trained.folder)["val/miou"]))
    assert f"{best:.3f}" in table(outcome.out)[-1]


def test_narrow_terminals_lose_no_number(trained: Outcome, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    best = trained.folder / "checkpoints/best.ckpt"
    out = run("validate", "-c", trained.folder / "config.yaml", "--ckpt_path", best, *QUIET).out
    rows = table(re.sub("\\x1b\\[[0-9;]*m", "", out))
    assert [row.split()[1] for row in rows if row.startswith("│")] == [*CLASS_NAMES, "mean"]
    assert "…" not in out


def test_hardware_defaults_are_recorded(trained: Outcome, shapes: Path) -> None:
    text = (trained.folder / "config.yaml").read_text()
    assert re.match(r"# seglit \S+, torch \S+, pytorch-lightning \S+, Python \S+, 1 x CPU\n", text)
    assert text.splitlines()[1] == "# on each device: 1 worker, 2 batches prefetched, not pinned"
    config = yaml.safe_load(text)
    assert config["trainer"]["precision"] in ("bf16-mixed", "32-true")
    assert config["model"]["memory_format"] == "channels_last"
    assert config["model"]["optimizer"]["init_args"]["fused"] is True
    assert config["data"]["init_args"]["root"] == str(shapes)
    assert config["experiment"] == "mine"
    assert trained.folder.parent == Path(config["trainer"]["default_root_dir"], "mine")


def test_command_line_overrides_yaml_and_is_recorded(run: Run, tiny: list[str]) -> None:
    options = ("--trainer.precision=bf16-mixed", "--model.memory_format=contiguous", "--trainer.gradient_clip_val=null")
    outcome = run(
        "fit", *tiny, *options, "--model.optimizer.foreach=true", "--trainer.max_epochs=1", "--test_after_fit=false"
    )
    config = yaml.safe_load((outcome.folder / "config.yaml").read_text())
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["trainer"]["gradient_clip_val"] is None
    assert config["model"]["memory_format"] == "contiguous"
    assert config["model"]["optimizer"]["init_args"]["fused"] is None
    assert not (outcome.folder / "pictures" / "test.png").exists()
    assert f"score it:   seglit test {outcome.folder}\n" in outcome.out
    assert "test/miou" not in logged(outcome.folder)


def test_help_and_version(run: Run) -> None:
    assert run("--version").out.startswith("seglit ")
    for args in ([], ["--help"]):
        outcome = run(*args)
        assert outcome.code == 0
        assert all(f"  {command} " in outcome.out for command in ("fit", "validate", "test", "shapes"))
    everything = run("fit", "--help.all").out
    assert everything.startswith("usage: seglit ")
    assert "--trainer.max_epochs" in everything


def test_help_is_one_screen_of_options_that_exist(run: Run) -> None:
    _, out, _ = run("fit", "--help")
    lines = out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, [*lines, *run("--help").out.splitlines()])) <= 80
    code, printed, _ = run("fit", "--data", "folder", "--data.root", "x", "--print_config")
    assert code == 0
    config = yaml.safe_load(printed)
    for key, default in re.findall(r"^  --([\w.]+) .*\(default: ([\w./]+)\)$", out, re.MULTILINE):
        value = config
        for part in key.replace("data.", "data.init_args.").replace("optimizer.", "optimizer.init_args.").split("."):
            value = value[part]
        assert str(value) == default, key
    for command in ("validate", "test"):
        assert f"usage: seglit {command} RUN" in run(command, "--help").out
        assert max(map(len, run(command, "--help").out.splitlines())) <= 80


def test_shapes_are_written(run: Run, tmp_path: Path) -> None:
    assert run("shapes", "here", "--num_train=2", "--num_val=1", "--num_test=1", "--size=[16, 24]").code == 0
    assert sorted(path.name for path in tmp_path.glob("here/images/train/*")) == ["00000.png", "00001.png"]
    with Image.open(tmp_path / "here" / "masks" / "test" / "00000.png") as mask:
        assert mask.size == (24, 16)


MINE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels=3, width=4):
        super().__init__()
        self.layer = nn.Conv2d(in_channels, num_classes, 3, padding=1)

    def forward(self, image):
        return self.layer(image)

class Loss(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, logits, mask):
        assert logits.dtype == torch.float32 and mask.dtype == torch.int64
        return self.factor * nn.functional.cross_entropy(logits, mask, ignore_index=255)
"""
OWN = """
network: {class_path: own_parts.Net, init_args: {width: 8}}
criterion: {class_path: own_parts.Loss, init_args: {factor: 1000.0}}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.0, weight_decay: 0.0}}
scheduler: null
"""


def seglit(folder: Path, *args: str, program: Sequence[str] = ("-m", "seglit")) -> subprocess.CompletedProcess[str]:
    """`python -m seglit ARGS`, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("SEGLIT_RUN_FOLDER", None)
    command = [sys.executable, *program, *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_network_and_loss_from_the_working_directory(
    run: Run, tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m` does, which tests/runs/test_ranks.py calls
    (tmp_path / "own_parts.py").write_text(MINE)
    (tmp_path / "own.yaml").write_text(OWN)
    done = run("fit", *tiny, "--model", "own.yaml", "--trainer.max_epochs=1", "--test_after_fit=false")
    assert done.code == 0, done.err
    assert all(float(loss) > 500 for loss in logged(done.folder)["train/loss"])
    checkpoint = torch.load(done.folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["seglit"]["network"] == {
        "class_path": "own_parts.Net",
        "init_args": {"num_classes": 6, "in_channels": 3, "width": 8},
    }


@pytest.mark.starts_processes
def test_ddp_trains_one_run_and_scores_as_one_process(tmp_path: Path, tiny: list[str]) -> None:
    ddp = ["-c", str(REPOSITORY / "configs" / "hardware" / "ddp.yaml"), "--trainer.devices=2"]
    on_cpu = ["--trainer.accelerator=cpu", "--trainer.sync_batchnorm=false"]  # which only GPUs have
    another = {"class_path": "pytorch_lightning.callbacks.ModelCheckpoint", "init_args": {"filename": "another"}}
    (tmp_path / "callbacks.yaml").write_text(yaml.dump({"trainer": {"callbacks": another}}))
    more = ["-c", "callbacks.yaml", "--experiment=two", "--data.batch_size=1", "--data.crop_size", "32"]
    more.append("--pictures.count=8")
    unlimited = [option for option in tiny if "max_epochs" not in option]
    two_ranks = [str(REPOSITORY / "tests" / "budget" / "two_ranks.py")]
    done = seglit(tmp_path, "fit", *unlimited, *ddp, *on_cpu, *more, "--minutes=100", program=two_ranks)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("runs/*/*")
    trainer = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]
    assert (trainer["max_steps"], trainer["val_check_interval"]) == (3, 3)
    assert done.stdout.count("run folder: ") == 1
    scores = logged(folder)
    config, best = folder / "config.yaml", folder / "checkpoints" / "best.ckpt"
    alone = ["--trainer.strategy=auto", "--trainer.devices=1", "--trainer.default_root_dir=alone"]
    run_in(tmp_path, "test", "-c", config, "--ckpt_path", best, *alone)
    (other,) = tmp_path.glob("alone/*/*")
    alone_scores = logged(other)
    assert {n: scores[f"test/{n}"] for n in TEST_SCORES} == {n: alone_scores[f"test/{n}"] for n in TEST_SCORES}
    files = [json.loads((each / "scores_test.json").read_text()) for each in (folder, other)]
    assert files[0].pop("checkpoint") == "checkpoints/best.ckpt"
    assert files[1].pop("checkpoint") == str(best)
    assert all(file.pop("cost")["test_images_per_second"] > 0 for file in files)
    assert files[0] == files[1]


def test_fit_scores_the_averaged_weights(run: Run, tiny: list[str], tmp_path: Path) -> None:
    averaging = {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.8}}
    (tmp_path / "ema.yaml").write_text(yaml.dump({"trainer": {"callbacks": [averaging]}}))
    fit = run("fit", *tiny, "-c", "ema.yaml", "--experiment=ema")
    assert fit.code == 0, fit.err
    again = run("test", fit.folder)
    assert table(again.out) == table(fit.out)

    idle = ("--model.optimizer.lr=0", "--trainer.max_epochs=1", "--test_after_fit=false")
    started = run("fit", *tiny, "--init_from", fit.folder, *idle)
    assert started.code == 0, started.err
    best, kept = (
        torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True) for folder in (fit.folder, started.folder)
    )
    name = "network.head.weight"
    assert torch.equal(kept["state_dict"][name], best["state_dict"][name])  # averaged
    assert not torch.equal(kept["state_dict"][name], best["current_model_state"][name])


def test_resumed_run_keeps_the_best_score(trained: Outcome, run: Run) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    outcome = run("fit", "-c", trained.folder / "config.yaml", "--ckpt_path", last, "--trainer.max_epochs=3")
    assert outcome.code == 0, outcome.err
    states = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (best,) = [state["best_model_score"] for name, state in states.items() if name.startswith("BestCheckpoint")]
    scores = logged(trained.folder)["val/miou"] + logged(outcome.folder)["val/miou"]
    assert float(best) == pytest.approx(max(map(float, scores)))


def test_mismatched_checkpoints_are_rejected(trained: Outcome, run: Run) -> None:
    config, best = trained.folder / "config.yaml", trained.folder / "checkpoints" / "best.ckpt"
    renamed = f"--data.class_names=[{','.join(reversed(CLASS_NAMES))}]"
    for options, hint in (
        ([], "--ckpt_path"),
        (["--ckpt_path=best"], "names no file"),
        (["--ckpt_path", best, renamed], "the checkpoint's classes are background, disk"),
        (["--ckpt_path", best, "--model.network.channels=[4, 8, 16]"], "of another network"),
    ):
        outcome = run("test", "-c", config, *options)
        assert outcome.code == 2
        (line,) = [line for line in outcome.err.splitlines() if line.startswith("seglit: error: ")]
        assert hint in line


def test_resuming_a_finished_run_is_an_error(trained: Outcome, run: Run, tmp_path: Path) -> None:
    last = ["--ckpt_path", trained.folder / "checkpoints" / "last.ckpt", "--trainer.default_root_dir=runs"]
    code, _, err = run("fit", "-c", trained.folder / "config.yaml", *last)
    assert code == 2
    assert "has finished its 2 epochs" in err.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
    assert run("fit", "-c", trained.folder / "config.yaml", *last, "--trainer.max_epochs=3").code == 0


def test_run_that_ends_before_validation_is_scored(run: Run, tiny: list[str], tmp_path: Path) -> None:
    code, out, _ = run("fit", *tiny, "--trainer.max_steps=1", "--trainer.limit_train_batches=2")
    assert code == 0
    assert "pixel accuracy" in out
    (scores,) = tmp_path.glob("runs/*/*/scores_test.json")
    assert json.loads(scores.read_text(encoding="utf-8"))["checkpoint"].endswith("last.ckpt")


def test_nothing_is_left_of_a_check_that_is_interrupted(
    run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seglit.cli.verify", mock.Mock(side_effect=KeyboardInterrupt))
    assert run("fit", *tiny).code == 130
    assert not [*tmp_path.glob("runs/*")]


def test_run_is_named_after_its_file(run: Run, tiny: list[str]) -> None:
    quick = run("fit", *tiny, "--trainer.fast_dev_run=true")
    assert quick.folder.parent.name == "data"  # --data data.yaml
