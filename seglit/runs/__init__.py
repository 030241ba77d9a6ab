"""Reads and writes the files of a run folder: checkpoint, configuration, scores."""
