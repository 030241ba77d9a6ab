"""`seglit export`: files that run without seglit, proven against PyTorch before they are kept."""
