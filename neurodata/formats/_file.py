"""A file of a recording, read by position."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, SourceNotFoundError, StorageError


class RecordingFile:
    """An open file; `with` closes it.

    Parameters
    ----------
    path
        The file.
    fingerprint
        Size and modification time that it must have; None: whatever it has.

    Raises
    ------
    SourceNotFoundError
        When there is no such file.
    StorageError
        When it cannot be read.
    FormatError
        When its fingerprint is another one.
    """

    def __init__(self, path: Path, fingerprint: tuple[int, int] | None = None) -> None:
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"{path}: no such file; check the path") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        status = os.fstat(self._file.fileno())
        self.size_bytes = status.st_size
        self.fingerprint = (status.st_size, status.st_mtime_ns)
        self.changed_ns = status.st_ctime_ns  # unlike the modification time, nobody can set it back
        if fingerprint not in (None, self.fingerprint):
            self._file.close()
            raise self.changed()

    def read_into(self, buffer: NDArray[np.uint8], offset: int) -> NDArray[np.uint8]:
        """Fill the buffer with the bytes from offset on; returns it."""
        view = buffer.data
        n_read = 0
        try:
            self._file.seek(offset)
            while n_read < len(view):
                n = self._file.readinto(view[n_read:])
                if not n:
                    raise self.changed()
                n_read += n
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return buffer

    def read(self, n_bytes: int, offset: int = 0) -> bytes:
        """At most n_bytes from offset on; fewer at the end of the file."""
        n_bytes = max(0, min(n_bytes, self.size_bytes - offset))
        return self.read_into(np.empty(n_bytes, np.uint8), offset).tobytes()

    def changed(self) -> FormatError:
        """The error for a file that is not what it was when it was opened first."""
        return changed(self.path)

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def changed(path: Path) -> FormatError:
    """The error for a file that is not what it was when it was opened first."""
    return FormatError(f"{path}: the file was changed while it was being read; open it again")


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be read ({error.strerror}); check that it is a file and its permissions")
