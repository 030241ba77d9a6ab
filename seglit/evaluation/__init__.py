"""The confusion matrix of a split, and what a test counts beside it."""
