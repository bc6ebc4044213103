"""File systems of fsspec that fail as told, and servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from neurodata.storage import _remote

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


class Stumbling(MemoryFileSystem):  # type: ignore[misc, unused-ignore]
    """A file system in memory that can be written to, and raises before or after it has done what it was asked."""

    protocol = "stumbling"
    cachable = False
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    # Asked with the method and the path, before and (True) after it is done.
    stumble: Callable[[str, str, bool], None] = staticmethod(lambda method, path, is_done: None)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(str(path).replace("stumbling://", "memory://", 1)))

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        self._stumbling("put_file", rpath, lambda: super(Stumbling, self).put_file(lpath, rpath, **options))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        self._stumbling("pipe_file", path, lambda: super(Stumbling, self).pipe_file(path, value, mode, **options))

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        self._stumbling("cp_file", path1, lambda: super(Stumbling, self).cp_file(path1, path2, **options))

    def rm_file(self, path: str) -> None:
        self._stumbling("rm_file", path, lambda: super(Stumbling, self).rm_file(path))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> Any:
        return self._stumbling("cat_file", path, lambda: super(Stumbling, self).cat_file(path, start, end, **options))

    def find(self, path: str, *arguments: Any, **options: Any) -> Any:
        return self._stumbling("find", path, lambda: super(Stumbling, self).find(path, *arguments, **options))

    def _stumbling(self, method: str, path: str, do: Callable[[], Any]) -> Any:
        self.stumble(method, path, False)
        done = do()
        self.stumble(method, path, True)
        return done


def register() -> None:
    """Make all kinds known, with no files and nothing to answer wrongly."""
    FILES.content, FILES.answers, FILES.asked, Sleepy.naps_s = {}, [], [], []
    Stumbling.store, Stumbling.pseudo_dirs, Stumbling.stumble = {}, [""], staticmethod(lambda *_: None)
    for kind in (Flaky, Sleepy, Stumbling):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)


@contextlib.contextmanager
def s3_server(fault: Callable[[str, str], S3Fault | None] = lambda method, path: None) -> Iterator[str]:
    """Moto's S3 on a free port; its address.

    `fault` is asked for each request, with its method and path, whether something else shall be answered.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    backend = DomainDispatcherApplication(create_backend_app)

    def application(environ: Any, start_response: Any) -> Any:
        found = fault(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if found is None:
            return backend(environ, start_response)
        if found.is_done:
            b"".join(backend(environ, lambda *_: None))  # the request arrived; its answer is lost
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        time.sleep(found.wait_s)
        body = f"<Error><Code>{found.code}</Code><Message>as told</Message></Error>".encode()
        start_response(found.status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class S3Fault:
    """What an S3 answers instead, after how long, and whether it has done what it was asked all the same."""

    status: str = "500 Internal Server Error"
    code: str = "InternalError"
    wait_s: float = 0.0
    is_done: bool = False


@contextlib.contextmanager
def s3_bucket(patch: pytest.MonkeyPatch, address: str) -> Iterator[str]:
    """A new bucket on such a server, which fsspec finds in this process and its children; its URL."""
    import s3fs

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("FSSPEC_S3_ENDPOINT_URL", address)
    patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": address})
    bucket = f"lab-{os.urandom(4).hex()}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    _remote._filesystem.cache_clear()
    yield f"s3://{bucket}"
    _remote._filesystem.cache_clear()
