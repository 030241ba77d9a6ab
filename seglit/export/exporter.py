"""Writes a file, proves it, describes it, and only then moves it to its place."""

import copy
import shutil
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, get_args

import msgspec
import numpy as np
import torch

from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError, RunError
from seglit.export.model_card import model_card
from seglit.export.proof import Prover, crop_or_reflect, read_images, thresholds_of
from seglit.exported.bundle import load_bundle, write_bundle
from seglit.exported.choices import FilePrecision, Output
from seglit.exported.description import Description, Dtype, Proof, Size, describe_input
from seglit.exported.file_formats import Format
from seglit.exported.graph import Graph
from seglit.exported.runtime import Quantization, Run
from seglit.images.replacing import replacing
from seglit.predict.file_predictor import FilePredictor
from seglit.predict.load import of_record
from seglit.predict.settings import Settings
from seglit.runs.bundle_folder import is_bundle
from seglit.runs.checkpoint import ModelRecord, digest_of, load_network
from seglit.runs.named_run import find_checkpoint, folder_of
from seglit.runs.rebuild import find_data
from seglit.runs.scores import SCORE_FILE, SavedScores
from seglit.runs.tested import read_config
from seglit.runs.training import Training

CALIBRATION_IMAGES = 300
"""Number of training images by which 8 bits are calibrated, NNCF's default."""


