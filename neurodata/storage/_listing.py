"""What is in a folder behind a URL."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from neurodata.errors import StorageError
from neurodata.storage._location import RemotePath
from neurodata.storage._remote import RemoteFile, filesystem

_WINDOW_BYTES = 16 << 20


def remote_sizes(folder: RemotePath) -> dict[str, int]:
    """The files below a folder, by their path relative to it: size in bytes.

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
        return {name.removeprefix(f"{root}/"): int(entry["size"]) for name, entry in found.items()}
    except Exception as error:
        raise StorageError(f"{folder}: cannot be listed: {error or type(error).__name__}") from error


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
