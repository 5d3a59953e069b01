"""Headless Chromium, driven over its debugging pipe with the standard library alone."""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_PATIENCE = 120  # seconds
_READY = "document.documentElement?.dataset.ready === 'yes'"


class Page:
    """One page of the browser.

    Attributes:
      troubles: console errors and warnings, exceptions and broken rules of the page, as texts.
      requests: addresses that were asked for, but for the page's own file and `data:`.
    """

    def __init__(self, pipe: "_Pipe", width: int, height: int, dark: bool):
        self._pipe = pipe
        target = pipe.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = pipe.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.troubles: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        if width < 600:
            self.ask("Emulation.setTouchEmulationEnabled", enabled=True)

    def ask(self, method: str, **parameters: Any) -> dict:
        """Sends a command and returns its answer."""
        answer = self._pipe.ask(method, self._session, **parameters)
        for event in self._pipe.events(self._session):
            self._note(event["method"], event["params"])
        return answer

    def _note(self, method: str, of: dict) -> None:
        if method == "Runtime.exceptionThrown":
            self.troubles.append(json.dumps(of["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning"):
            self.troubles.append(json.dumps(of["args"]))
        elif method == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
            self.troubles.append(json.dumps(of["entry"]))
        elif method == "Network.requestWillBeSent":
            url = of["request"]["url"]
            if not url.startswith("data:") and url != self._url:
                self.requests.append(url)

    def open(self, path: Path, ready: str = _READY) -> None:
        """Opens a file and waits until a JavaScript expression says that it is ready."""
        self._url = path.resolve().as_uri()
        self.ask("Page.navigate", url=self._url)
        self.wait(ready)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, as JSON gives it; a promise is waited for."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {json.dumps(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        until = time.monotonic() + _PATIENCE
        while not self.run(condition):
            if time.monotonic() > until:
                raise AssertionError(f"never true: {condition}. Troubles: {self.troubles}")
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """The text that an element shows."""
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, in CSS pixels."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        return x, y

    def move(self, x: float, y: float) -> None:
        """Moves the mouse."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """Clicks with the left button."""
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Presses a key of its JavaScript name."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
        codes |= {"Escape": 27, "Home": 36, "End": 35, " ": 32}
        for kind in ("keyDown", "keyUp"):
            code = codes.get(key, 0)
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Writes a PNG of what is seen, or of the whole page."""
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))


class _Pipe:
    def __init__(self, into: int, out: int):
        self._into, self._out, self._numbers = into, out, itertools.count(1)
        self._rest, self._events = b"", []

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._events.append(answer)

    def _read(self) -> dict:
        while b"\0" not in self._rest:
            if not select.select([self._out], [], [], _PATIENCE)[0]:
                raise AssertionError("the browser does not answer")
            self._rest += os.read(self._out, 1 << 20)
        text, self._rest = self._rest.split(b"\0", 1)
        return json.loads(text)

    def events(self, session: str) -> list[dict]:
        found = [event for event in self._events if event.get("sessionId") == session]
        self._events = [event for event in self._events if event.get("sessionId") != session]
        return found


class Browser:
    """A running browser."""

    def __init__(self, pipe: _Pipe):
        self._pipe = pipe

    def page(self, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """A new page; one narrower than 600 pixels is a phone's."""
        return Page(self._pipe, width, height, dark)


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Starts `CHROMIUM`, without access to any network, and ends it."""
    to_read, into = os.pipe()
    out, to_write = os.pipe()

    def as_three_and_four() -> None:
        read, write = os.dup(to_read), os.dup(to_write)
        os.dup2(read, 3)
        os.dup2(write, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            + ["--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"]
            + ["--disable-background-networking", "--hide-scrollbars"],
            preexec_fn=as_three_and_four,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        pipe = _Pipe(into, out)
        try:
            yield Browser(pipe)
            pipe.ask("Browser.close")
        finally:
            process.kill()
            process.wait()
            os.close(into)
            os.close(out)
