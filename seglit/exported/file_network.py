"""An exported file as a network that a predictor calls as it calls any other."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglit.errors import InputError, RunError
from seglit.exported.description import Description, fill_values
from seglit.exported.runtime import Run, reason
from seglit.labels import IGNORE_INDEX
from seglit.normalization import Normalization

_OTHER_CLASS = -100.0
"""Score of the classes that a mask does not name; its softmax is 0 in float32."""


@dataclass(frozen=True)
class StoredUnits(Normalization):
    """Leaves images in stored units, apart from a shift by which pixels without data, which become 0, are the mean.

    Args:
        dtype: The only type of images that the file accepts.
        file: The file, of which messages have the name: clients of `seglit serve` see them.
    """

    dtype: str = "uint8"
    file: Path = Path()

    def divisor(self, dtype: torch.dtype) -> float:
        """Returns 1.

        Raises:
            InputError: The images are of another type than the file expects.
        """
        if (name := str(dtype).removeprefix("torch.")) != self.dtype:
            raise InputError(f"images hold {name} values, but {self.file.name} was exported for {self.dtype}")
        return 1.0


class FileNetwork(nn.Module):
    """Runs an exported file on images that `StoredUnits` has prepared.

    Args:
        run: The loaded file.
        description: Its description.
        file: The file, of which messages have the name: clients of `seglit serve` see them.
    """

    def __init__(self, run: Run, description: Description, file: Path) -> None:
        super().__init__()
        self.run = run
        self.description = description
        self.file = file
        self.num_classes = description.model.labels.num_classes
        self.dtype = cast(torch.dtype, vars(torch)[description.dtype])
        fill = fill_values(description.model, description.dtype)
        self.units = StoredUnits(fill, (1.0,), 1.0, description.dtype, file)
        self.fill = torch.tensor(fill).view(-1, 1, 1)

    def check_size(self, height: int, width: int) -> None:
        """Raises InputError if the file is for images of another size; native code would not notice."""
        if self.description.size not in (None, (height, width)):
            sides = " x ".join(map(str, self.description.size or ()))
            raise InputError(
                f"{self.file.name} is for images of {sides} pixels, not {height} x {width}; export it without --size"
            )

    def forward(self, shifted: Tensor) -> Tensor:
        """Returns log-probabilities (N, classes, H, W), up to a constant, of images (N, C, H, W).

        Raises:
            InputError: The file is for images of another size.
            RunError: The runtime fails.
        """
        self.check_size(*shifted.shape[2:])
        stored = shifted.cpu() + self.fill
        if not self.dtype.is_floating_point:
            stored = stored.round()  # resized images, under test-time augmentation
        try:
            with torch.autocast(shifted.device.type, enabled=False):  # a graph of PyTorch has its own precision
                output = torch.from_numpy(self.run(stored.to(self.dtype).contiguous().numpy()))
        except Exception as error:
            raise RunError(f"{self.file.name} cannot be run on {tuple(stored.shape)} ({reason(error)})") from error
        scores = self._scores_of_mask(output) if self.description.output == "mask" else output.log()
        return scores.to(shifted.device)

    def _scores_of_mask(self, mask: Tensor) -> Tensor:
        without_nan = mask.masked_fill(mask == IGNORE_INDEX, 0)
        chosen = F.one_hot(without_nan.long(), self.num_classes).permute(0, 3, 1, 2).bool()
        scores = torch.full(chosen.shape, _OTHER_CLASS).masked_fill(chosen, 0.0)
        return scores.masked_fill((mask == IGNORE_INDEX)[:, None], torch.nan)
