"""The files of a store as they are, in a folder or behind a URL: for who checks them, and who clears away."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Protocol

from neurodata.storage import (
    Location,
    RemotePath,
    delete,
    each,
    file_digest,
    is_folder,
    list_below,
    remote_sha256,
    remote_sizes,
    remove_leftovers,
)
from neurodata.store._layout import COMMITS, ZARR


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
        return list_below(self._folder)

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


def problem_of(found: Files, name: str, stated: Any, read: bool) -> str | None:
    """What is wrong with a file of which a manifest states size and sha256; the latter is compared if it is `read`.

    Raises
    ------
    OSError, EOFError
        When it is not there, or cannot be read.
    """
    size_bytes = found.size_bytes(name)
    if size_bytes != stated["size_bytes"]:
        return f"{size_bytes} bytes; expected {stated['size_bytes']}"
    if read and (sha256 := found.sha256(name)) != stated["sha256"]:
        return f"sha256 {sha256}; expected {stated['sha256']}"
    return None


def others_of(folder: Location, found: Iterable[str], files: Collection[str]) -> list[str]:
    """Those of the files (and links) in a store that are none of `files`.

    A link to a folder in which some of these are is part of the store: it may be kept on several disks.
    """
    folders = {name[:end] for name in files for end, sign in enumerate(name) if sign == "/"}
    return [
        name
        for name in found
        if name not in files and not (name in folders and isinstance(folder, Path) and is_folder(folder / name))
    ]


def remove_others(folder: Location, files: Collection[str]) -> list[str]:
    """Delete what is no part of a store with these files: below data.zarr/ and commits/, and left-overs of writers.

    Returns
    -------
    list
        Names of the files that were deleted.

    Raises
    ------
    StorageError
        When a file cannot be deleted.
    """
    found = [f"{part}/{name}" for part in (COMMITS, ZARR) for name in list_below(folder / part)]
    others = others_of(folder, found, files)
    each(folder, lambda name: delete(folder / name), others)
    if isinstance(folder, Path):
        remove_leftovers(folder)
    return others
