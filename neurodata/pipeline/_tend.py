"""Deleting and moving what a cache root holds: never what is not neurodata's, nor in use, nor outside the root."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from neurodata import registry
from neurodata.errors import StorageError
from neurodata.pipeline._inventory import CacheEntry, folders_beside
from neurodata.pipeline._last_use import forget_use, move_use
from neurodata.pipeline._remote_inventory import remove_remote_download
from neurodata.storage import (
    Location,
    RemotePath,
    delete,
    each,
    exclusive,
    files_in,
    is_file,
    is_folder,
    list_below,
)
from neurodata.store import MANIFEST, is_store_folder, verify

_TWIN = re.compile(r"(.+)-twin-v\d+-n\d+-s\d+")
# What training writes into the folder of a run.
_OF_RUNS = ("last.pt", "result.json", "metrics.csv", "metrics.jsonl")
# Leases of what is inside of a folder: of a training, a download, an archive that is unpacked.
_LEASES_INSIDE = (".lock", "**/.*.download.lock", "**/.*.unpack.lock")


def check_removable(entry: CacheEntry, root: Path) -> Path:
    """The folder of an entry of a cache root, if it is neurodata's to delete.

    Raises
    ------
    StorageError
        When it is behind a URL, outside the root, behind a link, or does not look like a download, a store or a run.
    """
    folder = entry.path
    if not isinstance(folder, Path):
        raise StorageError(f"{folder}: behind a URL; move it with the tools of that storage")
    real, real_root = Path(os.path.realpath(folder)), Path(os.path.realpath(root))
    if folder.is_symlink() or not real.is_relative_to(real_root):
        raise StorageError(
            f"{folder}: a link to {real}, or behind one: what links lead to is left alone; delete it by hand, or "
            "name the root that it lies in with --cache"
        )
    looks = {"stores": _is_store, "downloads": _is_download, "runs": _is_run}
    if not looks[entry.kind](folder):
        raise _foreign(folder, entry.kind)
    return folder


def remove_entry(entry: CacheEntry, root: Location) -> None:
    """Delete a download, a store or a run; links in it are deleted, not followed.

    Of a store the manifest goes first: one that is half deleted is an unfinished one.

    Raises
    ------
    StorageError
        When it is not neurodata's to delete (`check_removable`), a run is working on it, or it cannot be deleted.
    """
    if isinstance(entry.path, RemotePath):
        if entry.kind == "downloads":
            remove_remote_download(entry)
        else:
            _remove_remote_store(entry.path)
        return
    assert isinstance(root, Path)
    folder = check_removable(entry, root)
    with _hold(folder, "deleting"):
        _delete(folder)
    forget_use(folder)
    if entry.kind == "stores":
        _drop_if_empty(folder.parent)


def move_store(entry: CacheEntry, root: Path, other_root: Path) -> Path:
    """Move a finished store to another cache root; to another disk by a copy that is verified before the store goes.

    Returns
    -------
    Path
        Its new folder, below `stores/` of the other root.

    Raises
    ------
    StorageError
        When it is no finished store, there is one of its name already, the other root is not there, a run is working
        on it, or something cannot be written.
    """
    folder = check_removable(entry, root)
    if entry.kind != "stores" or entry.state != "finished":
        what = f"one of {entry.kind}" if entry.kind != "stores" else "not finished"
        raise StorageError(f"{folder}: {what}: only finished stores are moved; what prepares a store stays with it")
    if not is_folder(other_root):
        raise StorageError(f"{other_root}: no such folder; make it first, to move {entry.name} there")
    target = other_root.absolute() / "stores" / entry.name
    if target.exists() and not _is_same_store(folder, target):
        raise StorageError(f"{target}: is there already: delete one of the two (`neurodata cache rm`)")
    with _hold(folder, "moving"), _hold(target, "moving"):
        if not target.exists():
            _move(folder, target)
        _delete(folder)
    move_use(folder, target)
    _drop_if_empty(folder.parent)
    return target


def _is_store(folder: Path) -> bool:
    return is_store_folder(folder) or any(map(is_store_folder, folders_beside(folder)))


def _foreign(folder: Location, kind: str) -> StorageError:
    return StorageError(
        f"{folder}: does not look like one of neurodata's {kind}: nothing was deleted; delete it by hand if that is "
        "what you want"
    )


def _remove_remote_store(store: RemotePath) -> None:
    """Delete a store behind a URL, and what was left of a repair of it."""
    beside = store.parent / f".{store.name}.repair"
    if not any(map(is_store_folder, (store, beside))):
        raise _foreign(store, "stores")
    leases = [name for name in files_in(store.parent) if name.startswith(f".{store.name}.") and name.endswith(".lock")]
    with _held([store.parent / name for name in {f".{store.name}.lock", *leases}], store, "deleting"):
        delete(store / MANIFEST)
        for folder in (store, beside):
            each(folder, partial(_delete_below, folder), list_below(folder))


def _delete_below(folder: RemotePath, name: str) -> None:
    delete(folder / name)


def _is_same_store(folder: Path, target: Path) -> bool:
    """Whether the target is another, whole copy: of a move that was killed when it only had to delete."""
    return (
        not target.samefile(folder)
        and not any(path.is_symlink() for path in (target, *target.rglob("*")))
        and is_file(target / MANIFEST)
        and (target / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()
        and verify(target, deep=True).ok
    )


def _is_download(folder: Path) -> bool:
    twin = _TWIN.fullmatch(folder.name)
    return is_folder(folder) and (twin[1] if twin else folder.name) in registry.datasets


def _is_run(folder: Path) -> bool:
    return any(is_file(folder / name) for name in _OF_RUNS)


def _hold(folder: Path, what: str) -> AbstractContextManager[None]:
    """The leases that those take who make what is in the folder, or a part; StorageError when one of them holds one."""
    whole = folder.with_name(f".{folder.name}.lock")
    parts = folder.parent.glob(f".{glob.escape(folder.name)}.*.lock")
    inside = (place for pattern in _LEASES_INSIDE for place in folder.glob(pattern))
    return _held([whole, *parts, *inside], folder, what)


@contextmanager
def _held(places: Iterable[Location], folder: Location, what: str) -> Iterator[None]:
    def refuse(waiting: str) -> None:
        raise StorageError(
            f"{folder}: in use by {waiting.removeprefix('waiting for ')}: nothing was changed; try again when it has "
            "ended, or delete that file if you know that it has"
        )

    with ExitStack() as leases:
        for place in places:
            leases.enter_context(exclusive(place, f"{what} {folder.name}", refuse))
        yield


def _delete(folder: Path) -> None:
    """A folder, and what was being made to replace it."""
    try:
        (folder / MANIFEST).unlink(missing_ok=True)
        for path in (folder, *folders_beside(folder)):
            if path.exists():
                shutil.rmtree(path)
    except OSError as error:
        raise StorageError(f"{error.filename or folder}: cannot be deleted: {error.strerror}") from error


def _move(folder: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise StorageError(f"{folder}: cannot be moved to {target}: {error.strerror}") from error
        _copy(folder, target)


def _copy(folder: Path, target: Path) -> None:
    """A verified copy, which appears whole."""
    copy = target.with_name(f".{target.name}.moving")
    try:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, symlinks=True, copy_function=_copy_file)
        if problems := verify(copy, deep=True).problems:
            raise StorageError(f"{folder}: its copy is not whole, so it stays where it is: {problems[0]}")
        copy.rename(target)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{folder}: cannot be copied to {target}: {error.strerror or error}") from error


def _copy_file(file: str, place: str) -> None:
    """A copy that is on its disk, and not only in memory, when the file is deleted."""
    shutil.copy2(file, place, follow_symlinks=False)
    if not Path(place).is_symlink():
        with Path(place).open("rb") as copy:
            os.fsync(copy.fileno())


def _drop_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
