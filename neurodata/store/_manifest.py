"""The manifest: what a finished store is and the sha256 of each of its files; written last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from neurodata.errors import StorageError, StoreError, StoreNotFoundError
from neurodata.recipe import STORE_VERSION
from neurodata.storage import Location, read_bytes
from neurodata.store._layout import COMMITS, MANIFEST, ZARR
from neurodata.store._records import Json, StoreHead, check_seal, parse, seal

SEAL = "sha256"

ENTRIES = {"n_samples", "n_shards", "counts", "schemes", "files", *(entry.name for entry in fields(StoreHead))}


def manifest_bytes(manifest: Mapping[str, object]) -> bytes:
    """The manifest as a file: indented JSON with its own hash."""
    return seal(manifest, SEAL)


def read_manifest(folder: Location) -> Json:
    """The manifest of a finished store.

    Raises
    ------
    StoreNotFoundError
        When there is no such folder, or nothing of a store in it.
    StoreError
        When the store is unfinished, of another format version, or the manifest is damaged.
    StorageError
        When the file cannot be read.
    """
    path = folder / MANIFEST
    manifest = parse(_manifest_as_it_is(folder), path)
    if (version := manifest.get("version")) != STORE_VERSION:
        is_older = isinstance(version, int) and version < STORE_VERSION
        way_out = "prepare the store again" if is_older else "upgrade with `pip install --upgrade neurodata-pipeline`"
        raise StoreError(f"{path}: format version {version!r}; this release reads version {STORE_VERSION}: {way_out}")
    check_seal(manifest, SEAL, path)
    missing = ENTRIES - manifest.keys()
    if missing:
        raise StoreError(f"{path}: the entries {', '.join(sorted(missing))} are missing; prepare the store again")
    if not _are_files(manifest["files"]):
        raise StoreError(f"{path}: its entry files does not say size and sha256 of each file; prepare the store again")
    return manifest


def manifest_of_any_version(folder: Location) -> Json:
    """The manifest of a finished store of any format version, if it is true.

    Raises
    ------
    StoreNotFoundError, StoreError, StorageError
        As `read_manifest`.
    """
    manifest = parse(_manifest_as_it_is(folder), folder / MANIFEST)
    check_seal(manifest, SEAL, folder / MANIFEST)
    return manifest


def _manifest_as_it_is(folder: Location) -> bytes:
    path = folder / MANIFEST
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise _no_manifest(folder) from None
    except NotADirectoryError:
        raise StoreNotFoundError(f"{folder}: a file; a store is a folder with {MANIFEST}") from None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error


def _are_files(files: object) -> bool:
    return isinstance(files, dict) and all(
        isinstance(entry, dict)
        and type(entry.get("size_bytes")) is int
        and isinstance(entry.get("sha256"), str)
        and "\0" not in name
        for name, entry in files.items()
    )


def _no_manifest(folder: Location) -> StoreNotFoundError | StoreError:
    if not isinstance(folder, Path):
        return StoreNotFoundError(f"{folder}: no finished store there: it has no {MANIFEST}")
    if not folder.is_dir():
        return StoreNotFoundError(f"{folder}: no such store; `neurodata prepare` makes it")
    if not any(folder.iterdir()):
        return StoreNotFoundError(f"{folder}: an empty folder; a store has {MANIFEST}")
    if not any((folder / part).is_dir() for part in (COMMITS, ZARR)):
        return StoreNotFoundError(f"{folder}: not a store: it has no {MANIFEST}, {COMMITS}/ or {ZARR}/")
    return StoreError(
        f"{folder}: the store is not finished ({MANIFEST} is missing); "
        "`neurodata prepare` with the same arguments resumes it"
    )
