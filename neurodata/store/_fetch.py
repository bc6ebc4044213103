"""Several samples of a store behind a URL, brought in few requests before they are read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from neurodata.storage import Fetched, RemotePath, fetch_ranges
from neurodata.store._shard import DamageError, ShardFile
from neurodata.store._shards import Shards, chunks_of

Ranges = dict[RemotePath, list[tuple[int, int]]]


def fetch_samples(
    shards: Shards,
    open: Callable[[int, int], ShardFile],
    indices: NDArray[np.int64],
    numbers: Sequence[int],
    cancelled: Callable[[], bool],
) -> Fetched:
    """The chunks of these samples in the columns with these numbers, and the indexes of shards read for the first time.

    Files are opened for it, by `open`. What is damaged, missing or cannot be had is left to who reads the sample.
    """
    needed = [(shard, number) for shard in np.unique(shards.shard_of[indices]).tolist() for number in numbers]
    indexes = fetch_ranges(_indexes(shards, needed), cancelled)
    if cancelled():
        return indexes
    with indexes.in_use():
        files = _opened(open, needed)
    return indexes | fetch_ranges(_chunks(shards, indices, files), cancelled)


def _indexes(shards: Shards, needed: Iterable[tuple[int, int]]) -> Ranges:
    missing = (shards.missing_index(shard, number) for shard, number in needed)
    return {path: [place] for path, place in filter(None, missing)}


def _opened(
    open: Callable[[int, int], ShardFile], needed: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], ShardFile]:
    """The files that can be opened."""
    files = {}
    for shard, number in needed:
        with suppress(DamageError, OSError):
            files[shard, number] = open(shard, number)
    return files


def _chunks(shards: Shards, indices: NDArray[np.int64], files: Mapping[tuple[int, int], ShardFile]) -> Ranges:
    """Where the samples' chunks stand, in files that are not staged."""
    ranges: Ranges = {}
    for index in np.unique(indices).tolist():
        for number, (column, span) in enumerate(zip(shards.columns, shards.spans, strict=True)):
            file = files.get((int(shards.shard_of[index]), number))
            start, stop = int(span.start[index]), int(span.stop[index])
            if file is not None and isinstance(file.location, RemotePath):
                with suppress(DamageError):
                    ranges.setdefault(file.location, []).extend(file.byte_ranges(*chunks_of(start, stop, column)))
    return ranges
