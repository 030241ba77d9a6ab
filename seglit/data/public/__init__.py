"""Public data sets that take more than a configuration; the others are YAML alone, in configs/data/."""

from seglit.data.public.voc_sbd import VOCWithSBDDataModule

__all__ = ["VOCWithSBDDataModule"]
