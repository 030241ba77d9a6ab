"""How the masks of a folder are read beside their images: the settings that a first reading of all pairs finds."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from seglit.images.mask_settings import MaskSettings
from seglit.images.scaling import Size, scale_range
from seglit.inspect.facts import MaskFacts
from seglit.inspect.instances import Instances
from seglit.inspect.orientation import Orientations, OrientationVerdict

_MIN_PIXELS, _MIN_SHARE = 3, 0.02  # masks that differ from their image by less are cropped, not resized

Range = tuple[float, float]


@dataclass(frozen=True)
class MaskReading:
    """How masks are read beside their images.

    Args:
        settings: The settings of the data module.
        scale: Scale of most masks, if it is not 1.
        orientation: What the masks beside turned images tell.
        question: What only the user can answer about instances, else empty.
    """

    settings: MaskSettings = field(default_factory=MaskSettings)
    scale: float | None = None
    orientation: OrientationVerdict = field(default_factory=OrientationVerdict)
    question: str = ""

    def fits(self, image: Size, mask: Size) -> bool:
        """Whether a mask has the size of its image, or the scale of most masks."""
        sides = scale_range(image, mask)
        return image == mask or (self.scale is not None and sides is not None and sides[0] < self.scale < sides[1])

    @property
    def yaml(self) -> dict[str, tuple[Any, str]]:
        """Settings that differ from the defaults, each with the reason."""
        settings: dict[str, tuple[Any, str]] = {}
        if self.settings.orientation is not None:
            settings["mask_orientation"] = self.settings.orientation, self.orientation.reason
        if self.settings.divisor > 1:
            settings["mask_divisor"] = self.settings.divisor, "values are class * mask_divisor + instance"
        if self.scale is not None:
            settings["resize_masks"] = True, f"masks are {self.scale:.4g} times the size of their images"
        return settings


@dataclass
class MaskEvidence:
    """What a first reading of all pairs tells about their masks.

    Args:
        orientations: Evidence of turned images.
        instances: Evidence of instance numbers.
        masks: Number of masks.
        scales: The scales that the sizes of a mask and its image allow, of those that are not of one size.
    """

    orientations: Orientations = field(default_factory=Orientations)
    instances: Instances = field(default_factory=Instances)
    masks: int = 0
    scales: list[Range] = field(default_factory=list)

    def add(self, file: Path, image: Size, mask: MaskFacts) -> None:
        """Adds a mask and the size of its image."""
        self.masks += 1
        self.orientations.add(file, mask)
        self.instances.add(mask.values, mask.pieces)
        difference = max(abs(mask.size[0] - image[0]), abs(mask.size[1] - image[1]))
        scales = scale_range(image, mask.size)
        if scales is not None and difference >= max(_MIN_PIXELS, _MIN_SHARE * max(image)):
            self.scales.append(scales)

    def conclude(self, divisor: int | None = None) -> MaskReading:
        """Returns how the masks are read, by the divisor of instance numbers if the user gave one."""
        orientation, scale = self.orientations.decide(), self._common_scale()
        question = self.instances.question(self.instances.divisor) if divisor is None else ""
        settings = MaskSettings(orientation.orientation, divisor or self.instances.divisor, scale is not None)
        return MaskReading(settings, scale, orientation, question)

    def must_read_again(self, reading: MaskReading) -> bool:
        """Whether the masks have to be read by these settings to be counted right."""
        is_turned = reading.settings.orientation == "stored" and bool(self.orientations.by_edges)
        return is_turned or reading.settings.resize or reading.settings.divisor > 1

    def _common_scale(self) -> float | None:
        """Returns the scale of most masks; None if there is none, or if it is 1."""
        ends = sorted([(low, 1) for low, _ in self.scales] + [(high, -1) for _, high in self.scales])
        count, most, common = 0, 0, None
        for (position, change), (following, _) in pairwise(ends):
            count += change
            if count > most:
                most, common = count, (position + following) / 2
        return common if 2 * most > self.masks else None
