"""What a split is scored by, beyond the confusion matrix of `seglit.metrics`."""
