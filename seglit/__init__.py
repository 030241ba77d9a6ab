"""seglit: from a folder of images and masks to a trained, honestly scored semantic segmentation network."""

__version__ = "0.1.0"
