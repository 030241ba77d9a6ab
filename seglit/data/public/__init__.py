"""Public data sets whose trees are known."""
