"""Small files that are written whole, on a disk or behind a URL: create, replace, read, delete, list."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from neurodata.errors import StorageError
from neurodata.storage._access import read_bytes
from neurodata.storage._disk import (
    WRITE_ERRNOS,
    cannot,
    is_folder,
    new_file,
    require_writable_folder,
    sync,
    sync_folder,
)
from neurodata.storage._files import temporary_beside, writing
from neurodata.storage._location import Location, RemotePath
from neurodata.storage._remote import AT_ONCE, call, filesystem

T = TypeVar("T")
Result = TypeVar("Result")

# Of a file system that knows no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def writing_to(location: Location) -> Iterator[BinaryIO]:
    """A binary file to write to, which appears at a location when the block ends without an error, whole or not at all.

    What is bound for a URL is written to a temporary file of this machine first, and sent at the end.

    Raises
    ------
    StorageError
        When it cannot be written: a full disk, no permission, or an answer of the other side that stays wrong.
    """
    if isinstance(location, Path):
        with writing(location) as file:
            yield file
        return
    with _temporary(location) as file:
        yield file
        file.flush()
        _send(location, "put_file", file.name, location.url, size_bytes=file.tell())


def write_to(location: Location, data: bytes) -> None:
    """Write a whole file; it appears complete or not at all."""
    if isinstance(location, Path):
        with writing(location) as file:
            file.write(data)
    else:
        _send(location, "pipe_file", location.url, data, size_bytes=len(data))


def create(location: Location, data: bytes) -> bool:
    """Write a whole file unless there is one; whether it was written. Of several at once, one is told so.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    if isinstance(location, Path):
        return _create_file(location, data)
    try:
        _send(location, "pipe_file", location.url, data, mode="create")
    except FileExistsError:
        # The answer to an attempt that arrived may have got lost.
        return read_if_there(location) == data
    return True


def require_writable(location: Location) -> None:
    """Raise StorageError where files cannot be made in a folder, which need not be there yet.

    Behind a URL an empty file is written, and deleted again.
    """
    if isinstance(location, RemotePath):
        probe = location / f".{uuid4().hex}.tmp"
        write_to(probe, b"")
        delete(probe)
    else:
        require_writable_folder(location)


def read_if_there(location: Location) -> bytes | None:
    """All bytes of a small file; None when there is none.

    Raises
    ------
    StorageError
        When it is there and cannot be read.
    """
    try:
        return read_bytes(location)
    except FileNotFoundError:
        return None
    except StorageError:
        raise
    except OSError as error:
        assert isinstance(location, Path)  # errors of remote files are StorageError
        raise cannot("read", location, error) from error


def size_if_there(location: Location) -> int | None:
    """Size of a file in bytes; None when there is none; StorageError when that cannot be told."""
    if isinstance(location, RemotePath):
        try:
            return int(call(location, "info", location.url)["size"])
        except FileNotFoundError:
            return None
    try:
        return location.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot("read", location, error) from error


def delete(location: Location) -> None:
    """Delete a file if it is there; StorageError when it cannot be deleted."""
    if isinstance(location, RemotePath):
        with suppress(FileNotFoundError):
            call(location, "rm_file", location.url)
        return
    try:
        location.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{location}: cannot be deleted ({error.strerror}); is the folder read-only?") from error


def move_to(file: Location, place: Location) -> None:
    """Give a file another place, where it replaces what is there, whole or not at all; both are local, or of one host.

    Raises
    ------
    StorageError
        When it cannot be moved.
    """
    if isinstance(file, RemotePath):
        assert isinstance(place, RemotePath)
        call(file, "cp_file", file.url, place.url, size_bytes=size_if_there(file) or 0)
        delete(file)
        return
    assert isinstance(place, Path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise cannot("write", place, error) from error
        with file.open("rb") as whole, writing(place) as copy:
            shutil.copyfileobj(whole, copy)
        delete(file)


def list_below(location: Location) -> list[str]:
    """Paths, with forward slashes, of all files (and links) below a folder, sorted; none where it is missing."""
    if isinstance(location, Path):
        paths = (path for path in location.rglob("*") if path.is_symlink() or not path.is_dir())
        return sorted(path.relative_to(location).as_posix() for path in paths)
    try:
        found = call(location, "find", location.url)
    except FileNotFoundError:
        return []
    root = str(filesystem(location)._strip_protocol(location.url)).rstrip("/") + "/"
    return sorted(path.removeprefix(root) for path in found)


def folders_in(location: Location) -> list[str]:
    """Names of the folders in a folder, sorted; none where it is missing, or on a disk without permission.

    Raises
    ------
    StorageError
        When what is behind a URL cannot be listed, as of a web server.
    """
    if isinstance(location, Path):
        return sorted(path.name for path in location.glob("*") if is_folder(path))
    return _names_in(location, "directory")


def files_in(location: RemotePath) -> list[str]:
    """Names of the files in a folder behind a URL, not of those in its folders; as `folders_in`."""
    return _names_in(location, "file")


def _names_in(location: RemotePath, kind: str) -> list[str]:
    if urlsplit(location.url).scheme.lower() in ("http", "https"):
        raise StorageError(f"{location}: a web server does not list its folders; open a store by its own address")
    try:
        found = call(location, "ls", location.url, detail=True)
    except FileNotFoundError:
        return []
    return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == kind)


def each(location: Location, function: Callable[[T], Result], items: Iterable[T]) -> list[Result]:
    """What a function gives for each item, in order: side by side where each waits for an answer from behind a URL."""
    if isinstance(location, Path):
        return [function(item) for item in items]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="neurodata-requests") as threads:
        return list(threads.map(function, items))


def _send(location: RemotePath, method: str, *arguments: Any, **options: Any) -> None:
    """`call` of a method that writes: that something is not there is said of the bucket, as folders need not be."""
    try:
        call(location, method, *arguments, **options)
    except FileNotFoundError as error:
        raise StorageError(f"{location}: cannot be written: {error or 'its bucket is not there'}") from error


def _create_file(path: Path, data: bytes) -> bool:
    """A link to a complete temporary file appears at once, also on NFS; else a file that is opened exclusively."""
    temporary = temporary_beside(path)
    explain = partial(cannot, "write", path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(temporary, explain) as file:
            file.write(data)
            sync(file, explain)  # a name without its content is what a power cut would leave
        try:
            os.link(temporary, path)
        except FileExistsError:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create_exclusively(path, data)
    except StorageError:
        raise
    except OSError as error:
        raise explain(error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)
    return True


def _create_exclusively(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


@contextmanager
def _temporary(location: RemotePath) -> Iterator[BinaryIO]:
    folder = None

    def explain(error: OSError) -> StorageError:
        where = "this machine has no folder for temporary files" if folder is None else f"{folder} cannot be written"
        return StorageError(
            f"{location}: cannot write: it is held in $TMPDIR until it is sent, and {where}: "
            f"{os.strerror(error.errno or 0)}; free some space, or set TMPDIR to another disk"
        )

    try:
        folder = Path(tempfile.mkdtemp(prefix="neurodata-"))
    except OSError as error:
        raise explain(error) from error
    try:
        with new_file(folder / "part", explain) as file:
            yield file
    except OSError as error:
        if error.errno in WRITE_ERRNOS or error.filename == str(folder / "part"):
            raise explain(error) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
