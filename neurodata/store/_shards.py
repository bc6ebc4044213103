"""The shard files of a store, and how they are opened."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from neurodata.storage import Location, RemotePath, ShardCache, open_access
from neurodata.store._layout import Column, Layout
from neurodata.store._records import Json
from neurodata.store._shard import ShardFile, Verify, index_range
from neurodata.store._table import SampleTable, items_of_shards


class Shards:
    """How the shard files of a store are opened, by number of shard and of column.

    Parameters
    ----------
    folder, layout, manifest, table
        The store.
    verify
        When checksums of chunks are compared.
    cache
        Where files are staged; None: nowhere.
    """

    def __init__(
        self,
        folder: Location,
        layout: Layout,
        manifest: Json,
        table: SampleTable,
        verify: Verify,
        cache: ShardCache | None,
    ) -> None:
        self.layout = layout
        self._folder, self._verify, self._cache = folder, verify, cache
        n_shards, files = manifest["n_shards"], manifest["files"]
        self._n_chunks = [layout.n_chunks(n_items) for n_items in items_of_shards(table, n_shards)]
        paths = [path for shard in range(n_shards) for path in layout.shard_paths(shard)]
        self._files = {path: (files[path]["size_bytes"], files[path]["sha256"]) for path in paths}
        # Indexes stay when their file is closed: 16 bytes a chunk.
        self._indexes: dict[str, NDArray[np.uint64]] = {}

    def open(self, shard: int, number: int) -> ShardFile:
        """One column of one shard; its index is read where it was not before."""
        column, path = self.layout.columns[number], self._path(shard, number)
        size_bytes, sha256 = self._files[path]
        file = ShardFile(
            self._folder / path,
            column,
            self.layout.compression,
            self._n_chunks[shard],
            size_bytes,
            index=self._indexes.get(path),
            verify=self._verify,
            opener=partial(self._cache.open, sha256=sha256) if self._cache else open_access,
        )
        self._indexes[path] = file.index
        return file

    def missing_index(self, shard: int, number: int) -> tuple[RemotePath, tuple[int, int]] | None:
        """The remote file, and in it the bytes, that opening will read; None where it reads none, or a staged copy."""
        path = self._path(shard, number)
        place = self._folder / path
        if self._cache is not None or path in self._indexes or not isinstance(place, RemotePath):
            return None
        start, stop = index_range(self._n_chunks[shard], self._files[path][0])
        return None if start < 0 else (place, (start, stop))

    def _path(self, shard: int, number: int) -> str:
        return self.layout.shard_path(self.layout.columns[number], shard)


def chunks_of(start: int, stop: int, column: Column) -> tuple[int, int]:
    """Which chunks of a shard hold its items `start` to `stop`: the first, and how many."""
    first = start // column.chunk_items
    return first, -(-stop // column.chunk_items) - first if stop > start else 0
