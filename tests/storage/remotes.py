"""File systems of fsspec that fail as told, and servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem

# An exception to raise, or what to make of the right bytes.
Answer = Exception | Callable[[bytes], bytes]


@dataclass
class Files:
    """What the file system holds, what it answers instead before it answers rightly, and what it was asked."""

    content: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, int | None, int | None]] = field(default_factory=list)

    def get(self, path: str, start: int | None, end: int | None) -> bytes:
        self.asked.append((path, start, end))
        if path not in self.content:
            raise FileNotFoundError(path)
        right = self.content[path][start:end]
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer(right) if answer else right


FILES = Files()


class Flaky(AbstractFileSystem):  # type: ignore[misc, unused-ignore]
    protocol = "flaky"

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        return FILES.get(path, start, end)


class Sleepy(AsyncFileSystem):  # type: ignore[misc, unused-ignore]
    """Answers a bytes range late when told to; asynchronous, as S3 and HTTP are."""

    protocol = "sleepy"
    cachable = False
    naps_s: list[float] = []  # noqa: RUF012

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        if self.naps_s:
            await asyncio.sleep(self.naps_s.pop(0))
        return FILES.get(path, start, end)


def register() -> None:
    """Make both kinds known, with no files and nothing to answer wrongly."""
    FILES.content, FILES.answers, FILES.asked, Sleepy.naps_s = {}, [], [], []
    for kind in (Flaky, Sleepy):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3 on a free port; its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
