"""Measures the speed of the hot paths: all of them, or those that are named.

python -m benchmarks training scoring --training.rounds 1

Two are commands of their own: `python -m benchmarks gpu`, what there is to check and measure on a GPU, and `python -m
benchmarks export`, what can be exported and how fast it is then.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, auto_cli
from rich.console import Console
from rich.table import Table

from benchmarks.export import benchmark_export
from benchmarks.gpu import benchmark_gpu
from benchmarks.input import measure_input
from benchmarks.inspect import measure_inspect
from benchmarks.machine import describe_machine
from benchmarks.memory import measure_memory
from benchmarks.predict import measure_predict
from benchmarks.scoring import measure_scoring
from benchmarks.serve import measure_serve
from benchmarks.startup import measure_startup
from benchmarks.training import measure_training

BENCHMARKS: dict[str, Callable[..., Table]] = {
    "training": measure_training,
    "input": measure_input,
    "predict": measure_predict,
    "scoring": measure_scoring,
    "startup": measure_startup,
    "inspect": measure_inspect,
    "memory": measure_memory,
    "serve": measure_serve,
}
STANDARD_AUGMENTATION = Path(__file__).parents[1] / "configs" / "augment" / "standard.yaml"


def main() -> None:
    """Runs the benchmarks that the command line names and prints a table for each."""
    parser = ArgumentParser(prog="python -m benchmarks", description="Measures the speed of the hot paths.")
    parser.add_argument(
        "names",
        nargs="*",
        type=Literal["training", "input", "predict", "scoring", "startup", "inspect", "memory", "serve"],
        help="Which; without any, all.",
    )
    for name, measure in BENCHMARKS.items():
        parser.add_function_arguments(measure, name, sub_configs=True)
    parser.set_defaults({"input.augment": str(STANDARD_AUGMENTATION)})
    config = parser.instantiate(parser.parse_args())
    console = Console()
    console.print(describe_machine(), highlight=False, soft_wrap=True)
    for name in config.names or BENCHMARKS:
        console.print(BENCHMARKS[name](**config[name]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["gpu"]:
        sys.exit(not auto_cli(benchmark_gpu, args=sys.argv[2:], as_positional=False))
    if sys.argv[1:2] == ["export"]:
        sys.exit(auto_cli(benchmark_export, args=sys.argv[2:], as_positional=False))
    main()
