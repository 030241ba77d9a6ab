"""Reads and writes image and mask files, and pairs images with masks; no torch."""
