"""The graph that every format exports: image as stored in, class indices and probabilities out."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from seglit.errors import RunError
from seglit.exported.choices import FilePrecision, Output
from seglit.exported.description import Dtype, Size
from seglit.exported.runtime import reason
from seglit.labels import IGNORE_INDEX
from seglit.runs.checkpoint import ModelRecord

if TYPE_CHECKING:
    from torch.export import ExportedProgram

TRACED_SIZE = (65, 97)
"""Size of the image by which a graph for any size is traced: 2^n + 1 and the like, which stay odd when they are halved.

So every level of a network pads and crops. AOTInductor leaves out what changes nothing at this size, for any size.
"""


class Graph(nn.Module):
    """Normalises, calls the network, and reduces its logits.

    Args:
        network: The network in evaluation mode; it pads to its stride and crops again.
        record: Its classes and normalisation.
        dtype: Type of the images.
        size: Height and width of the images; None for any.
        precision: Precision of the file.
        output: The one output to return; None returns both.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        record: ModelRecord,
        dtype: Dtype,
        size: Size | None,
        precision: FilePrecision,
        output: Output | None = None,
    ) -> None:
        super().__init__()
        for module in network.modules():  # ONNX has nn.Hardswish, but not its in-place form, which becomes many nodes
            if vars(module).get("inplace"):
                vars(module).update(inplace=False)
        self.network = network
        self.architecture = record.architecture
        self.in_channels = record.in_channels
        self.dtype = cast(torch.dtype, vars(torch)[dtype])
        self.size = size
        self.precision = precision
        self.output = output
        self.divisor = record.normalization.divisor(self.dtype)
        self.register_buffer("mean", torch.tensor(record.normalization.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(record.normalization.std).view(-1, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Returns the mask uint8 (N, H, W), 255 for NaN or infinity, and probabilities float32 (N, classes, H, W).

        Args:
            image: (N, C, H, W) as stored.
        """
        normal = (image.float() / self.divisor - self.mean) / self.std
        weights = next(self.network.parameters())
        # not `networks.contract.forward`, whose check of the shape would fix the number of images
        output = self.network(normal.to(weights.dtype))
        logits: Tensor = (output[0] if isinstance(output, tuple) else output).float()
        largest, indices = logits.max(1)
        is_finite = largest.abs() < torch.inf  # which NaN is not
        mask = torch.where(is_finite, indices, IGNORE_INDEX).to(torch.uint8)
        outputs = {"mask": mask, "probabilities": logits.softmax(1)}
        return tuple(outputs.values()) if self.output is None else (outputs[self.output],)


def trace(graph: Graph) -> "ExportedProgram":
    """Traces the graph for any number of images, of its size or of any.

    Raises:
        RunError: The network cannot be traced.
    """
    # slow imports, which prediction with a checkpoint does not need
    from torch.export import Dim, export
    from torch.fx.experimental import _config

    # two images, as a dimension of 1 would be taken for a constant
    example = torch.zeros(2, graph.in_channels, *(graph.size or TRACED_SIZE), dtype=graph.dtype)
    dynamic = dict.fromkeys([0] if graph.size else [0, 2, 3], Dim.DYNAMIC)
    try:
        # else the parities of the traced size, and more than one image, become assumptions
        with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]  # made when it is imported
            program = export(graph, (example,), dynamic_shapes=(dynamic,))
    except Exception as error:
        raise RunError(f"torch.export cannot trace {graph.architecture} ({reason(error)})") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program
