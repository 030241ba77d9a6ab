"""Exported files, written and read: networks that run without PyTorch, and what describes them."""
