"""Paths of a configuration, which config.yaml states for every folder."""

from pathlib import Path

import pytest
from jsonargparse import Namespace

from seglit.config.paths import make_absolute


def test_a_folder_is_told_from_a_repository_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/saved").mkdir(parents=True)
    expected = {"data/saved": str(tmp_path / "data/saved"), "owner/name": "owner/name"}
    for path, absolute in expected.items():
        config = Namespace(
            trainer=Namespace(default_root_dir="runs"),
            init_from=None,
            model=Namespace(network=Namespace()),
            data=Namespace(init_args=Namespace(path=path)),
        )
        make_absolute(config)
        assert config.data.init_args.path == absolute
