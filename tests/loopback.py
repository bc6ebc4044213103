"""An HTTP server on this machine that answers as told, also wrongly."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Asked:
    """What came with one request."""

    path: str
    range: str | None
    if_range: str | None


@dataclass
class Loopback:
    """Answers by path; the last of several answers is given again and again."""

    port: int
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, *answers: Answer) -> str:
        self.answers[f"/{path}"] = list(answers)
        return f"http://127.0.0.1:{self.port}/{path}"

    def ranges(self) -> list[str | None]:
        return [asked.range for asked in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Looks up the answer to give."""

    loopback: Loopback

    def do_GET(self) -> None:
        self.loopback.asked.append(Asked(self.path, self.headers["Range"], self.headers["If-Range"]))
        answers = self.loopback.answers[self.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer(self)
        self.close_connection = True

    def start(self) -> int:
        """First byte asked for."""
        wanted = self.headers["Range"]
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""


def serve(
    content: bytes, etag: str | None = '"v1"', cut: int | None = None, stall: bool = False, **headers: str
) -> Answer:
    """A right answer to any Range and If-Range; `cut`: no more than so many bytes of it; `stall`: then silence."""

    def answer(handler: Handler) -> None:
        start = handler.start()
        if etag:
            headers["ETag"] = etag
        if handler.headers["If-Range"] not in (None, etag, headers.get("Last_Modified")):
            start = 0
        if start >= len(content) > 0:
            return handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
        body = content[start:]
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206 if start else 200, Content_Length=len(body), **headers)
        handler.wfile.write(body[:cut])
        if stall:
            handler.loopback.closing.wait(10)
        return None

    return answer


def ranged(content: bytes, *, status: int = 206, cut: int | None = None) -> Answer:
    """An HTTP answer to `bytes=a-b`; `cut`: the connection ends after so many bytes."""

    def answer(handler: Handler) -> None:
        wanted = handler.headers["Range"]
        first, last = map(int, wanted.removeprefix("bytes=").split("-")) if wanted else (0, len(content) - 1)
        body = content[first : last + 1]
        if status >= 400:
            return handler.head(status, Content_Length=0)
        handler.head(status if wanted else 200, Content_Length=len(body))
        handler.wfile.write(body[:cut])
        return None

    return answer


def ignore_range(content: bytes, cut: int | None = None) -> Answer:
    """The whole file, whatever was asked for."""
    return fixed(200, content[:cut], Content_Length=len(content))


def fixed(status: int, body: bytes = b"", **headers: object) -> Answer:
    """Always this."""

    def answer(handler: Handler) -> None:
        handler.head(status, **headers)
        handler.wfile.write(body)

    return answer


class _Server(ThreadingHTTPServer):
    # Of connections that wait to be accepted; beyond, a client tries again after a second.
    request_queue_size = 128


def start_server() -> tuple[Loopback, Callable[[], None]]:
    """A running server, and what stops it."""
    handler = type("BoundHandler", (Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    handler.loopback = Loopback(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop() -> None:
        handler.loopback.closing.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()

    return handler.loopback, stop  # type: ignore[attr-defined]