class Exporter:
    """Exports the network of a run, to one file or several.

    Args:
        run: Run folder or checkpoint.
        size: Height and width of the images; None for any.
        output: What the files return.
        trust: Packages whose classes the run may name, see `import_class`.

    Raises:
        InputError: There is no such run, or the type of its images is not known.
    """

    def __init__(self, run: Path, size: Size | None, output: Output, trust: Collection[str]) -> None:
        self.checkpoint = find_checkpoint(run.expanduser()).absolute()
        self.run = folder_of(self.checkpoint)
        self.folder = self.run / "export"
        self.config = self.run / "config.yaml"
        self.trust = trust
        self.size = size
        self.output = output
        self.network, self.record = load_network(self.checkpoint, trust)
        self.digest = digest_of(self.checkpoint)
        data, missing = find_data(self.config, "val", trust)
        self.dtype = _find_dtype(data, self.record)
        self.scores = _test_scores(self.run, self.checkpoint)
        reference = of_record(self.network, self.record)
        reference.settings = Settings(precision="32-true")
        note = f"{missing}: random images only" if missing else ""
        self.prover = Prover(reference, self.record.architecture, data, note, self.dtype, size)

    def check_resize(self) -> None:
        """Raises InputError if the network is to see resized images: files do not resize them, only bundles do."""
        if self.record.resize is not None:
            raise InputError(
                f"{self.checkpoint}: was trained with data.resize {self.record.resize}, which exported files do not "
                "apply to their images; `seglit export --format bundle` does"
            )

    def export(self, format: Format, precision: FilePrecision, file: Path, max_drop: float) -> Proof:
        """Exports to a file, with its description in it and as JSON beside it.

        Args:
            format: Format of the file.
            precision: Precision of its computation.
            file: The file.
            max_drop: Largest loss of mean IoU by int8.

        Raises:
            InputError: See `check_resize`; or a package is missing, or the file cannot be written.
            RunError: The network cannot be exported, or the file differs from PyTorch.
        """
        self.check_resize()
        with TemporaryDirectory() as folder:
            files: dict[Output, Path] = {self.output: Path(folder, "kept").with_suffix(format.SUFFIX)}
            files.setdefault("probabilities", Path(folder, "twin").with_suffix(format.SUFFIX))
            network = copy.deepcopy(self.network).cpu().to(format.WEIGHTS[precision])
            network.to(memory_format=torch.contiguous_format)
            graph = Graph(network, self.record, self.dtype, self.size, precision).eval()
            quantization = self._quantization(max_drop) if precision == "int8" else None
            try:
                format.write(graph, files, quantization)
            except RunError as error:
                raise RunError(f"{file}: not written: {error}{self.prover.hint}") from error
            for output, part in files.items():
                format.describe(part, self._describe(output, precision).to_json())
            masks, probabilities = (FilePredictor.load(files[name], format) for name in (self.output, "probabilities"))
            runtime = format.runtime(files[self.output])
            proof = self.prover.prove(masks, probabilities, thresholds_of(precision, max_drop), runtime, file)
            description = msgspec.structs.replace(self._describe(self.output, precision), proof=proof)
            format.describe(files[self.output], description.to_json())
            for part in format.parts(files[self.output]):
                with replacing(file.with_suffix(part.suffix)) as place:
                    shutil.move(part, place)
            with replacing(file.with_suffix(f"{file.suffix}.json")) as place:
                place.write_text(description.to_json() + "\n", encoding="utf-8")
        return proof

    def export_bundle(self, folder: Path) -> Proof:
        """Writes a bundle: weights without pickle, record and model card.

        Raises:
            InputError: The folder is not empty, or cannot be written.
            RunError: The network that is loaded from it differs.
        """
        if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not is_bundle(folder))):
            raise InputError(f"--output {folder}: neither an empty folder nor a bundle")
        config, environment = read_config(self.config) if self.config.is_file() else ({}, "")
        training = Training.read(self.run)
        name = self.run.parent.name  # the experiment
        card = model_card(name, self.record, config, environment, self.prover.data, self.scores, training)
        with TemporaryDirectory() as temporary:
            part = Path(temporary)
            write_bundle(part, self.network, self.record, card)
            loaded = of_record(*load_bundle(part, self.trust))
            loaded.settings = Settings(precision="32-true")
            proof = self.prover.prove(loaded, loaded, thresholds_of("float32", 0), "PyTorch", folder)
            for file in part.iterdir():
                with replacing(folder / file.name) as place:
                    shutil.move(file, place)
        return proof

    def _quantization(self, max_drop: float) -> Quantization:
        """Calibration by training images, controlled by the mean IoU of the validation split.

        Raises:
            InputError: The data is gone.
        """
        data = self.prover.data
        if data is None:
            raise InputError(f"--precision int8 is calibrated on the training images, but {self.prover.note}")
        images = read_images(data, "train", self.record.in_channels, CALIBRATION_IMAGES)
        sized = [crop_or_reflect(image, *self.size) for image in images] if self.size else images

        def score(run: Run) -> float:
            description = self._describe("probabilities", "int8")
            predictor = FilePredictor(run, description, Path("the quantised network"))
            return self.prover.score(predictor)

        return Quantization([np.moveaxis(image, -1, 0)[None] for image in sized], score, max_drop)

    def _describe(self, output: Output, precision: FilePrecision) -> Description:
        return Description(
            input=describe_input(self.record, self.dtype, self.size),
            output=output,
            dtype=self.dtype,
            size=self.size,
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            record=self.record.to_dict(),
            scores={} if self.scores is None else self.scores.scores,
            checkpoint=self.digest,
        )


def _find_dtype(data: SegmentationDataModule | None, record: ModelRecord) -> Dtype:
    """Returns the type of the images: that of the data; without it, 8 bits if the normalisation is that of 8 bits.

    Raises:
        InputError: It is neither known nor supported.
    """
    if data is None:
        return "uint8" if record.normalization.scale != 1 else "float32"
    name = str(read_images(data, "val", record.in_channels, 1)[0].dtype)
    if name not in get_args(Dtype):
        raise InputError(f"the images hold {name} values; files take {', '.join(get_args(Dtype))}")
    return cast(Dtype, name)


def _test_scores(run: Path, checkpoint: Path) -> SavedScores | None:
    """Returns the scores of the run on its test split; None if this checkpoint was not tested."""
    if not (run / SCORE_FILE).is_file():
        return None
    saved = SavedScores.read(run)
    return saved if saved.checkpoint is not None and (run / saved.checkpoint) == checkpoint else None
