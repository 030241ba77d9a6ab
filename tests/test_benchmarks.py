"""The benchmark of a GPU, as far as it runs on a CPU in a moment."""

import math
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import gpu
from benchmarks.correctness import Check, check_losses_and_scores, check_network, check_step, networks
from benchmarks.machine import now


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")
def test_checks_pass_on_the_cpu() -> None:
    for checks in (check_losses_and_scores(), check_network(networks()["Segmenter"]), check_step()):
        first = islice(checks, 1)
        _, row = gpu.measure_checks("checks", lambda first=first: first)  # type: ignore[misc]
        assert row.endswith("| ok |"), row


@pytest.mark.parametrize("difference", [2.0, math.nan])
def test_a_failed_check_does_not_end_the_benchmark(difference: float, capsys: pytest.CaptureFixture[str]) -> None:
    def checks() -> Iterator[Check]:
        yield "first", difference, 1.0
        yield "second", 0.5, 1.0

    printed = StringIO()
    assert not gpu._run(lambda: gpu.measure_checks("both", checks), Console(file=printed))
    assert [line.split(" | ")[-1] for line in printed.getvalue().splitlines()[-2:]] == ["FAILED |", "ok |"]
    assert "RunError: both: 1 check failed" in capsys.readouterr().err


def test_a_wrong_folder_is_found_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="contains no images/test"):
        gpu.benchmark_gpu(tmp_path)


def test_without_time_nothing_is_trained(tmp_path: Path) -> None:
    assert [*gpu.measure_camvid(tmp_path, tmp_path, now() + 1, ())] == ["CamVid: no time is left"]
