"""ONNX Runtime for browsers, from npm."""

import hashlib
import shutil
import subprocess
import tarfile
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from seglit.errors import InputError, printable

PACKAGE = "onnxruntime-web@1.30.0"  # the version that the page is tested with
_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""The script, and the WebAssembly (14 MB) that it runs on CPUs."""


def download() -> dict[str, bytes]:
    """Downloads the package by `npm pack`, or from npm's cache; returns `FILES` by name.

    Raises:
        InputError: npm is not installed, cannot download the package, or got another one.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"--static needs {PACKAGE}, which npm downloads, and npm is not installed: install Node.js")
    with TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--ignore-scripts", "--prefer-offline", "--pack-destination", folder]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # fixed arguments
        packed = [*Path(folder).glob("*.tgz")]
        if done.returncode or len(packed) != 1:
            lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
            reason = printable(lines[-1] if lines else f"exit code {done.returncode}")
            raise InputError(f"--static needs {PACKAGE}, which npm cannot download ({reason})")
        if hashlib.sha256(packed[0].read_bytes()).hexdigest() != _SHA256:
            raise InputError(f"npm's {PACKAGE} is not the file that seglit was tested with: its SHA-256 differs")
        with tarfile.open(packed[0]) as package:
            return {name: _read(package, f"package/dist/{name}") for name in FILES}


def licences() -> dict[str, bytes]:
    """Returns the licence of ONNX Runtime and the notices of what it contains, which its npm package lacks, by name.

    They are those of the Python package, which has proven the network.
    """
    return {name: (files("onnxruntime") / name).read_bytes() for name in ("LICENSE", "ThirdPartyNotices.txt")}


def _read(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    assert file is not None  # noqa: S101  # a file of this very package
    return file.read()
