"""Networks: images (B, C, H, W) in, logits (B, num_classes, H, W) out, at the input's own size, for any size.

Every network is built as `Network(num_classes, in_channels=3, ...)` and has

- `encoder`: the module that may be pretrained, frozen or given its own learning rate,
- `normalization`: the `Normalization` that its pretrained weights expect, or None.

In training mode a network may return a tuple `(logits, *auxiliary_logits)`, all of the same shape.
"""

from seglit.networks.fcn import FCN
from seglit.networks.smp import SMP
from seglit.networks.torchvision import Torchvision
from seglit.networks.unet import UNet
from seglit.normalization import Normalization

__all__ = ["FCN", "SMP", "Normalization", "Torchvision", "UNet"]
