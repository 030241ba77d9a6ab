"""Chromium, driven through its DevTools protocol over a pipe: uploads, screenshots, downloads, and what it requests."""

import base64
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome") if os.name == "posix" else ()
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
WIDTHS = (1280, 390)  # of a desktop and of a phone, in pixels
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Browser:
    """A page in headless Chromium.

    Args:
        folder: For its profile and its downloads.
    """

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.events: list[dict[str, Any]] = []
        self.count = 0
        to_browser, self.commands = _pipe()
        answers, from_browser = _pipe()
        null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)
        pipes = (os.POSIX_SPAWN_DUP2, to_browser, 3), (os.POSIX_SPAWN_DUP2, from_browser, 4)  # it expects these
        command = [str(BROWSER), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self.process = os.posix_spawn(command[0], command, os.environ, file_actions=[*null, *pipes])
        os.close(to_browser)
        os.close(from_browser)
        self.received = os.fdopen(answers, "rb")
        self.session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        # workers are targets of their own, which wait until `_receive` has enabled the events of their requests
        self.send("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        self.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._post("Browser.close", None)
        self.received.read()  # until it has ended
        os.waitpid(self.process, 0)
        self.received.close()
        os.close(self.commands)

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Calls a method and returns its result."""
        call = self._post(method, self.session, **params)
        while (message := self._receive()).get("id") != call:
            self.events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def wait_for(self, method: str) -> dict[str, Any]:
        """Returns the parameters of the next event of a kind that has not been waited for."""
        while True:
            for index, event in enumerate(self.events):
                if event.get("method") == method:
                    params: dict[str, Any] = self.events.pop(index)["params"]
                    return params
            self.events.append(self._receive())

    def evaluate(self, script: str) -> Any:
        """Returns the value of a JavaScript expression; awaits a promise."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, url: str, width: int) -> None:
        """Loads a page in a window of a width; 390 is a phone."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def upload(self, selector: str, file: Path) -> None:
        """Chooses a file in an input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def screenshot(self, file: Path) -> None:
        """Saves the window."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def downloaded(self) -> Path:
        """Waits for a download; returns its file."""
        name = self.wait_for("Page.downloadWillBegin")["suggestedFilename"]
        while self.wait_for("Page.downloadProgress")["state"] != "completed":
            pass
        return self.downloads / str(name)

    def errors(self) -> list[str]:
        """What went wrong in the page, in workers too, by the browser's log."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """The addresses that the page has requested."""
        sent = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def _post(self, method: str, session: str | None, **params: object) -> int:
        self.count += 1
        call = {"id": self.count, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.commands, json.dumps(call).encode() + b"\0")
        return self.count

    def _receive(self) -> dict[str, Any]:
        raw = bytearray()
        while (byte := self.received.read(1)) != b"\0":
            assert byte, "the browser has ended"
            raw += byte
        message: dict[str, Any] = json.loads(raw)
        if message.get("method") == "Target.attachedToTarget" and self.session is not None:
            for method in ("Network.enable", "Runtime.enable", "Log.enable", "Runtime.runIfWaitingForDebugger"):
                self._post(method, message["params"]["sessionId"])
        return message


def _pipe() -> tuple[int, int]:
    """Makes a pipe whose descriptors are none of the first ten."""
    import fcntl  # Windows has none

    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]
