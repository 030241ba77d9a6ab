"""Checks the licences of everything that seglit needs at run time, with all extras: `make licences`.

It reads what each installed distribution states of itself. What wheels bundle is not in that: OpenCV's have FFmpeg
(LGPL, a library of its own that is loaded), NumPy's and SciPy's have GCC's libgfortran (GPL with the exception for
programs that are compiled with it).
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution

from packaging.requirements import Requirement

ROOT = "seglit[completion,export,huggingface,mlflow,serve,tensorboard,wandb]"
REVIEWED: dict[str, str] = {
    "cuda-toolkit": "NVIDIA's, like the packages that it requires; comes with torch, and states no licence",
}
"""Distributions that state a copyleft licence, or none, to the reason why seglit may need them; none under (A)GPL."""

_GPL = re.compile(r"(?<!L)GPL|Affero|GNU General Public")
_COPYLEFT = re.compile(r"GPL|Affero|General Public")


def required(root: str) -> Iterator[str]:
    """Yields the names of a distribution, and of those that it requires on this machine."""
    extras_of, pending = dict[str, set[str]](), [Requirement(root)]
    while pending:
        requirement = pending.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in extras_of:
            yield name
        new = {"", *requirement.extras} - extras_of.get(name, set())
        extras_of.setdefault(name, set()).update(new)
        pending += [
            needed
            for needed in map(Requirement, distribution(name).requires or [])
            if any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in new)
        ]


def stated_licence(name: str) -> str:
    """Returns the licence that a distribution states: as an expression, else by classifiers, else as text."""
    metadata = distribution(name).metadata.json
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get("classifier", []) if "License ::" in line]
    stated = metadata.get("license_expression") or "; ".join(classifiers) or metadata.get("license") or ""
    return str(stated).strip().partition("\n")[0]


def problems(licences: Mapping[str, str]) -> list[str]:
    """Returns a line for each distribution whose licence is not allowed.

    Args:
        licences: Name to licence. Of alternatives (`MIT OR GPL-2.0-only`) one has to be allowed.
    """
    lines = []
    for name, licence in sorted(licences.items()):
        alternatives = licence.split(" OR ")
        if all(_GPL.search(each) for each in alternatives):
            lines.append(f"{name}: {licence}, which seglit's own licence does not allow")
        elif all(not each or _COPYLEFT.search(each) for each in alternatives) and name not in REVIEWED:
            lines.append(f"{name}: {licence or 'states no licence'}; if it may be used, say why in tools/licences.py")
    return lines


def main() -> None:
    """Prints how many distributions have each licence, and those that are not allowed; exits with 1 if any is not."""
    licences = {name: stated_licence(name) for name in required(ROOT)}
    for licence in sorted(set(licences.values())):
        names = [name for name, stated in licences.items() if stated == licence]
        listed = f": {', '.join(sorted(names))}" if len(names) < 4 else ""
        sys.stdout.write(f"{len(names):3} {licence or 'none stated'}{listed}\n")
    found = problems(licences)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"{len(licences)} distributions, {len(found)} not allowed\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
