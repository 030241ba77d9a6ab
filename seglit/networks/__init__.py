"""Networks: map images (B, C, H, W) of any size to logits (B, num_classes, H, W).

Every network is built as `Network(num_classes, in_channels=3, ...)` and has

- `encoder`: the submodule that may be pretrained, frozen or given its own learning rate,
- `normalization`: the `Normalization` that its pretrained weights require, or None.

In training mode a network may return a tuple `(logits, *auxiliary_logits)`, all of the same shape.

>>> import torch
>>> UNet(num_classes=2, channels=[8, 16])(torch.zeros(1, 3, 45, 60)).shape
torch.Size([1, 2, 45, 60])
"""

from seglit.networks.fcn import FCN
from seglit.networks.segmenter import Segmenter
from seglit.networks.smp import SMP
from seglit.networks.torchvision import Torchvision
from seglit.networks.unet import UNet
from seglit.normalization import Normalization

__all__ = ["FCN", "SMP", "Normalization", "Segmenter", "Torchvision", "UNet"]
