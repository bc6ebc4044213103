"""Mending a store: what of it is damaged, and putting whole files where damaged ones are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from neurodata.errors import NeurodataError, StorageError, StoreError, StoreNotFoundError
from neurodata.progress import Progress, silent
from neurodata.recipe import STORE_VERSION
from neurodata.storage import (
    Location,
    RemotePath,
    delete,
    each,
    folders_in,
    is_folder,
    list_below,
    move_to,
    read_bytes,
    size_if_there,
    write_to,
)
from neurodata.store._files import Files, files_of, problem_of, remove_others
from neurodata.store._finalise import Finished
from neurodata.store._layout import COMMITS, MANIFEST, ZARR, Layout, commit_path
from neurodata.store._manifest import read_manifest
from neurodata.store._records import Json, StoreHead, parse

HEAD = f"{ZARR}/zarr.json"


def read_head(folder: Location) -> tuple[StoreHead, Json | None]:
    """What a store is, and its manifest; None where that is damaged: data.zarr tells the head as well.

    Raises
    ------
    StoreNotFoundError
        When there is no store.
    StoreError
        When it is of another format version, was never finished, or both places are damaged.
    StorageError
        When a file cannot be read.
    """
    try:
        manifest = read_manifest(folder)
    except StoreNotFoundError as missing:
        if isinstance(folder, Path):
            raise
        return _head_of_data(folder, missing), None  # behind a URL, what else is there is not looked for
    except StorageError:
        raise
    except StoreError as damage:
        return _head_of_data(folder, damage), None
    return StoreHead.from_json(manifest), manifest


def _head_of_data(folder: Location, damage: StoreError | StoreNotFoundError) -> StoreHead:
    try:
        said = parse(read_bytes(folder / HEAD), folder / HEAD)["attributes"]["neurodata"]
        if said["version"] == STORE_VERSION:
            return StoreHead.from_json(said)
    except (OSError, NeurodataError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(damage, StoreNotFoundError) and isinstance(error, FileNotFoundError):
            raise damage from None
    raise StoreError(f"{damage} (and {HEAD} does not tell what the store is)") from damage


def is_store_folder(folder: Location) -> bool:
    """Whether a folder looks like a store, finished or not."""
    return size_if_there(folder / MANIFEST) is not None or not {COMMITS, ZARR}.isdisjoint(folders_in(folder))


def shard_files(layout: Layout, shard: int) -> list[str]:
    """Paths inside the store of all files of a shard, its commit record last."""
    return [*layout.shard_paths(shard), commit_path(shard)]


def damaged_files(folder: Location, files: Mapping[str, Json], progress: Progress = silent) -> list[str]:
    """Those of the files that a manifest lists which are missing or have another size or sha256.

    A file that the disk cannot read is damaged, too; one that cannot be had from behind a URL is not.

    Raises
    ------
    StorageError
        When what is behind a URL cannot be reached.
    """
    found = files_of(folder)
    total = sum(entry["size_bytes"] for entry in files.values())
    damaged, done = [], 0
    for name, entry in files.items():
        if not _is_whole(folder, found, name, entry):
            damaged.append(name)
        done += entry["size_bytes"]
        progress("verify files", done, total, "B")
    return damaged


def take_over(fresh: Location, folder: Location, made: Finished, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Put whole files where those of a damaged store are not; the manifest last.

    Every file is replaced at once. Files below data.zarr/ and commits/ that are no part of the store are deleted.

    Parameters
    ----------
    fresh
        Where the files are that were made again.
    folder
        The store.
    made
        What finishes it.
    names
        The files that were made again.

    Returns
    -------
    tuple
        Names of the files that were replaced, and of those that were deleted.

    Raises
    ------
    StorageError
        When a file cannot be replaced.
    """
    removed = remove_others(folder, made.files)
    names = list(names)
    damaged = damaged_files(folder, {name: made.files[name] for name in (*names, *made.small)})
    for name in damaged:
        if name in made.small:
            _write(folder / name, made.small[name])
        else:
            _clear(folder / name)
            move_to(fresh / name, folder / name)
    if not _holds(folder / MANIFEST, made.manifest):
        _write(folder / MANIFEST, made.manifest)
        damaged.append(MANIFEST)
    return damaged, removed


def require_same(folder: Location, manifest: Json, made: Finished) -> None:
    """Compare what was made again with what the true manifest of a damaged store states.

    Raises
    ------
    StoreError
        When these are other bytes.
    """
    now = parse(made.manifest, folder / MANIFEST)
    then: Json = manifest["files"]
    others = sorted(name for name in then.keys() | made.files.keys() if then.get(name) != made.files.get(name))
    if others or manifest != now:
        what = f"{len(others)} of {len(then)} files, such as {others[0]}" if others else "other facts in the manifest"
        raise StoreError(
            f"{folder}: the same recipe and source give other bytes now ({what}): other versions of libraries (zstd, "
            "zarr) or another CPU type. What is damaged cannot be made again as it was, and nothing was replaced; "
            "`neurodata prepare --force` with the arguments of then writes the store anew"
        )


def delete_below(folder: Location) -> None:
    """Delete a folder of no store, as far as that can be done."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(StorageError):
        each(folder, lambda name: delete(folder / name), list_below(folder))


def _is_whole(folder: Location, found: Files, name: str, entry: Json) -> bool:
    try:
        return problem_of(found, name, entry, read=True) is None
    except (FileNotFoundError, EOFError):
        return False
    except OSError:
        if isinstance(folder, RemotePath):
            raise
        return False


def _holds(place: Location, content: bytes) -> bool:
    try:
        return read_bytes(place) == content
    except FileNotFoundError:
        return False
    except OSError:
        if isinstance(place, RemotePath):
            raise
        return False


def _write(place: Location, content: bytes) -> None:
    _clear(place)
    write_to(place, content)


def _clear(place: Location) -> None:
    """Take away what stands where a file shall be: an empty folder."""
    if isinstance(place, Path) and is_folder(place) and not place.is_symlink():
        try:
            place.rmdir()
        except OSError as error:
            raise StorageError(f"{place}: cannot be replaced: {error.strerror}") from error
