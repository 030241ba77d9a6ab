"""Readers for annotation formats, one file each; no torch."""
