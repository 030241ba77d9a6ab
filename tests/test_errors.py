"""Bad input on the command line: exit code 2, one line with the nearest valid name and the location."""

import re
from pathlib import Path

import pytest
from lightning_utilities.core.imports import RequirementCache

from seglit.errors import InputError
from tests.conftest import Run

DATA = """\
class_path: seglit.data.FolderDataModule
init_args:
  root: SHAPES
  class_names: [background, disk, box, triangle, line, star]
  batch_size: 2
  num_workers: 0
"""
MODEL = """\
network:
  class_path: seglit.networks.UNet
  init_args:
    channels: [4, 8]
"""
TRAINER = "data: data.yaml\nmodel: model.yaml\ntrainer:\n  max_epochs: 1\n"
PARTS = ("fit", "--data", "data.yaml", "--model", "model.yaml")

CASES = {
    "command": (["fti"], {}, "unknown command 'fti'; did you mean 'fit'?"),
    "nothing": (["fit"], {}, "not set: data; name a configuration (-c FILE), or the data (--data NAME or FILE)"),
    "option": (
        [*PARTS, "--trainer.max_epoch=2"],
        {},
        "unknown setting 'trainer.max_epoch'; did you mean 'trainer.max_e",
    ),
    "short option": (
        [*PARTS, "--max_epochs=2"],
        {},
        "unknown setting 'max_epochs'; did you mean 'trainer.max_epochs'?",
    ),
    "option of other tools": (
        [*PARTS, "--epochs=2"],
        {},
        "unknown setting 'epochs'; did you mean 'trainer.max_epochs'?",
    ),
    "seed of other tools": ([*PARTS, "--seed=2"], {}, "unknown setting 'seed'; did you mean 'seed_everything'?"),
    "option that may be two": (
        [*PARTS, "--device", "cpu"],
        {},
        "unknown setting 'device'; did you mean 'trainer.accelerator' or 'trainer.devices'?",
    ),
    "option of the data": (
        [*PARTS, "--batch-size=2"],
        {},
        "unknown setting 'batch-size'; did you mean 'data.batch_size'?",
    ),
    "key of other tools": (
        ["fit", "-c", "run.yaml"],
        {"run.yaml": TRAINER + "imgsz: 256\n"},
        "unknown setting 'imgsz'; did you mean 'data.crop_size' or 'data.resize'? (run.yaml, line 5)",
    ),
    "not an option": (
        ["fit", "data.yaml"],
        {},
        "data.yaml: name a configuration as fit -c data.yaml, or the data as fit --data data.yaml",
    ),
    "run": (["test", "rnus"], {"runs/a": ""}, ".*rnus: no such run folder; did you mean 'runs'?"),
    "run that is a file": (
        ["test", "best.ckpt"],
        {"best.ckpt": ""},
        "test best.ckpt: a file; name its run folder: test RUN --ckpt_path best.ckpt",
    ),
    "not text": (["fit", "-c", "run.yaml"], {"run.yaml": "\udcff"}, "run.yaml: not valid YAML (not text in UTF-8)"),
    "key": (
        ["fit", "-c", "run.yaml"],
        {"run.yaml": TRAINER + "  acelerator: cpu\n"},
        "unknown setting 'trainer.acelerator'; did you mean 'trainer.accelerator'? (run.yaml, line 5)",
    ),
    "group": (
        list(PARTS),
        {"model.yaml": MODEL.replace("network:", "netwrok:")},
        "unknown setting 'model.netwrok'; did you mean 'model.network'? (model.yaml, line 1)",
    ),
    "argument": (
        ["fit", "-c", "run.yaml"],  # which names the file it stands in
        {"run.yaml": TRAINER, "model.yaml": MODEL.replace("channels", "chanels")},
        "seglit.networks.UNet has no setting 'chanels'; did you mean 'channels'? (model.yaml, line 4)",
    ),
    "argument of the loader": (
        list(PARTS),
        {"data.yaml": DATA.replace("batch_size", "batchsize")},
        "seglit.data.FolderDataModule has no setting 'batchsize'; did you mean 'batch_size'? (data.yaml, line 5)",
    ),
    "argument of the optimizer": (
        [*PARTS, "-c", "run.yaml"],
        {"run.yaml": "model:\n  optimizer:\n    init_args: {lrr: 0.1}\n"},
        "torch.optim.AdamW has no setting 'lrr'; did you mean 'lr'? (run.yaml, line 3)",
    ),
    "argument of another optimizer": (
        [*PARTS, "-c", "run.yaml"],
        {"run.yaml": "model:\n  optimizer: {class_path: torch.optim.SGD, init_args: {lrr: 0.1}}\n"},
        "torch.optim.SGD has no setting 'lrr'; did you mean 'lr'? (run.yaml, line 2)",
    ),
    "option of the optimizer": (
        [*PARTS, "--model.optimizer.lrr=3"],
        {},
        "torch.optim.AdamW has no setting 'lrr'; did you mean 'lr'?",
    ),
    "argument that the data module passes on": (
        ["fit", "--data=voc-sbd", "--data.class_names=[a]"],
        {},
        "seglit.data.public.VOCWithSBDDataModule has no setting 'class_names'; did you mean 'mask_name'?",
    ),
    "argument of the schedule": (
        [*PARTS, "-c", "run.yaml"],
        {"run.yaml": "model:\n  scheduler:\n    init_args: {warmup_step: 5}\n"},
        "seglit.optim.WarmupPolynomial has no setting 'warmup_step'; did you mean 'warmup_steps'? (run.yaml, line 3)",
    ),
    "value": ([*PARTS, "--trainer.max_epochs=two"], {}, "trainer.max_epochs is 'two'; expected int or null"),
    "value in a file": (
        list(PARTS),
        {"data.yaml": DATA.replace("batch_size: 2", "batch_size: many")},
        "data.batch_size is 'many'; expected int (data.yaml, line 5)",
    ),
    "choice": (
        [*PARTS, "--model.memory_format=channel_last"],
        {},
        r"model.memory_format is 'channel_last'; expected one of .* or null; did you mean 'channels_last'?",
    ),
    "schedule": (
        [*PARTS, "--model.scheduler=torch.optim.lr_scheduler.OneCycleLR"],
        {},
        "model.scheduler: the second parameter of OneCycleLR is 'max_lr', not the number of optimizer steps; ",
    ),
    "class": (
        list(PARTS),
        {"model.yaml": MODEL.replace("UNet", "Unet")},
        "seglit.networks has no class 'Unet'; did you mean 'UNet'? (model.yaml, line 2)",
    ),
    "module": (
        list(PARTS),
        {"model.yaml": MODEL.replace("networks", "network")},
        "seglit has no module 'network'; did you mean 'networks'? (model.yaml, line 2)",
    ),
    "package": (
        list(PARTS),
        {"model.yaml": MODEL.replace("seglit.networks", "mine")},
        "cannot import mine.UNet: no module named 'mine' (model.yaml, line 2)",
    ),
    "package of this folder": (
        list(PARTS),
        {"model.yaml": MODEL.replace("seglit.networks", "mine"), "mine.py": ""},
        "cannot import mine.UNet: .*; to import mine.py of this folder, run python -m seglit .* (model.yaml, line 2)",
    ),
    "package of another name": (
        [*PARTS, "-c", "run.yaml"],
        {"run.yaml": "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.Timer\n"},
        "lightning.pytorch.callbacks.Timer .*; write pytorch_lightning.callbacks.Timer (run.yaml, line 3)",
    ),
    "learning rate finder": (
        [*PARTS, "--trainer.callbacks=pytorch_lightning.callbacks.LearningRateFinder", "--trainer.accelerator=cpu"],
        {},
        "LearningRateFinder sets .* --model.optimizer.init_args.lr instead",
    ),
    "batch size finder": (
        [*PARTS, "--trainer.callbacks=pytorch_lightning.callbacks.BatchSizeFinder", "--trainer.accelerator=cpu"],
        {},
        "BatchSizeFinder changes .*: set --data.batch_size instead; if the memory .*",
    ),
    "checkpoints that are written later": (
        [*PARTS, "--trainer.plugins=pytorch_lightning.plugins.io.AsyncCheckpointIO", "--trainer.accelerator=cpu"],
        {},
        "AsyncCheckpointIO returns before a checkpoint is written, .*; leave it out",
    ),
    "number below 1": ([*PARTS, "--patience=0"], {}, "patience is '0'; expected null or int above 0"),
    "gradient norm": (
        [*PARTS, "--trainer.gradient_clip_val=-1"],
        {},
        "trainer.gradient_clip_val is -1.*; it must be finite and 0 or above",  # -1 or -1.0
    ),
    "folder of runs": (
        [*PARTS, "--trainer.default_root_dir=best.ckpt"],
        {"best.ckpt": ""},
        ".*best.ckpt.*: Not a directory",
    ),
    "configuration": (["fit", "-c", "modle.yaml"], {}, r"no such file .*modle.yaml; did you mean 'model.yaml'?"),
    "part": (["fit", "--data=dat.yaml", "--model=model.yaml"], {}, "no such file dat.yaml; did you mean 'data.yaml'?"),
    "part of a configuration": (
        ["fit", "-c", "sub/run.yaml"],
        {"sub/run.yaml": "model: ../model.yaml\ndata: ../dat.yaml\n"},
        "no such file ../dat.yaml; did you mean 'data.yaml'? (sub/run.yaml, line 2)",
    ),
    "syntax": (
        ["fit", "-c", "run.yaml"],
        {"run.yaml": "model: {a: [1, 2\ntrainer: x\n"},
        "run.yaml, line 2: not valid YAML (expected ',' or ']', but got ':')",
    ),
    "no settings": (["fit", "-c", "run.yaml"], {"run.yaml": "just text\n"}, "run.yaml: contains no settings; "),
    "folder": (
        [*PARTS, "--trainer.accelerator=cpu"],
        {"data.yaml": DATA.replace("SHAPES", "SHAPESS")},
        r"data root .*shapess: no such folder; did you mean 'shapes'?",
    ),
    "checkpoint": (
        ["test", *PARTS[1:], "--ckpt_path=bset.ckpt"],
        {"best.ckpt": ""},
        "no checkpoint bset.ckpt; did you mean 'best.ckpt'?",
    ),
    "refused": (
        [*PARTS, "--model.network.init_args.channels=[4]", "--trainer.accelerator=cpu"],
        {},
        "UNet requires at least two levels: channels [4] has 1",
    ),
    "folder for settings": (
        [*PARTS, "--data.cache=/dev/shm/x"],
        {},
        "cache is '/dev/shm/x'; expected settings {folder: ..., gb: ...}",
    ),
    "shapes' folder": (["shapes"], {}, "not given: root; --help shows the usage"),
    "shapes' option": (["shapes", "x", "--num_trai=2"], {}, "unknown setting 'num_trai'; did you mean 'num_train'?"),
    "shapes' number": (["shapes", "x", "--num_train=-2"], {}, "num_train, num_val and num_test are [-2, 16, 16], and "),
    "file for a folder": (["shapes", "x"], {"x": ""}, "x/images/train: Not a directory"),
    "configuration of a command": (
        ["shapes", "x", "--config=x.yaml"],
        {"x.yaml": "\udcff"},
        "--config: the file is not text in UTF-8 (invalid start byte)",
    ),
    "shapes' value": (["shapes", "x", "--num_train=two"], {}, "num_train is 'two'; expected int"),
}


