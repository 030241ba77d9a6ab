"""Masks from a checkpoint: the predictor, its settings, tiling, and `seglit predict`."""

from seglit.predict.load import load
from seglit.predict.predictor import Prediction, Predictor
from seglit.predict.settings import Settings

__all__ = ["Prediction", "Predictor", "Settings", "load"]
