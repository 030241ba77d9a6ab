"""From a checkpoint to masks: the one way that validation, test, `seglit predict` and every later door go."""

from seglit.inference.checkpoint import load
from seglit.inference.predictor import Prediction, Predictor
from seglit.inference.settings import Settings

__all__ = ["Prediction", "Predictor", "Settings", "load"]