@pytest.fixture
def files(tmp_path: Path, shapes: Path) -> Path:
    """A folder with valid `data.yaml` and `model.yaml`."""
    (tmp_path / "data.yaml").write_text(DATA.replace("SHAPES", str(shapes)))
    (tmp_path / "model.yaml").write_text(MODEL)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_errors_are_one_line(run: Run, files: Path, shapes: Path, case: str) -> None:
    args, changed, line = CASES[case]
    for name, text in changed.items():
        (files / name).parent.mkdir(exist_ok=True)
        content = text.replace("SHAPES", str(shapes)).replace("shapesS", "shapess")
        (files / name).write_bytes(content.encode(errors="surrogateescape"))
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    pattern = ".*".join(map(re.escape, f"seglit: error: {line}".split(".*")))
    assert re.match(pattern, err)
    assert err.count("\n") == 1
    if not line.endswith((" ", "max_e")):
        assert re.fullmatch(pattern, err.strip())
    assert not (files / "runs").is_dir() or not list(files.glob("runs/*/*"))  # no empty run folders


def test_invalid_mask_in_a_worker(run: Run, files: Path) -> None:
    code, _, err = run(
        *(*PARTS, "--data.num_workers=1", "--data.class_names=[background, disk, box]", "--check=false"),
        *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.num_sanity_val_steps=0"),
    )
    assert code == 2
    (line,) = err.splitlines()
    assert re.match(
        r"seglit: error: \S+/masks/train/\d+\.png: contains the value \d \(\d+ pixels\).* is not a class; ", line
    )


