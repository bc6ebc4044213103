"""What a cache root behind a URL holds: downloads and stores, with sizes, from listings; downloads can be deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from neurodata import registry
from neurodata.datasets import Dataset
from neurodata.errors import StorageError
from neurodata.pipeline._inventory import CacheEntry
from neurodata.storage import RemoteEntry, RemotePath, delete, remote_files, remote_sizes, size_if_there
from neurodata.store import MANIFEST


def list_remote_cache(root: RemotePath) -> list[CacheEntry]:
    """Downloads and stores below a root, in this order, by name; runs are never behind a URL.

    Raises
    ------
    StorageError
        When it cannot be listed.
    """
    return [*_downloads(root / "downloads"), *_stores(root / "stores")]


def removable_files(entry: CacheEntry) -> list[RemotePath]:
    """The published files of a dataset that are kept behind a URL: what may be deleted of an entry.

    Raises
    ------
    StorageError
        When it is no download of neurodata's.
    """
    folder = entry.path
    assert isinstance(folder, RemotePath)
    if entry.name not in registry.datasets:
        raise StorageError(
            f"{folder}: does not look like one of neurodata's downloads: nothing was deleted; delete it with the tools "
            "of that storage if that is what you want"
        )
    dataset: Dataset = registry.datasets[entry.name]
    files = [folder / source.filename for source in dataset.sources]
    return [file for file in files if size_if_there(file) is not None]


def remove_remote_download(entry: CacheEntry) -> None:
    """Delete the published files of a dataset from behind a URL; what else is beside them stays.

    A machine that is copying one takes it from the publisher instead.

    Raises
    ------
    StorageError
        As `removable_files`; or when they cannot be deleted.
    """
    for file in removable_files(entry):
        delete(file)


def _downloads(folder: RemotePath) -> list[CacheEntry]:
    files: dict[str, list[RemoteEntry]] = defaultdict(list)
    for file, entry in remote_files(folder).items():
        dataset, _, inside = file.partition("/")
        if inside:
            files[dataset].append(entry)
    return [
        CacheEntry(
            "downloads", name, folder / name, sum(file.size_bytes for file in files[name]), "", _put(files[name])
        )
        for name in sorted(files)
    ]


def _put(files: Sequence[RemoteEntry]) -> float | None:
    """When the newest file was put there; None where that is not told of each."""
    times = [file.put_s for file in files]
    return None if None in times else max(time for time in times if time is not None)


def _stores(folder: RemotePath) -> list[CacheEntry]:
    sizes: dict[str, int] = defaultdict(int)
    finished: set[str] = set()
    for file, size_bytes in remote_sizes(folder).items():
        dataset, _, below = file.partition("/")
        store, _, inside = below.partition("/")
        if inside and not store.startswith("."):
            sizes[f"{dataset}/{store}"] += size_bytes
            finished |= {f"{dataset}/{store}"} if inside == MANIFEST else set()
    return [
        CacheEntry("stores", name, folder / name, sizes[name], "finished" if name in finished else "unfinished")
        for name in sorted(sizes)
    ]
