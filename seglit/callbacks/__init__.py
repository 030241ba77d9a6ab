"""Callbacks for scores, pictures, checkpoints, class weights and encoder freezing."""

from seglit.callbacks.class_weighting import ClassWeighting
from seglit.callbacks.exact_resume import ExactResume
from seglit.callbacks.freeze import FreezeEncoder
from seglit.callbacks.pictures import Pictures
from seglit.callbacks.progress import ProgressBar
from seglit.callbacks.record import RunRecord
from seglit.callbacks.saving import BestCheckpoint, LastCheckpoint
from seglit.callbacks.score_file import ScoreFile
from seglit.callbacks.score_table import ScoreTable

__all__ = [
    "BestCheckpoint",
    "ClassWeighting",
    "ExactResume",
    "FreezeEncoder",
    "LastCheckpoint",
    "Pictures",
    "ProgressBar",
    "RunRecord",
    "ScoreFile",
    "ScoreTable",
]
