"""From a checkpoint to masks: the one way that validation, test, `seglit predict` and every later door go."""

from seglit.predict.load import load
from seglit.predict.predictor import Prediction, Predictor
from seglit.predict.settings import Settings

__all__ = ["Prediction", "Predictor", "Settings", "load"]
