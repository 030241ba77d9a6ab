"""`seglit test FILE`: scores an exported file on the test split of its run."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from torchmetrics import Metric

from seglit.callbacks.benchmark import Benchmark
from seglit.errors import InputError
from seglit.evaluation.calibration import BINS
from seglit.evaluation.evaluation import TestEvaluation
from seglit.evaluation.saved_scores import as_saved
from seglit.export.scoring import batches_of, update
from seglit.exported.file_formats import format_of
from seglit.predict.load import load_exported
from seglit.runs.build import build
from seglit.runs.held_out import warn_if_trained_on
from seglit.runs.rebuild import build_data
from seglit.runs.scores import SCORE_FILE, CalibrationBins, SavedScores, score_folder
from seglit.runs.tested import read_config
from seglit.runs.trusted import packages_of


def score_file(file: str, run_config: str, trust: str | list[str] | None = None) -> int:
    """Scores an exported file on the test split, in its own runtime.

    Writes scores_test.json and config.yaml into the folder FILE.test, which `report` and `compare` take for a run.

    Args:
        file: File of `seglit export`; with masks only, it has no calibration and no likely label errors.
        run_config: Configuration of the run, RUN/config.yaml, for the data and the metrics; -c may precede it.
        trust: Package or packages whose data modules and metrics may be loaded besides those of seglit; pt2 allows a
            .pt2 file, which is native code.

    Raises:
        InputError: The file or the configuration is invalid, the data is missing, or the classes differ.
        RunError: The file answers NaN, or its runtime fails.
    """
    path, config_file, packages = Path(file).expanduser().absolute(), Path(run_config).expanduser(), packages_of(trust)
    exported = format_of(path)
    if exported is None:
        raise InputError(f"{file}: not a file of `seglit export`; a checkpoint is tested by --ckpt_path {file}")
    predictor = load_exported(path, exported, packages)
    settings, _ = read_config(config_file)
    data = build_data(settings, config_file, packages)
    if data.labels.class_names != predictor.labels.class_names:
        ours, theirs = (", ".join(labels.class_names) for labels in (predictor.labels, data.labels))
        raise InputError(f"the file's classes are {ours}; the data's {theirs}")
    warn_if_trained_on(path, data, "test")
    evaluation = TestEvaluation(data.labels.class_names, _own_metrics(settings, config_file, packages))
    evaluation.groups = data.groups("test")
    benchmark = Benchmark(predictor.network, predictor.device)
    for batch in batches_of(data, "test"):
        update(evaluation, predictor, batch)
    device, parameters = f"CPU, {exported.runtime(path)}", predictor.description.parameters
    cost = replace(benchmark.stop(), device=device, parameters=parameters)
    folder = score_folder(path)
    scores = evaluation.compute()
    own: Any = evaluation.own_metrics.compute()
    saved = as_saved(scores, own, data.labels.class_names, str(path), cost)
    if predictor.description.output == "mask":
        saved = _without_confidence(saved)
        print("no calibration and no likely label errors, which need a file with --probabilities true")
    saved.write(folder)
    shutil.copyfile(config_file, folder / "config.yaml")
    print(f"mean IoU {scores.miou:.4f}, pixel accuracy {scores.pixel_accuracy:.4f}: {folder / SCORE_FILE}")
    return 0


def _without_confidence(saved: SavedScores) -> SavedScores:
    """Leaves out what masks do not tell: the confidence of regions, calibration, and so likely label errors."""
    confusions = [
        replace(pair, regions=[replace(region, confidence=None) for region in pair.regions])
        for pair in saved.confusions
    ]
    bins = CalibrationBins([0] * BINS, [None] * BINS, [None] * BINS)
    return replace(
        saved, scores={**saved.scores, "ece": None}, calibration=bins, confusions=confusions, label_errors=[]
    )


def _own_metrics(settings: dict[str, Any], file: Path, trust: Collection[str]) -> list[Metric]:
    specs = settings["model"].get("metrics") or []
    return [build(Metric, spec, f"{file}: its metric", trust) for spec in specs]  # type: ignore[type-abstract]
