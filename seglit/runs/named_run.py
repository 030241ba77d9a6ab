"""Runs that a command line names: `test RUN`, `--resume RUN`, the checkpoint of a run folder. Loads no torch."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from seglit.config.arguments import option_values, take_option, values_in_files
from seglit.config.bounded_yaml import load_yaml
from seglit.errors import InputError
from seglit.images.listing import is_file, is_folder, nearest_entry
from seglit.runs.recorded_splits import recorded_lists

_OPTIONS = (
    *("trainer.max_epochs", "trainer.devices", "trainer.num_nodes", "trainer.logger", "save_minutes", "save_steps"),
    *("data.num_workers", "data.init_args.num_workers", "data.cache", "data.init_args.cache"),
)


def find_checkpoint(path: Path) -> Path:
    """Returns the checkpoint at a path: the file itself, or the best of a run folder, else its last, which it reports.

    Raises:
        InputError: There is no checkpoint.
    """
    if is_file(path):
        return path
    for name in ("checkpoints/best.ckpt", "best.ckpt", "checkpoints/last.ckpt", "last.ckpt"):
        if is_file(path / name):
            if name.endswith("last.ckpt"):
                print(f"seglit: {path} has no best.ckpt; using {name}", file=sys.stderr, flush=True)
            return path / name
    if is_folder(path):
        runs = sorted(file.parents[1] for depth in ("*", "*/*") for file in path.glob(f"{depth}/checkpoints/best.ckpt"))
        raise InputError(f"{path}: contains no checkpoints/best.ckpt" + (f"; did you mean {runs[-1]}?" if runs else ""))
    raise InputError(f"{path}: no such file or folder{nearest_entry(path)}")


def folder_of(model: Path) -> Path:
    """Returns the run folder of a checkpoint, exported file or bundle; the folder that it is in if that is none's."""
    # RUN/checkpoints/best.ckpt, RUN/export/float32.onnx, RUN/export/bundle/model.json
    part = model.parents[model.name == "model.json"]
    return part.parent if part.name in ("checkpoints", "export") else model.parent


def score_arguments(args: Sequence[str]) -> list[str]:
    """Replaces the run folder of `test RUN` and `validate RUN` by its configuration and best checkpoint.

    Raises:
        InputError: There is no such run, or it has no checkpoint.
    """
    command, *options = args
    if command not in ("test", "validate") or not options or options[0].startswith("-"):
        return list(args)
    run, *others = options
    if run.endswith((".yaml", ".yml")):  # `check_command_line` rejects it
        return list(args)
    folder = Path(run).expanduser().absolute()
    if is_file(folder):
        raise InputError(f"{command} {run}: a file; name its run folder: {command} RUN --ckpt_path {run}")
    config = _config_of(folder, f"{command} {run}")
    stated = {arg.partition("=")[0] for arg in others}
    checkpoint = [] if "--ckpt_path" in stated else ["--ckpt_path", str(find_checkpoint(folder))]
    is_other_data = "--data" in stated or any(map(_states_splits, values_in_files(others, "data")))
    splits = [] if is_other_data else _recorded_splits(config)
    return [command, "-c", str(config), *splits, *checkpoint, *others]


def resume_arguments(args: Sequence[str]) -> tuple[list[str], Path | None]:
    """Replaces `--resume RUN` by the run's configuration; `--init_from` overrides a recorded `ckpt_path`.

    Returns:
        The arguments, and the run folder; None without `--resume`.

    Raises:
        InputError: There is no such run, another option may not change in a run that is resumed, or `--init_from` and
            `--ckpt_path` are both given.
    """
    given, others = take_option("--resume", args)
    if given is None:
        return _start_anew(others), None
    if not given:
        raise InputError("--resume needs the folder of a run: --resume runs/EXPERIMENT/DATE_TIME")
    if args[0] != "fit":
        raise InputError(f"--resume continues training: seglit fit --resume {given}")
    folder = Path(given).expanduser().absolute()
    config = _config_of(folder, f"--resume {given}")
    _check_options(others, config)
    return ["fit", "-c", str(config), *_recorded_splits(config), *others[1:]], folder


def _states_splits(data: Any) -> bool:
    """Whether the `data` of a configuration is another data set, or divides it in another way."""
    if not isinstance(data, dict):
        return data is not None
    return not {"class_path", "splits", "pairs"}.isdisjoint({*data, *(data.get("init_args") or {})})


def _start_anew(args: list[str]) -> list[str]:
    """Overrides the `ckpt_path` that a configuration records, if `--init_from` is given."""
    values = dict(option_values(args))
    if args[0] != "fit" or values.get("--init_from", "null") == "null":
        return args
    if values.get("--ckpt_path", "null") != "null":
        raise InputError("--init_from starts a new training, and --ckpt_path continues one: give one of them")
    return [*args, "--ckpt_path=null"]


def _config_of(folder: Path, where: str) -> Path:
    config = folder / "config.yaml"
    if not is_folder(folder):
        raise InputError(f"{where}: no such run folder{nearest_entry(folder)}")
    if not is_file(config):
        raise InputError(f"{where}: contains no config.yaml, which a run folder has")
    return config


def _recorded_splits(config: Path) -> list[str]:
    """Returns the option by which images that were added since the run began are in none of its splits."""
    try:
        splits = load_yaml(config.read_text(encoding="utf-8"))["data"]["init_args"]["splits"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):  # the command line reports what is invalid
        return []
    lists = recorded_lists(config.parent, splits)
    return [f"--data.splits={json.dumps(lists)}"] if lists else []


def _check_options(args: Sequence[str], config: Path) -> None:
    for option in (arg.partition("=")[0] for arg in args if re.match(r"-\D", arg)):
        if not re.fullmatch(rf"--(help|print_config(=.*)?|({'|'.join(map(re.escape, _OPTIONS))})([.+].*)?)", option):
            raise InputError(
                f"{option} cannot change in a run that is resumed, only {', '.join(_OPTIONS)}; to start a new run "
                f"from its weights: seglit fit -c {config} --init_from {config.parent} {option} ..."
            )
