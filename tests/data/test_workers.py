"""Workers, prefetched batches and pinned memory of the loaders on different machines."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from seglit.data import SyntheticDataModule, workers

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on a small machine
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]


def loaded(device: str = "cpu", ranks: int = 1, num_workers: int | None = None, **strategy: Any) -> Any:
    """The validation loader on a machine that the trainer says has so many ranks on such devices."""
    data = SyntheticDataModule(2, 2, 2, (8, 8), num_workers=num_workers)
    strategy["root_device"] = torch.device(device)
    cast(Any, data).trainer = SimpleNamespace(
        world_size=ranks, global_rank=0, num_devices=ranks, strategy=SimpleNamespace(**strategy)
    )
    return data.val_dataloader()


def have_cores(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(workers, "_QUOTA", Path("none"))


@pytest.mark.parametrize(
    ("cores", "device", "ranks", "expected"),
    [
        (2, "cpu", 1, 1),
        (12, "cpu", 1, 6),
        (96, "cpu", 1, 8),
        (12, "cpu", 2, 3),
        (1, "cuda", 1, 1),
        (8, "cuda", 1, 7),
        (32, "cuda", 4, 7),
        (96, "cuda", 2, 16),
        (4, "cuda", 8, 1),
    ],
)
def test_workers_by_cores_and_ranks(
    monkeypatch: pytest.MonkeyPatch, cores: int, device: str, ranks: int, expected: int
) -> None:
    have_cores(monkeypatch, cores)
    loader = loaded(device, ranks)
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (expected, 2, True)
    assert loader.pin_memory == (device == "cuda")


def test_num_workers_is_used_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    have_cores(monkeypatch, 8)
    assert loaded("cuda", num_workers=3).num_workers == 3
    none = loaded("cuda", num_workers=0)
    assert (none.num_workers, none.prefetch_factor, none.persistent_workers) == (0, None, False)


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 7), ("400000 100000", 3), ("150000 100000", 1)])
def test_cgroup_limits_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int) -> None:
    have_cores(monkeypatch, 8)
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(workers, "_QUOTA", tmp_path / "cpu.max")
    assert loaded("cuda").num_workers == expected


def test_slurm_limits_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    have_cores(monkeypatch, 8)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "6")
    assert loaded("cuda", 4, cluster_environment=SLURMEnvironment()).num_workers == 5
    assert loaded("cuda", 4).num_workers == 1  # ranks that Lightning starts share a task's
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    assert loaded("cuda", 4, cluster_environment=SLURMEnvironment()).num_workers == 1


def test_loading_as_text() -> None:
    assert str(workers.Loading(1, 2, pinned=False)) == "1 worker, 2 batches prefetched, not pinned"
    assert str(workers.Loading(7, 14, pinned=True)) == "7 workers, 14 batches prefetched, pinned"
