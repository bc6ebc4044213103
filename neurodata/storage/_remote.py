"""Files behind a URL, through fsspec: whole ones and ranges, asked for again when the net fails, never for ever."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from neurodata.errors import MissingExtraError, StorageError
from neurodata.storage._location import Location, RemotePath
from neurodata.storage._ranges import merge_ranges

# A request to object storage takes as long as some megabytes do; at most so much is asked for at once.
GAP_BYTES = 1 << 20
LONGEST_BYTES = 8 << 20
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
# Asking again would not help.
_FINAL = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ImportError,
    ValueError,
    TypeError,
)
_TRANSIENT_STATUS = frozenset({408, 425, 429})

# (start, stop) half-open, or None for the whole file.
Range: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a file is asked for.

    Parameters
    ----------
    attempts
        Requests for the same bytes before giving up.
    pause_s
        After the first failure; doubled after each further one.
    attempt_s
        Longest wait for one answer (of file systems that fsspec runs asynchronously: S3, GCS, HTTP, Azure; others have
        time-outs of their own).
    total_s
        Longest wait for all of them together.
    """

    attempts: int = 5
    pause_s: float = 0.2
    attempt_s: float = 60.0
    total_s: float = 120.0


PATIENCE = Patience()


class RemoteFile:
    """A file behind a URL; `RandomAccess`. Nothing is held open: it may be used after a fork."""

    def __init__(self, path: RemotePath, size_bytes: int) -> None:
        self.path: Location = path
        self.size_bytes = size_bytes
        self._url = path

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """One request."""
        self.read_many([(offset, buffers)])

    def read_many(self, wanted: Sequence[tuple[int, Sequence[memoryview]]]) -> None:
        """Ranges with less than `GAP_BYTES` between them share a request; requests run side by side."""
        ranges = [(offset, offset + sum(map(len, buffers))) for offset, buffers in wanted]
        spans = merge_ranges(ranges, GAP_BYTES, LONGEST_BYTES)
        contents = fetch(self._url, [(span.start, span.stop) for span in spans])
        for span, content in zip(spans, contents, strict=True):
            for member in span.members:
                offset, buffers = wanted[member]
                _scatter(memoryview(content)[offset - span.start :], buffers)

    def fall_back(self) -> bool:
        """There is no other place."""
        return False

    def close(self) -> None:
        """Nothing is open."""


def read_url(path: RemotePath) -> bytes:
    """All bytes of a remote file.

    Raises
    ------
    FileNotFoundError
        When it is not there.
    StorageError
        When it cannot be read.
    """
    return fetch(path, [None])[0]


def fetch(path: RemotePath, ranges: Sequence[Range]) -> list[bytes]:
    """Several parts of a remote file, side by side; only what failed is asked for again.

    Raises
    ------
    FileNotFoundError
        When the file is not there.
    EOFError
        When it ends before the end of a range.
    StorageError
        When it cannot be read: names the address, the range, what was answered and how often it was asked for.
    MissingExtraError
        When the library for this kind of address is not installed.
    """
    contents: dict[int, bytes] = {}
    missing = list(range(len(ranges)))
    began = time.monotonic()
    for attempt in range(1, PATIENCE.attempts + 1):
        left_s = PATIENCE.total_s - (time.monotonic() - began)
        answers = _ask(path, [ranges[k] for k in missing], min(PATIENCE.attempt_s, max(left_s, 0.001)))
        failures: dict[int, Exception] = {}
        for k, answer in zip(missing, answers, strict=True):
            try:
                contents[k] = _checked(answer, ranges[k])
            except Exception as failure:
                failures[k] = failure
        if not failures:
            return [contents[k] for k in range(len(ranges))]
        missing = list(failures)
        worst = next((k for k in missing if not _is_transient(failures[k])), missing[0])
        pause_s = PATIENCE.pause_s * 2.0 ** (attempt - 1)
        waited_s = time.monotonic() - began
        if not _is_transient(failures[worst]) or attempt == PATIENCE.attempts or waited_s + pause_s >= PATIENCE.total_s:
            raise _explained(path, ranges[worst], failures[worst], attempt, waited_s) from failures[worst]
        time.sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")


class _WholeFileError(Exception):
    """A server sent more than the range asked for."""


def _ask(path: RemotePath, ranges: Sequence[Range], timeout_s: float) -> list[Any]:
    """For each range the bytes, or the exception that came instead."""
    parts = urlsplit(path.url)
    fs = _filesystem(os.getpid(), f"{parts.scheme}://{parts.netloc}/")
    file = fs._strip_protocol(path.url)
    starts, stops = ([None if part is None else part[end] for part in ranges] for end in (0, 1))
    arguments = ([file] * len(ranges), starts, stops)
    try:
        if not fs.async_impl:
            return list(fs.cat_ranges(*arguments, on_error="return"))
        sync = importlib.import_module("fsspec.asyn").sync
        return list(sync(fs.loop, fs._cat_ranges, *arguments, on_error="return", timeout=timeout_s))
    except Exception as error:
        return [error] * len(ranges)


@lru_cache(maxsize=64)
def _filesystem(process: int, root: str) -> Any:
    """Fsspec's object for a host: one a process, since its threads and connections do not survive a fork."""
    fsspec = importlib.import_module("fsspec")
    try:
        return fsspec.core.url_to_fs(root)[0]
    except ImportError as error:
        extra = _EXTRAS.get(urlsplit(root).scheme)
        hint = f"; `pip install 'neurodata-pipeline[{extra}]'`" if extra else ""
        raise MissingExtraError(f"{RemotePath(root)}: {error}{hint}") from error
    except ValueError as error:
        raise StorageError(f"{RemotePath(root)}: {error}; give a folder, or an address that fsspec knows") from error


def _checked(answer: Any, wanted: Range) -> bytes:
    if isinstance(answer, BaseException):
        raise answer if isinstance(answer, Exception) else OSError("the request was cancelled")
    content = bytes(answer)
    if wanted is None or len(content) == wanted[1] - wanted[0]:
        return content
    if len(content) > wanted[1] - wanted[0]:
        raise _WholeFileError(f"sent {len(content):,} bytes: it does not serve parts of files")
    raise EOFError(f"the file ends at byte {wanted[0] + len(content)}")


def _is_transient(error: Exception) -> bool:
    # As aiohttp and gcsfs call it; aiohttp's `code` warns.
    status = error.status if hasattr(error, "status") else getattr(error, "code", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status in _TRANSIENT_STATUS
    return not isinstance(error, (*_FINAL, _WholeFileError))


def _explained(path: RemotePath, wanted: Range, error: Exception, attempts: int, waited_s: float) -> Exception:
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"{path}: no such file")
    if isinstance(error, EOFError) and wanted is not None:
        return EOFError(f"{path}: {error}; expected bytes up to {wanted[1]}")
    what = "the file" if wanted is None else f"bytes {wanted[0]} to {wanted[1]}"
    often = f" ({attempts} attempts in {waited_s:.1f} s)" if attempts > 1 else ""
    way_out = '; stage="/a/local/folder" copies whole files instead' if isinstance(error, _WholeFileError) else ""
    return StorageError(f"{path}: {what} cannot be read: {error or type(error).__name__}{often}{way_out}")


def _scatter(content: memoryview, buffers: Sequence[memoryview]) -> None:
    for buffer in buffers:
        buffer[:] = content[: len(buffer)]
        content = content[len(buffer) :]
