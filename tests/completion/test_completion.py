"""The script of `seglit completion`, called as the shell calls it on Tab."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run


def test_bash_completes_commands_options_and_values(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    (tmp_path / "runs").mkdir()
    for shell, sign in (("zsh", "#compdef seglit"), ("fish", "complete -c seglit")):
        code, script, _ = run("completion", shell)
        assert code == 0
        assert sign in script
    code, script, err = run("completion", "bash")
    assert (code, err) == (0, "")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    (tmp_path / "seglit.bash").write_text(script)

    def completed(*words: str) -> set[str]:
        call = (
            f'COMP_WORDS=(seglit {" ".join(words)}); COMP_CWORD={len(words)}; _shtab_seglit; echo "${{COMPREPLY[@]}}"'
        )
        done = subprocess.run(
            [bash, "-c", f"source seglit.bash; {call}"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert completed("pre") == {"preview", "predict"}
    assert {"--trainer.max_epochs", "--trainer.max_steps"} <= completed("fit", "--trainer.max_")
    assert {"--data.batch_size", "--model.optimizer.lr", "--patience"} <= completed("fit", "--")
    assert completed("fit", "--model", "unet-b") == {"unet-bilinear"}
    assert completed("predict", "--flips", "") == {"none", "horizontal", "all"}
    assert completed("test", "ru") == {"runs"}


@pytest.mark.parametrize(("shell", "hint"), [("csh", "; did you mean 'zsh'?"), ("powershell", "")])
def test_unknown_shell(run: Run, shell: str, hint: str) -> None:
    code, _, err = run("completion", shell)
    assert code == 2
    assert err.strip() == f"seglit: error: shell is '{shell}'; expected one of 'bash', 'zsh', 'fish'{hint}"
