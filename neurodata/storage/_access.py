"""Reading any part of a file, in any thread: the same words for a local file, a remote one, and a staged copy."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from neurodata.storage._location import Location
from neurodata.storage._remote import RemoteFile, read_url

# Where a range begins, and the buffers to fill from there on, one after the other.
Wanted: TypeAlias = tuple[int, Sequence[memoryview]]
# Of one call of the system (IOV_MAX of Linux and macOS).
_MOST_BUFFERS = 1024


class RandomAccess(Protocol):
    """A file read at any place, by any thread, before and after a fork."""

    @property
    def path(self) -> Location:
        """Where the bytes come from, for messages."""

    @property
    def size_bytes(self) -> int:
        """Size of the file when it was opened; of a remote one, what the opener said."""

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers, one after the other, from `offset` on.

        Raises
        ------
        EOFError
            When the file ends before.
        OSError
            When it cannot be read: StorageError for a remote file, FileNotFoundError when it is gone.
        """

    def read_many(self, wanted: Sequence[Wanted]) -> None:
        """As `read_into` for each of several ranges, in fewer requests where neighbours lie close together."""

    def fall_back(self) -> bool:
        """Asked when what was read is damaged: whether it comes from elsewhere from now on, so try once more."""

    def close(self) -> None:
        """Give the file back; it is also closed when nothing refers to it any more."""


class LocalFile:
    """A file of this machine, or of a file system that it mounts; `RandomAccess`."""

    def __init__(self, path: Path) -> None:
        self.path: Location = path
        self._file = path.open("rb", buffering=0)
        self._close = weakref.finalize(self, self._file.close)
        self.size_bytes = os.fstat(self._file.fileno()).st_size
        self._lock = threading.Lock()

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers, one after the other, from `offset` on; EOFError where the file ends before."""
        n_wanted = sum(map(len, buffers))
        n_read = self._read(offset, buffers)
        while 0 < n_read < n_wanted:
            # The system may read less than asked for, such as 2 GiB at most on Linux.
            offset, n_wanted = offset + n_read, n_wanted - n_read
            buffers = _rest(buffers, n_read)
            n_read = self._read(offset, buffers)
        if n_read != n_wanted:
            raise EOFError(f"{self.path}: the file ends at byte {offset}; expected {n_wanted} more")

    def read_many(self, wanted: Sequence[Wanted]) -> None:
        """One read a range: the system reads ahead by itself."""
        for offset, buffers in wanted:
            self.read_into(offset, buffers)

    def fall_back(self) -> bool:
        """There is no other place."""
        return False

    def close(self) -> None:
        """Close the file now; nobody may be reading."""
        self._close()

    def _read(self, offset: int, buffers: Sequence[memoryview]) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), buffers[:_MOST_BUFFERS], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffers[0])


def open_access(location: Location, size_bytes: int) -> RandomAccess:
    """A file, wherever it is, for reading.

    Parameters
    ----------
    location
        What `locate` gave.
    size_bytes
        What the file should measure. A local file is asked; a remote one is not, which saves a request: one that is
        shorter shows when its last bytes are read.

    Raises
    ------
    OSError
        When a local file cannot be opened. A remote one is not asked for anything yet.
    """
    return LocalFile(location) if isinstance(location, Path) else RemoteFile(location, size_bytes)


def read_bytes(location: Location) -> bytes:
    """All bytes of a small file.

    Raises
    ------
    OSError
        FileNotFoundError when it is not there; StorageError when a remote one cannot be read.
    """
    return location.read_bytes() if isinstance(location, Path) else read_url(location)


def _rest(buffers: Sequence[memoryview], n_filled: int) -> list[memoryview]:
    rest = []
    for buffer in buffers:
        if n_filled < len(buffer):
            rest.append(buffer[n_filled:])
        n_filled = max(0, n_filled - len(buffer))
    return rest
