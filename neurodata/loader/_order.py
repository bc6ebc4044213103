"""Which samples come when, and on which rank: pure functions of integers.

The global order depends on (seed, epoch) alone. Global batch k is `order[k * B * R : (k + 1) * B * R]` for a
batch size of B per rank and R ranks, and rank r takes its r-th slice; so the same samples make up global batch k
for every R with the same B * R.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import permutation


def epoch_order(n: int, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int64]:
    """Positions in the split in the order of delivery, over all ranks, int64 [n]."""
    return permutation(n, seed, epoch) if shuffle else np.arange(n, dtype=np.int64)


def n_batches(n: int, global_batch: int, drop_last: bool) -> int:
    """Batches that each rank gets in an epoch of n samples."""
    return n // global_batch if drop_last else -(-n // global_batch)


def rank_batch(
    order: NDArray[np.int64], k: int, batch_size: int, rank: int, world_size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rank's part of global batch k: positions int64 [b], and which of them count, bool [b].

    A global batch that the epoch's end cuts short is dealt evenly: every rank gets the same b, and
    the ranks that come out one short repeat the batch's first sample, which does not count.
    """
    samples = order[k * batch_size * world_size : (k + 1) * batch_size * world_size]
    start, stop = (len(samples) * part // world_size for part in (rank, rank + 1))
    size = -(-len(samples) // world_size)
    positions = np.full(size, samples[0], dtype=np.int64)
    positions[: stop - start] = samples[start:stop]
    return positions, np.arange(size) < stop - start
