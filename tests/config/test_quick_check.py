"""Errors that are found before torch is imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seglit.cli import SegmentationCLI
from seglit.config.quick_check import check_command_line, top_level_settings
from seglit.config.signatures import complete_groups, settings_of
from seglit.errors import InputError


class Parser(SegmentationCLI):
    """Makes the parser alone."""

    def before_instantiate_classes(self) -> None: ...

    def instantiate_classes(self) -> None: ...

    def _run_subcommand(self, subcommand: str) -> None: ...


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_settings_are_those_of_the_parser() -> None:
    cli = Parser(["fit", "--data=seglit.data.SyntheticDataModule", "--model.network=seglit.networks.UNet"])
    keys = set(vars(cli.config.fit)) - {"config", "__default_config__"}
    assert keys <= set(top_level_settings())
    assert set(top_level_settings()) - keys == {"verbose", "resume", "plan", "minutes"}
    for group in complete_groups():
        assert set(settings_of(group)) == set(vars(cli.config.fit[group])), group
    assert set(settings_of("data")) <= set(vars(cli.config.fit.data.init_args))


ERRORS = [
    (["fit", "-c", "none.yaml"], "no such file none.yaml"),
    (["fit", "-c", "broken.yaml"], "broken.yaml, line 2: not valid YAML"),
    (["fit", "-c", "bell.yaml"], "bell.yaml: not valid YAML (unacceptable character #x0007"),
    (["fit", "-c", "day.yaml"], "unknown setting 'modle'"),
    (["fit", "-c", "run.yaml"], "unknown setting 'modle'; did you mean 'model'? (run.yaml, line 1)"),
    (["fit", "--lr=1"], "unknown setting 'lr'; did you mean 'model.optimizer.lr'?"),
    (["fit", "--trainer.max_epoch=1"], "unknown setting 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?"),
    (["fit", "-c", "photos"], "photos: a folder, not a configuration file"),
    (["fit", "-c", "ended"], "ended: a run folder; its configuration is ended/config.yaml"),
    (["fit", "-c", "mine.yaml"], "contains one class only; name it as --data mine.yaml or --model mine.yaml"),
    (["fit", "--data", "photos"], "photos: a folder; seglit inspect photos --write mine.yaml writes its configuration"),
    (["fit", "photos"], "photos: a folder; seglit inspect photos --write mine.yaml writes its configuration"),
    (["fit", "--data=./photos/"], "a folder; seglit inspect ./photos/ --write mine.yaml writes its configuration"),
    (["fit", "--lr=1", "--data"], "unknown setting 'lr'"),
    (["fit", "--init_from", "endet"], "--init_from endet: no such file or folder; did you mean 'ended'?"),
    (["fit", f"--init_from={300 * 'x'}"], "no such file or folder"),
    (["fit", "--data=shapes", "--data.crop_size", "256", "256"], "fit takes options only, not '256'"),
    (["fit", "-c", "run.yaml", "broken.yaml"], "broken.yaml: name a configuration as fit -c broken.yaml"),
    (["test", "--data.root", "photos", "ended"], "test takes options only after RUN, not 'ended'"),
    (["validate", "mine.yaml"], "mine.yaml: name a configuration as validate -c mine.yaml"),
    (["test", "mine.yaml"], "mine.yaml: name a configuration as test -c mine.yaml"),
    (["test", "none"], "no such run folder"),
    (["fit", "--resume", "none"], "no such run folder"),
]


def test_errors_load_no_torch(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    (tmp_path / "bell.yaml").write_text("experiment: \a\n")
    (tmp_path / "day.yaml").write_text("experiment: 2026-30-11\nmodle: unet\n")  # the day first: no date of YAML
    (tmp_path / "run.yaml").write_text("modle: unet\n")
    (tmp_path / "mine.yaml").write_text("class_path: seglit.data.FolderDataModule\n")
    (tmp_path / "photos").mkdir()
    (tmp_path / "ended").mkdir()
    (tmp_path / "ended/config.yaml").touch()
    script = (
        "import sys\nfrom seglit.__main__ import main\n"
        f"for args in {[args for args, _ in ERRORS]}:\n"
        "    assert main(args) == 2\n"
        "assert main(['fit', '--help']) == main(['test', '--help']) == main(['preview', '-h']) == 0\n"
        "assert not {'torch', 'numpy', 'pytorch_lightning'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert len(lines) == len(ERRORS), done.stderr
    for line, (_, message) in zip(lines, ERRORS, strict=True):
        assert message in line
    assert done.returncode == 0


def test_preview_takes_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for value, message in (
        ("photos", "photos: a folder; seglit inspect photos"),
        ("x", "preview takes options only, not"),
    ):
        with pytest.raises(InputError, match=f"^{message}"):
            check_command_line(["preview", value])


@pytest.mark.parametrize(
    "options",
    [
        ["--trainer.callbacks+=pytorch_lightning.callbacks.Timer", "--data.help", "--print_config=skip_unset"],
        ["--model.network.init_args.channels=[4, 8]", "--protocol", "[background]", "--plan", "--minutes=3"],
    ],
)
def test_valid_options_pass(options: list[str]) -> None:
    check_command_line(["fit", "--data=shapes", *options])


def test_text_that_the_parser_would_decode_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("experiment: Straße\n", encoding="utf-8")
    check_command_line(["fit", "-c", str(file)])
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "cp1252")
    with pytest.raises(InputError, match="which Python reads as cp1252: set PYTHONUTF8=1"):
        check_command_line(["fit", "-c", str(file)])
    file.write_text("experiment: street\n", encoding="utf-8")
    check_command_line(["fit", "-c", str(file)])


def test_a_configuration_named_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("class_path: seglit.data.FolderDataModule\n")
    (tmp_path / "run.yaml").write_text("data: ~/mine.yaml\n")
    check_command_line(["fit", "-c", str(tmp_path / "run.yaml")])


@pytest.mark.parametrize("equals", [True, False])
def test_values_that_no_file_can_have_as_name(equals: bool) -> None:
    names = [f"class {number}" for number in range(40)]
    data = json.dumps({"class_path": "seglit.data.FolderDataModule", "init_args": {"class_names": names}})
    check_command_line(["fit", f"--data={data}"] if equals else ["fit", "--data", data])
    for args in (["fit", data], ["fit", "-c", data], ["fit", f"--model={data}.yaml"]):
        with pytest.raises(InputError):
            check_command_line(args)


def test_files_in_comments_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    (tmp_path / "run.yaml").write_text("model: unet # not broken.yaml\n")
    check_command_line(["fit", "-c", str(tmp_path / "run.yaml"), "--data=shapes"])
