"""The check of licences tells those that may be needed at run time from those that may not."""

import pytest

from tools.licences import ROOT, problems, required


@pytest.mark.parametrize(
    ("licence", "message"),
    [
        ("MIT", ""),
        ("MPL-2.0 AND MIT", ""),
        ("MIT OR GPL-2.0-only", ""),
        ("GPL-3.0-or-later", "does not allow"),
        ("MIT AND AGPL-3.0-only", "does not allow"),
        ("GNU Affero General Public License v3", "does not allow"),
        ("GNU General Public License v2 (GPLv2)", "does not allow"),
        ("GPL-2.0-only OR AGPL-3.0-only", "does not allow"),
        ("LGPL-2.1-or-later", "say why"),
        ("GNU Lesser General Public License v3 (LGPLv3)", "say why"),
        ("", "say why"),
    ],
)
def test_copyleft_is_not_allowed(licence: str, message: str) -> None:
    assert [message in line for line in problems({"a": licence})] == [True] * bool(message)


def test_what_runs_is_checked_and_tools_are_not() -> None:
    names = set(required(ROOT))
    assert {"seglit", "torch", "albumentations", "datasets", "wandb", "tensorboard", "mlflow-skinny"} <= names
    assert not names & {"pytest", "mypy", "ruff", "zizmor", "pycocotools"}
