"""What a cache root behind a URL holds: stores, with sizes, from one listing."""

from __future__ import annotations

from collections import defaultdict

from neurodata.pipeline._inventory import CacheEntry
from neurodata.storage import RemotePath, remote_sizes
from neurodata.store import MANIFEST


def list_remote_stores(root: RemotePath) -> list[CacheEntry]:
    """Stores below a root, by name; downloads and runs are never behind a URL.

    Raises
    ------
    StorageError
        When it cannot be listed.
    """
    stores = root / "stores"
    sizes: dict[str, int] = defaultdict(int)
    finished: set[str] = set()
    for file, size_bytes in remote_sizes(stores).items():
        dataset, _, below = file.partition("/")
        folder, _, inside = below.partition("/")
        if inside and not folder.startswith("."):
            sizes[f"{dataset}/{folder}"] += size_bytes
            finished |= {f"{dataset}/{folder}"} if inside == MANIFEST else set()
    return [
        CacheEntry("stores", name, stores / name, sizes[name], "finished" if name in finished else "unfinished")
        for name in sorted(sizes)
    ]
