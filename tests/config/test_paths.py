"""Paths of a configuration, which config.yaml states for every folder."""

from pathlib import Path

import pytest
from jsonargparse import dict_to_namespace

from seglit.config.paths import make_absolute


def test_a_folder_is_told_from_a_repository_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/saved").mkdir(parents=True)
    settings = {"trainer": {"default_root_dir": "runs"}, "init_from": None, "model": {"network": {}}}
    for path, absolute in {"data/saved": str(tmp_path / "data/saved"), "owner/name": "owner/name"}.items():
        config = dict_to_namespace({**settings, "data": {"init_args": {"path": path}}})
        make_absolute(config)
        assert config.data.init_args.path == absolute
