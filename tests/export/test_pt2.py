"""PyTorch's own files: loaded only if they are trusted."""

from pathlib import Path

import numpy as np
import pytest

import seglit
from seglit.predict import Settings
from seglit.runs.trusted import NotTrustedError
from tests.export.checkpoints import export, picture, write_checkpoint


def test_file_is_loaded_if_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-compiler")  # which would take a minute
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8])
    file = export(tmp_path, checkpoint, "--format=pt2", name="model.pt2")
    with pytest.raises(NotTrustedError, match=r"model.pt2: runs native code of its own; .* --trust pt2"):
        seglit.load(file)
    expected = seglit.load(checkpoint)
    expected.settings = Settings(precision="32-true")
    assert np.mean(seglit.load(file, trust="pt2")(picture(71, 50)) == expected(picture(71, 50))) > 0.999
    assert str(Path(seglit.__file__).parent).encode() not in file.read_bytes()
