"""The files of a store as they are, in a folder or behind a URL, for who checks them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol

from neurodata.storage import Location, RemotePath, file_digest, remote_sha256, remote_sizes
from neurodata.store._layout import files_below


class Files(Protocol):
    """What is there, by paths relative to the store."""

    def names(self) -> list[str]:
        """All files, sorted."""

    def size_bytes(self, name: str) -> int:
        """Size of one of them; OSError when it is not there."""

    def sha256(self, name: str) -> str:
        """The sha256 of its bytes; OSError or EOFError when they cannot be read."""


class LocalFiles:
    """`Files` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All files, sorted."""
        return files_below(self._folder, ".")

    def size_bytes(self, name: str) -> int:
        """Size of one of them; OSError when it is not there."""
        return (self._folder / name).stat().st_size

    def sha256(self, name: str) -> str:
        """The sha256 of its bytes; OSError when they cannot be read."""
        return file_digest(self._folder / name)


class RemoteFiles:
    """`Files` behind a URL, as they are listed when this is made.

    Raises
    ------
    StorageError
        When they cannot be listed.
    """

    def __init__(self, folder: RemotePath) -> None:
        self._folder = folder
        self._sizes = remote_sizes(folder)

    def names(self) -> list[str]:
        """All files, sorted."""
        return sorted(self._sizes)

    def size_bytes(self, name: str) -> int:
        """Size of one of them; OSError when it is not there."""
        if name not in self._sizes:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._sizes[name]

    def sha256(self, name: str) -> str:
        """The sha256 of its bytes; OSError or EOFError when they cannot be read."""
        return remote_sha256(self._folder / name, self._sizes[name])


def files_of(store: Location) -> Files:
    """The files of a store, wherever it is; StorageError where those behind its URL cannot be listed."""
    return LocalFiles(store) if isinstance(store, Path) else RemoteFiles(store)
