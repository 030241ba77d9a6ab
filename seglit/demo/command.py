"""`seglit demo`: a page that predicts the pictures dropped on it."""

from pathlib import Path

from seglit.errors import InputError
from seglit.runs.named_run import folder_of
from seglit.runs.trusted import packages_of
from seglit.serve.command import LOOPBACK, require_packages

_EXAMPLES = 12
_LOCAL_NAMES = [*LOOPBACK, "[::1]", "["]  # older versions of Starlette cut [::1] at its first colon


def demo(
    run: str,
    static: str | None = None,
    examples: int | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    trust: str | list[str] | None = None,
) -> int:
    """Serves a page that predicts the pictures dropped on it: image, mask, overlay, and probabilities of a pixel.

    The page is served until Ctrl-C. With --static, a folder is written instead, which any web server can serve, and
    which predicts in the browser.

    Args:
        run: Run folder, checkpoint, or, without --static, file or bundle of `seglit export`, or hf:owner/name.
        static: New folder to write.
        examples: Number of test images to choose from; by default 12, and 0 in a folder, which may be published.
        host: Address to listen on; by default, only this machine can connect. 0.0.0.0: all networks, which then see the
            test images.
        port: Port; 0 chooses a free one.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Returns:
        0 if the folder was written, or after Ctrl-C.

    Raises:
        InputError: The run or an option is invalid, the address is in use, or a package is missing.
        RunError: The network cannot be exported.
    """
    if examples is not None and examples < 0:
        raise InputError(f"--examples {examples}: must be 0 or more")
    packages = packages_of(trust)
    if static is not None:
        _write(Path(run), Path(static).expanduser(), examples or 0, packages)
    else:
        _serve(run, _EXAMPLES if examples is None else examples, host, port, packages)
    return 0


def _write(run: Path, folder: Path, num_examples: int, trust: tuple[str, ...]) -> None:
    from seglit.demo.static_folder import write_static
    from seglit.export.proof import describe_proof

    print(describe_proof(write_static(run, folder, num_examples, trust)))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"demo: {folder} ({size / 2**20:.0f} MiB); to see it: python -m http.server --directory {folder}")


def _serve(run: str, num_examples: int, host: str, port: int, trust: tuple[str, ...]) -> None:
    require_packages()
    from seglit.demo.examples import Examples
    from seglit.demo.local_server import LIMITS, create_demo
    from seglit.demo.page import title_of
    from seglit.predict.load import find_model, load
    from seglit.serve.server import listen, run_server

    folder = folder_of(find_model(run).absolute())
    hosts = _LOCAL_NAMES if host in LOOPBACK else ["*"]
    with listen(host, port) as listener:
        examples = Examples.of_run(folder, num_examples, trust)
        run_server(create_demo(load(run, trust), title_of(folder), examples, hosts), listener, LIMITS)
