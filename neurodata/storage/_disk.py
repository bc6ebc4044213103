"""What a disk refuses, in words: the reason and the way out."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from neurodata.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_ELSEWHERE = "choose another place (of the cache: with --cache or $NEURODATA_CACHE)"
_REASONS = {
    errno.ENOENT: "no such file or folder",
    errno.EACCES: f"permission denied; {_ELSEWHERE}, or ask the owner of the folder",
    errno.EPERM: f"not permitted; {_ELSEWHERE}, or ask the owner of the folder",
    errno.EROFS: f"the file system is read-only; {_ELSEWHERE}",
    errno.ENOSPC: f"the disk is full; free some space, or {_ELSEWHERE}",
    errno.EDQUOT: f"the disk quota is used up; free some space, or {_ELSEWHERE}",
    errno.EFBIG: f"the file system takes no files of this size; {_ELSEWHERE}",
    errno.EIO: "the disk reports an error; check the disk or the network share",
    errno.EISDIR: "it is a folder, a file was expected",
    errno.EEXIST: "a file stands where a folder was expected",
    errno.ENOTDIR: "a part of its path is a file, a folder was expected",
    errno.ENAMETOOLONG: "the file system does not take names of this length",
}
# Only writing is refused so.
WRITE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def cannot(verb: str, path: Path, error: OSError) -> StorageError:
    """The error to raise when the system refused to `verb` a path."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return StorageError(f"{path}: cannot {verb}: {reason}")


def new_file(path: Path, explain: Callable[[OSError], StorageError]) -> BinaryIO:
    """A new file to write to and read back; what the system says when it cannot be written is explained.

    The errors of writing carry no file name: those of files that are read meanwhile are told from them in this way.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    return cast(BinaryIO, io.BufferedRandom(_NewFile(path, explain)))


def sync(file: BinaryIO, explain: Callable[[OSError], StorageError]) -> None:
    """Wait until all that was written to a file is on the disk."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        raise explain(error) from error


class _NewFile(io.FileIO):
    def __init__(self, path: Path, explain: Callable[[OSError], StorageError]) -> None:
        super().__init__(path, "x+")
        self._explain = explain

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise self._explain(error) from error


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise StorageError unless the disk of `folder`, which exists, has room for that many more bytes."""
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise StorageError(
            f"{folder}: {what} needs {needed_bytes:,} bytes, the disk has {free_bytes:,} left; "
            f"free some space, or {_ELSEWHERE}"
        )


def require_writable_folder(folder: Path) -> None:
    """Raise StorageError where files cannot be made in a folder, nor the folder itself where it is not there yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not is_folder(there):
        raise cannot("write", folder, OSError(errno.ENOTDIR, ""))
    if not os.access(there, os.W_OK | os.X_OK):
        raise cannot("write", folder, OSError(errno.EACCES, ""))


def is_file(path: Path) -> bool:
    """Whether a file is there and may be looked at; `Path.is_file` raises where a folder above may not be entered."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is there and may be looked at; `Path.is_dir` raises where one above may not be entered."""
    return os.path.isdir(path)  # noqa: PTH112


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders; what was renamed is in place all the same
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems sync no folders
    finally:
        os.close(handle)