def test_errors_of_lightning(run: Run, files: Path) -> None:
    options = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.max_epochs=1")
    code, _, err = run(*PARTS, *options, "--checkpoint.monitor=val/mIoU", "--trainer.num_sanity_val_steps=0")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("seglit: error: `ModelCheckpoint(monitor='val/mIoU')` could not find")
    assert "'val/miou'" in line


def test_missing_package_of_a_logger(run: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytorch_lightning.loggers.mlflow._MLFLOW_AVAILABLE", RequirementCache("mlflow>=99"))
    code, _, err = run(*PARTS, "--trainer.logger=pytorch_lightning.loggers.MLFlowLogger", "--trainer.accelerator=cpu")
    assert code == 2
    assert err.endswith('seglit: error: mlflow>=99 is not installed: pip install "mlflow>=99"\n')


def test_folders_within_each_other_without_end(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    for _ in range(120):
        folder /= "d"
    folder.mkdir(parents=True)
    code, _, err = run("inspect", "deep")
    assert code == 2
    assert re.fullmatch(r"seglit: error: \S+/deep(/d){101}: more than 100 folders within each other\n", err)


def test_debug_shows_the_traceback(run: Run, files: Path) -> None:
    with pytest.raises(InputError, match=r"unknown setting 'trainer\.max_epoch'"):
        run(*PARTS, "--trainer.max_epoch=2", "--debug")
