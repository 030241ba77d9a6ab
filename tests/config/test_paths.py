"""Paths of a configuration, which config.yaml states for every folder."""

from pathlib import Path

import pytest
from jsonargparse import dict_to_namespace

from seglit.config.paths import make_absolute


def test_a_folder_is_told_from_a_repository_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/saved").mkdir(parents=True)
    settings = {"trainer": {"default_root_dir": "runs"}, "init_from": None, "model": {"network": {}}}
    for kind, path, absolute in (
        ("seglit.data.HuggingFaceDataModule", "data/saved", str(tmp_path / "data/saved")),
        ("seglit.data.HuggingFaceDataModule", "owner/name", "owner/name"),
        ("mine.DataModule", "data/saved", "data/saved"),  # relative to what it likes
    ):
        config = dict_to_namespace({**settings, "data": {"class_path": kind, "init_args": {"path": path}}})
        make_absolute(config)
        assert config.data.init_args.path == absolute
