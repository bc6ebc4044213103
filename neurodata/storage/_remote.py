"""Files behind a URL, through fsspec: whole ones and ranges, asked for again when the net fails, never for ever."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from neurodata.errors import MissingExtraError, StorageError
from neurodata.storage._fetched import Fetched, Held, fetched_in_use
from neurodata.storage._location import Location, RemotePath
from neurodata.storage._ranges import Span, merge_ranges

# A request to object storage takes as long as some megabytes do; at most so much is asked for in one.
GAP_BYTES = 1 << 20
LONGEST_BYTES = 8 << 20
# Requests of one call that are under way at a time.
AT_ONCE = 16
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
# Asking again would not help.
_FINAL = (
    FileNotFoundError,
    FileExistsError,
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
Part: TypeAlias = tuple[RemotePath, Range]


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
        """Ranges with less than `GAP_BYTES` between them share a request; none is made for what is `Fetched`."""
        ranges = [(offset, offset + sum(map(len, buffers))) for offset, buffers in wanted]
        held = [fetched_in_use().find(self._url, start, stop) for start, stop in ranges]
        missing = [k for k, content in enumerate(held) if content is None]
        spans = merge_ranges([ranges[k] for k in missing], GAP_BYTES, LONGEST_BYTES)
        contents = fetch(self._url, [(span.start, span.stop) for span in spans]) if spans else []
        for span, content in zip(spans, contents, strict=True):
            for member in span.members:
                held[missing[member]] = memoryview(content)[ranges[missing[member]][0] - span.start :]
        for (_, buffers), found in zip(wanted, held, strict=True):
            if found is not None:
                _scatter(found, buffers)

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
    contents = []
    for answer in _fetch_each([(path, part) for part in ranges]):
        if isinstance(answer, Exception):
            raise answer
        contents.append(answer)
    return contents


def fetch_ranges(
    wanted: Mapping[RemotePath, Sequence[tuple[int, int]]], cancelled: Callable[[], bool] = lambda: False
) -> Fetched:
    """Ranges of files of one host, in as few requests as `read_many` makes, `AT_ONCE` of them at a time.

    Where bytes could not be had after several attempts, that is kept, and raised when they are read. Of a file that is
    missing or too short nothing is kept: whoever reads it learns which sample that is about.

    Parameters
    ----------
    wanted
        By file, (start, stop) half-open; they may overlap and come in any order.
    cancelled
        Asked before requests are made; when it is true, nothing more is fetched.

    Raises
    ------
    MissingExtraError
        When the library for this kind of address is not installed.
    """
    spans = [(path, span) for path in wanted for span in merge_ranges(wanted[path], GAP_BYTES, LONGEST_BYTES)]
    held: dict[RemotePath, list[Held]] = {path: [] for path in wanted}
    for path, part in _in_groups(spans, cancelled):
        held[path].append(part)
    return Fetched(held)


def _in_groups(
    spans: Sequence[tuple[RemotePath, Span]], cancelled: Callable[[], bool]
) -> Iterator[tuple[RemotePath, Held]]:
    for first in range(0, len(spans), AT_ONCE):
        if cancelled():
            return
        group = spans[first : first + AT_ONCE]
        answers = _fetch_each([(path, (span.start, span.stop)) for path, span in group])
        for (path, span), answer in zip(group, answers, strict=True):
            if isinstance(answer, bytes | StorageError):
                yield path, Held(span.start, span.stop, answer)


def _fetch_each(parts: Sequence[Part]) -> list[bytes | Exception]:
    """For each part of files of one host its bytes, or what `fetch` raises for it."""
    results: dict[int, bytes | Exception] = {}
    missing = list(range(len(parts)))
    began = time.monotonic()
    for attempt in range(1, PATIENCE.attempts + 1):
        left_s = PATIENCE.total_s - (time.monotonic() - began)
        answers = _ask([parts[k] for k in missing], min(PATIENCE.attempt_s, max(left_s, 0.001)))
        waited_s, pause_s = time.monotonic() - began, PATIENCE.pause_s * 2.0 ** (attempt - 1)
        is_last = attempt == PATIENCE.attempts or waited_s + pause_s >= PATIENCE.total_s
        for k, answer in zip(missing, answers, strict=True):
            try:
                results[k] = _checked(answer, parts[k][1])
            except Exception as failure:
                if is_last or not _is_transient(failure):
                    results[k] = _explained(*parts[k], failure, attempt, waited_s)
        missing = [k for k in missing if k not in results]
        if not missing:
            return [results[k] for k in range(len(parts))]
        time.sleep(pause_s)
    raise AssertionError("the last attempt leaves nothing missing")


def call(path: RemotePath, method: str, *arguments: Any, size_bytes: int = 0, **options: Any) -> Any:
    """What a method of fsspec's file system for this host gives; asked again while the net fails, never for ever.

    `size_bytes` is what has to travel: an attempt, and all together, may take a second longer for each MiB.

    Raises
    ------
    FileNotFoundError, FileExistsError
        When that is the answer.
    StorageError
        When there is none: names the address, what was wanted and how often it was asked for.
    MissingExtraError
        When the library for this kind of address is not installed.
    """
    fs = filesystem(path)
    began, longer_s = time.monotonic(), size_bytes / 2**20
    for attempt in range(1, PATIENCE.attempts + 1):
        try:
            return _called(fs, method, arguments, options, PATIENCE.attempt_s + longer_s)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            waited_s, pause_s = time.monotonic() - began, PATIENCE.pause_s * 2.0 ** (attempt - 1)
            is_last = attempt == PATIENCE.attempts or waited_s + pause_s >= PATIENCE.total_s + longer_s
            if is_last or not _is_transient(error):
                often = f" ({attempt} attempts in {waited_s:.1f} s)" if attempt > 1 else ""
                reason = str(error) or type(error).__name__
                raise StorageError(f"{path}: {method.strip('_')} failed: {reason}{often}") from error
            time.sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")


def _called(fs: Any, method: str, arguments: tuple[Any, ...], options: dict[str, Any], timeout_s: float) -> Any:
    fs.invalidate_cache()  # others write, too
    coroutine = getattr(fs, f"_{method}", None) if fs.async_impl else None
    if coroutine is None:
        return getattr(fs, method)(*arguments, **options)
    sync = importlib.import_module("fsspec.asyn").sync
    return sync(fs.loop, coroutine, *arguments, timeout=timeout_s, **options)


class _WholeFileError(Exception):
    """A server sent more than the range asked for."""


def _ask(parts: Sequence[Part], timeout_s: float) -> list[Any]:
    """For each part the bytes, or the exception that came instead."""
    if not parts:
        return []
    fs = filesystem(parts[0][0])
    files = [fs._strip_protocol(path.url) for path, _ in parts]
    starts, stops = ([None if part is None else part[end] for _, part in parts] for end in (0, 1))
    arguments = (files, starts, stops)
    try:
        if not fs.async_impl:
            return list(fs.cat_ranges(*arguments, on_error="return"))
        sync = importlib.import_module("fsspec.asyn").sync
        return list(sync(fs.loop, fs._cat_ranges, *arguments, on_error="return", timeout=timeout_s))
    except Exception as error:
        return [error] * len(parts)


def filesystem(path: RemotePath) -> Any:
    """Fsspec's object for the host of a file.

    Raises
    ------
    StorageError
        When fsspec does not know this kind of address.
    MissingExtraError
        When the library for it is not installed.
    """
    parts = urlsplit(path.url)
    return _filesystem(os.getpid(), f"{parts.scheme}://{parts.netloc}/")


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
    explained = _in_words(path, wanted, error, attempts, waited_s)
    explained.__cause__ = error
    return explained


def _in_words(path: RemotePath, wanted: Range, error: Exception, attempts: int, waited_s: float) -> Exception:
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
