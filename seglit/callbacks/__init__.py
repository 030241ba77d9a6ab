"""Callbacks: what is watched and recorded, and how training is held back; never what is learned."""

from seglit.callbacks.checkpoint import BestCheckpoint, LastCheckpoint
from seglit.callbacks.class_table import ClassTable
from seglit.callbacks.freeze import FreezeEncoder
from seglit.callbacks.pictures import Pictures
from seglit.callbacks.progress import ProgressBar
from seglit.callbacks.record import RunRecord
from seglit.callbacks.score_file import ScoreFile

__all__ = [
    "BestCheckpoint",
    "ClassTable",
    "FreezeEncoder",
    "LastCheckpoint",
    "Pictures",
    "ProgressBar",
    "RunRecord",
    "ScoreFile",
]
