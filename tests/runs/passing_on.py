"""A network that passes its arguments on, as one of a user may."""

from typing import Any

from seglit.networks import UNet


class PassingOn(UNet):
    """A U-Net under another name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class TwoClasses(UNet):
    """A U-Net of two classes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(num_classes=2, **kwargs)
