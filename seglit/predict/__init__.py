"""Masks from a checkpoint: the predictor, its settings, tiling, and `seglit predict`."""

from seglit.predict.load import load
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Settings
from seglit.predict.tile_scores import Prediction

__all__ = ["Prediction", "Predictor", "Settings", "load"]
