"""The shard files of a store, and how they are opened."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neurodata.storage import Location, RemotePath, ShardCache, open_access
from neurodata.store._layout import Column, Layout
from neurodata.store._records import Json
from neurodata.store._shard import ShardFile, Verify, index_range
from neurodata.store._table import SampleTable, Span, items_of_shards


class Shards:
    """How the shard files of a store are opened, by number of shard and of column.

    Parameters
    ----------
    folder, layout, manifest, table
        The store.
    spans
        Where samples lie in each of the layout's columns.
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
        spans: Sequence[Span],
        verify: Verify,
        cache: ShardCache | None,
    ) -> None:
        self.columns = layout.all_columns
        self.shard_of, self.spans = table.shard, spans
        self._compression = layout.compression
        self._folder, self._verify, self._cache = folder, verify, cache
        n_shards, files = manifest["n_shards"], manifest["files"]
        # By column and shard.
        self._n_chunks = [
            [column.n_chunks(n_items) for n_items in items_of_shards(table.shard, span.stop, n_shards)]
            for column, span in zip(self.columns, spans, strict=True)
        ]
        paths = [path for shard in range(n_shards) for path in layout.shard_paths(shard)]
        self._files = {path: (files[path]["size_bytes"], files[path]["sha256"]) for path in paths}
        # Indexes stay when their file is closed: 16 bytes a chunk.
        self._indexes: dict[str, NDArray[np.uint64]] = {}

    def open(self, shard: int, number: int) -> ShardFile:
        """One column of one shard; its index is read where it was not before."""
        column, path = self.columns[number], self.columns[number].shard_path(shard)
        size_bytes, sha256 = self._files[path]
        file = ShardFile(
            self._folder / path,
            column,
            self._compression,
            self._n_chunks[number][shard],
            size_bytes,
            index=self._indexes.get(path),
            verify=self._verify,
            opener=partial(self._cache.open, sha256=sha256) if self._cache else open_access,
        )
        self._indexes[path] = file.index
        return file

    def missing_index(self, shard: int, number: int) -> tuple[RemotePath, tuple[int, int]] | None:
        """The remote file, and in it the bytes, that opening will read; None where it reads none, or a staged copy."""
        path = self.columns[number].shard_path(shard)
        place = self._folder / path
        if self._cache is not None or path in self._indexes or not isinstance(place, RemotePath):
            return None
        start, stop = index_range(self._n_chunks[number][shard], self._files[path][0])
        return None if start < 0 else (place, (start, stop))


def chunks_of(start: int, stop: int, column: Column) -> tuple[int, int]:
    """Which chunks of a shard hold its items `start` to `stop`: the first, and how many."""
    first = start // column.chunk_items
    return first, -(-stop // column.chunk_items) - first if stop > start else 0
