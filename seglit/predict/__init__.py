"""Masks from a checkpoint: the predictor, its settings, tiling, and `seglit predict`."""
