"""Whole files behind a URL as copies of published ones: read from a byte offset on, and sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodata.errors import StorageError
from neurodata.storage._http import Body, RefusedError, TransientError
from neurodata.storage._location import RemotePath
from neurodata.storage._objects import size_if_there
from neurodata.storage._remote import call, fetch

# So much is held in memory, asked for in so many pieces at a time.
_WINDOW_BYTES = 16 << 20
_PIECES = 4


@contextmanager
def stored(copy: RemotePath, start: int) -> Iterator[Body]:
    """Bytes of a file behind a URL from `start` on, as `get` gives those of a web server.

    Failing requests are made again below this, so that what is still wrong is final.

    Raises
    ------
    RefusedError, TransientError
        As `get`, also while the chunks are read.
    """
    try:
        size_bytes = size_if_there(copy)
    except StorageError as error:
        raise RefusedError(str(error).removeprefix(f"{copy}: ")) from error
    if size_bytes is None:
        raise RefusedError("no such file")
    if start >= size_bytes:
        if start == 0:
            raise RefusedError("a file of 0 bytes")
        raise TransientError(f"has no byte {start:,}", resumable=False)
    yield Body(start, size_bytes, None, _chunks(copy, start, size_bytes))


def send_file(path: Path, location: RemotePath) -> None:
    """Put a whole file of this machine under a URL, where it appears whole or not at all.

    Raises
    ------
    StorageError
        When it cannot be written, or is not whole afterwards.
    """
    size_bytes = path.stat().st_size
    call(location, "put_file", str(path), location.url, size_bytes=size_bytes)
    found = size_if_there(location)
    if found != size_bytes:
        raise StorageError(f"{location}: measures {found} bytes after {size_bytes:,} were sent")


def _chunks(copy: RemotePath, start: int, size_bytes: int) -> Iterator[bytes]:
    piece = _WINDOW_BYTES // _PIECES
    for first in range(start, size_bytes, _WINDOW_BYTES):
        last = min(first + _WINDOW_BYTES, size_bytes)
        try:
            yield from fetch(copy, [(at, min(at + piece, last)) for at in range(first, last, piece)])
        except (OSError, EOFError) as error:
            raise RefusedError(str(error).removeprefix(f"{copy}: ")) from error
