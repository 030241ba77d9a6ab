"""Readers of label formats, one file each; no torch.

A reader finds the annotated images of a folder, and the regions of each; `draw` makes class indices of them.
"""

from seglit.annotations.coco import Coco
from seglit.annotations.cvat import Cvat
from seglit.annotations.label_studio import LabelStudio
from seglit.annotations.labelme import Labelme
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader
from seglit.annotations.supervisely import Supervisely
from seglit.annotations.via import Via
from seglit.annotations.yolo import Yolo

__all__ = [
    "AnnotatedImage",
    "Annotations",
    "Coco",
    "Cvat",
    "LabelStudio",
    "Labelme",
    "Reader",
    "Supervisely",
    "Via",
    "Yolo",
]
