"""Scores of a split beyond the confusion matrix of `seglit.metrics`."""
