"""What an exported file can be: format, precision, output. Loads no torch."""

from typing import Literal

FormatName = Literal["onnx", "openvino", "pt2"]
FilePrecision = Literal["float32", "bfloat16", "float16", "int8"]
Output = Literal["mask", "probabilities"]
OUTPUTS: tuple[Output, ...] = ("mask", "probabilities")
