"""Mending a store: what of it is whole, and putting whole files where damaged ones are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neurodata.errors import NeurodataError, StorageError, StoreError, StoreNotFoundError
from neurodata.recipe import STORE_VERSION
from neurodata.storage import delete, file_digest, is_file, is_folder, remove_leftovers
from neurodata.store._layout import COMMITS, MANIFEST, ZARR, Layout, commit_path, files_below
from neurodata.store._manifest import read_manifest
from neurodata.store._records import Json, StoreHead, parse

HEAD = f"{ZARR}/zarr.json"


def read_head(folder: Path) -> tuple[StoreHead, Json | None]:
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
    except (StoreNotFoundError, StorageError):
        raise
    except StoreError as damage:
        return _head_of_data(folder, damage), None
    return StoreHead.from_json(manifest), manifest


def _head_of_data(folder: Path, damage: StoreError) -> StoreHead:
    try:
        said = parse((folder / HEAD).read_bytes(), folder / HEAD)["attributes"]["neurodata"]
        if said["version"] == STORE_VERSION:
            return StoreHead.from_json(said)
    except (OSError, NeurodataError, KeyError, TypeError, ValueError, AttributeError):
        pass
    raise StoreError(f"{damage} (and {HEAD} does not tell what the store is)") from damage


def is_store_folder(folder: Path) -> bool:
    """Whether a folder looks like a store, finished or not."""
    return is_file(folder / MANIFEST) or any(is_folder(folder / part) for part in (COMMITS, ZARR))


def shard_files(layout: Layout, shard: int) -> list[str]:
    """Paths inside the store of all files of a shard, its commit record last."""
    return [*layout.shard_paths(shard), commit_path(shard)]


def are_whole(folder: Path, files: Mapping[str, Json], names: Iterable[str]) -> bool:
    """Whether these files are there and have the size and sha256 that a manifest's entry `files` states."""
    return all(name in files and _is_whole(folder / name, files[name]) for name in names)


def share_files(folder: Path, fresh: Path, names: Iterable[str]) -> None:
    """Let files of a store be those of another as well: without a copy, where the file system can.

    Nothing ever writes into a file of a store, so neither store sees what becomes of the other.
    """
    for name in names:
        place = fresh / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            try:
                place.hardlink_to(folder / name)
            except OSError:
                shutil.copyfile(folder / name, place)
        except OSError as error:
            raise _cannot(place, error) from error


def take_over(fresh: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Put the files of a fresh store where those of a damaged one are not whole; both are the same store.

    Every file is replaced at once, the manifest last. Files below data.zarr/ and commits/ that are no part of the store
    are deleted.

    Returns
    -------
    tuple
        Names of the files that were replaced, and of those that were deleted.

    Raises
    ------
    StoreError
        When the manifest of the damaged store is true and states other bytes; nothing is changed then.
    StorageError
        When a file cannot be replaced.
    """
    manifest = read_manifest(fresh)
    files: Json = manifest["files"]
    content = (fresh / MANIFEST).read_bytes()
    _require_same(folder, manifest)
    removed = remove_others(folder, files)
    replaced = [name for name in files if not _is_whole(folder / name, files[name])]
    for name in replaced:
        _move(fresh / name, folder / name)
    if not is_file(folder / MANIFEST) or (folder / MANIFEST).read_bytes() != content:
        _move(fresh / MANIFEST, folder / MANIFEST)
        replaced.append(MANIFEST)
    return replaced, removed


def remove_others(folder: Path, files: Mapping[str, Json]) -> list[str]:
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
    others = [name for name in files_below(folder, ZARR, COMMITS) if name not in files]
    for name in others:
        delete(folder / name)
    remove_leftovers(folder)
    return others


def _require_same(folder: Path, made: Json) -> None:
    _, manifest = read_head(folder)
    if manifest is None:
        return
    then: Json = manifest["files"]
    now: Json = made["files"]
    others = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if others or manifest != made:
        what = f"{len(others)} of {len(then)} files, such as {others[0]}" if others else "other facts in the manifest"
        raise StoreError(
            f"{folder}: the same recipe and source give other bytes now ({what}): other versions of libraries (zstd, "
            "zarr) or another CPU type. What is damaged cannot be made again as it was, and nothing was replaced; "
            "`neurodata prepare --force` with the arguments of then writes the store anew"
        )


def _is_whole(path: Path, stated: Mapping[str, Any]) -> bool:
    try:
        return (
            not path.is_symlink()
            and path.stat().st_size == stated["size_bytes"]
            and file_digest(path) == stated["sha256"]
        )
    except OSError:  # such as one that the disk cannot read
        return False


def _move(file: Path, place: Path) -> None:
    try:
        if is_folder(place) and not place.is_symlink():
            place.rmdir()
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    except OSError as error:
        raise _cannot(place, error) from error


def _cannot(place: Path, error: OSError) -> StorageError:
    return StorageError(f"{place}: cannot be replaced: {error.strerror or error}")
