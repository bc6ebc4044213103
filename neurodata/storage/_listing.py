"""What is in a folder behind a URL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from neurodata.errors import StorageError
from neurodata.storage._location import RemotePath
from neurodata.storage._remote import RemoteFile, filesystem

_WINDOW_BYTES = 16 << 20


# What fsspec's file systems call the time when a file was put there: S3, Google, those in memory, others.
_TIMES = ("LastModified", "updated", "created", "mtime")


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """Size of a file behind a URL, and when it was put there: seconds since 1970, None where that is not told."""

    size_bytes: int
    put_s: float | None


def remote_sizes(folder: RemotePath) -> dict[str, int]:
    """The files below a folder, by their path relative to it: size in bytes; raises as `remote_files`."""
    return {name: entry.size_bytes for name, entry in remote_files(folder).items()}


def remote_files(folder: RemotePath) -> dict[str, RemoteEntry]:
    """The files below a folder, by their path relative to it.

    Raises
    ------
    StorageError
        When it cannot be listed: web servers have no common way to.
    MissingExtraError
        When the library for this kind of address is not installed.
    """
    if urlsplit(folder.url).scheme.lower() in ("http", "https"):
        raise StorageError(f"{folder}: a web server does not list its files; copy the folder to a disk first")
    fs = filesystem(folder)
    root = fs._strip_protocol(folder.url).rstrip("/")
    try:
        fs.invalidate_cache()
        found = fs.find(root, detail=True)
        return {name.removeprefix(f"{root}/"): _entry(entry) for name, entry in found.items()}
    except Exception as error:
        raise StorageError(f"{folder}: cannot be listed: {error or type(error).__name__}") from error


def _entry(details: Mapping[str, Any]) -> RemoteEntry:
    return RemoteEntry(int(details["size"]), _seconds(next((details[key] for key in _TIMES if key in details), None)))


def _seconds(time: object) -> float | None:
    """Seconds since 1970 of a time as fsspec's file systems tell it."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return None
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return float(time) if isinstance(time, int | float) else None


def remote_sha256(path: RemotePath, size_bytes: int) -> str:
    """The sha256 of a remote file of a known size, read in parts.

    Raises
    ------
    OSError
        FileNotFoundError when it is not there; StorageError when it cannot be read.
    EOFError
        When it is shorter.
    """
    file, digest = RemoteFile(path, size_bytes), hashlib.sha256()
    window = memoryview(bytearray(min(size_bytes, _WINDOW_BYTES)))
    for start in range(0, size_bytes, _WINDOW_BYTES):
        part = window[: size_bytes - start]
        file.read_into(start, [part])
        digest.update(part)
    return digest.hexdigest()
