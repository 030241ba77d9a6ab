"""Settings that differ between runs."""

from typing import Any

from seglit.runs.flat_settings import flat_settings
from seglit.runs.recorded_splits import is_recorded_list

_RUN_SPECIFIC = {
    "experiment",
    "trainer.default_root_dir",
    "checkpoint.dirpath",
    "ckpt_path",
    "save_minutes",
    "save_steps",
    "verbose",
}
"""Settings that name the run and its folders, or decide when it saves and what `test` prints; not compared."""


def differing_settings(configs: list[dict[str, Any]], environments: list[str]) -> dict[str, list[Any]]:
    """Finds the settings that are not the same in all runs.

    Args:
        configs: Complete configuration of each run.
        environments: Versions and hardware of each run, separated by commas.

    Returns:
        Dotted name, as on the command line, to one value per run, None if unset; then `environment`, with the parts
        that differ. Splits that were kept from a run are not compared: the images tell how they differ.
    """
    flat = [dict(flat_settings(config)) for config in configs]
    kept = {_parent(name) for settings in flat for name, value in settings.items() if is_recorded_list(value)}
    names = dict.fromkeys(
        name for settings in flat for name in settings if name not in _RUN_SPECIFIC and _parent(name) not in kept
    )
    parts = [environment.split(", ") for environment in environments]
    common = set(parts[0]).intersection(*parts[1:])
    rows = {
        **{name: [settings.get(name) for settings in flat] for name in names},
        "environment": [", ".join(part for part in run_parts if part not in common) or None for run_parts in parts],
    }
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
