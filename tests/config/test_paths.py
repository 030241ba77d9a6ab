"""Paths of a configuration, which config.yaml states for every folder."""

from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace

from seglit.config.paths import make_absolute

make: Any = Namespace


def test_a_folder_is_told_from_a_repository_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/saved").mkdir(parents=True)
    for kind, path, absolute in (
        ("seglit.data.HuggingFaceDataModule", "data/saved", str(tmp_path / "data/saved")),
        ("seglit.data.HuggingFaceDataModule", "owner/name", "owner/name"),
        ("mine.DataModule", "data/saved", "data/saved"),  # relative to what it likes
    ):
        data = make(class_path=kind, init_args=make(path=path))
        trainer, model = make(default_root_dir="runs"), make(network=make())
        make_absolute(make(trainer=trainer, init_from=None, model=model, data=data))
        assert data.init_args.path == absolute
