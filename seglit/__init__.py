"""seglit: from a folder of images and masks to a trained, honestly scored semantic segmentation network.

The Python API is what `__all__` lists, imported on first use: `import seglit` loads neither torch nor Lightning.

- `fit` trains and tests, and returns a `TrainedRun`: its folder, best checkpoint and scores.
- `inspect_folder` returns what `seglit inspect --json true` prints.
- `load` makes a `Predictor` of a run or checkpoint, which maps images to masks, probabilities and overlays.
- `Labels` are the names, colours and stored values of classes.
- `SegmentationDataset` and `SegmentationDataModule` are the bases of data sets of your own.
- `InputError` is raised for invalid input, `RunError` by a run that fails with valid input.

Networks, losses and callbacks are in `seglit.networks`, `seglit.losses` and `seglit.callbacks`.

>>> import seglit
>>> labels = seglit.Labels.create(["background", "crack"], mask_values={"background": 0, "crack": 255})
>>> labels.num_classes
2
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seglit.api.fit import TrainedRun, fit
    from seglit.data.base import SegmentationDataModule
    from seglit.data.dataset import SegmentationDataset
    from seglit.errors import InputError, RunError
    from seglit.inspect.from_python import inspect_folder
    from seglit.labels import Labels
    from seglit.predict.load import load
    from seglit.predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "Labels",
    "Predictor",
    "RunError",
    "SegmentationDataModule",
    "SegmentationDataset",
    "TrainedRun",
    "fit",
    "inspect_folder",
    "load",
]

_MODULES = {
    "InputError": "seglit.errors",
    "Labels": "seglit.labels",
    "Predictor": "seglit.predict.predictor",
    "RunError": "seglit.errors",
    "SegmentationDataModule": "seglit.data.base",
    "SegmentationDataset": "seglit.data.dataset",
    "TrainedRun": "seglit.api.fit",
    "fit": "seglit.api.fit",
    "inspect_folder": "seglit.inspect.from_python",
    "load": "seglit.predict.load",
}


if not TYPE_CHECKING:  # a type checker reports unknown names

    def __getattr__(name: str) -> object:
        """Imports a public name on first use (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = vars(importlib.import_module(_MODULES[name]))[name]
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
