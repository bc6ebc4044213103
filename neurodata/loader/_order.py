"""Which samples come when, and on which rank: pure functions of integers.

The global order depends on (seed, epoch) alone; "lengths", which makes batches, also on the size of a global batch.
Global batch k is `order[k * B * R : (k + 1) * B * R]` for a batch size of B per rank and R ranks, and rank r takes
its r-th slice; so the same samples make up global batch k for every R with the same B * R.

In what follows, P(n, words, epoch) is `neurodata.draws.permutation(n, hash_words(words), epoch)`; sorting is stable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import SEED_LIMIT, hash_words, permutation, splitmix64

# What the draws of one order are for; part of their seeds, so that they are independent of each other.
_SHARDS, _CYCLES, _ROUNDS, _BATCHES = 1, 2, 3, 4


def epoch_order(n: int, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int64]:
    """Positions in the split in the order of delivery, over all ranks, int64 [n]: the full shuffle, or as they are."""
    return permutation(n, seed, epoch) if shuffle else np.arange(n, dtype=np.int64)


def shards_order(shards: NDArray[np.int64], window: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Every sample once, and samples that follow each other from few shards, int64 [n].

    The shards that the split has samples in, by number, are put in the order P(n_shards, (seed, 1), epoch) and cut
    into windows of `window`; the full shuffle of (seed, epoch) is then sorted by window. Within a window every
    order is as likely; at most `window` files are in use at a time, two windows' at their border.

    Parameters
    ----------
    shards
        The number of each sample's shard, int64 [n].
    window
        Shards that are mixed, at least 1.
    """
    names, shard = np.unique(shards, return_inverse=True)
    turn = np.empty(len(names), dtype=np.int64)  # of each shard
    turn[permutation(len(names), hash_words(seed, _SHARDS), epoch)] = np.arange(len(names))
    shuffled = permutation(len(shards), seed, epoch)
    return shuffled[np.argsort(turn[shard][shuffled] // window, kind="stable")]


def balanced_order(labels: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Every class equally often, samples of small classes again and again, int64 [ceil(n / n_classes) * n_classes].

    Classes are those with samples. An epoch is m = ceil(n / n_classes) rounds; each round has one sample of every
    class, the classes sorted by the SplitMix64 stream of (seed, 3, epoch). A class of c samples goes through them in
    the order P(c, (seed, 2, label), 0), then P(c, (seed, 2, label), 1), and so on: it goes on in the next epoch where
    this one ended, so that over the epochs a sample comes again only after all others of its class have.

    Where all classes have the same size, an epoch has every sample once.

    Parameters
    ----------
    labels
        The class of each sample, int64 [n].
    """
    classes, counts = np.unique(labels, return_counts=True)
    rounds = -(-len(labels) // len(classes))
    drawn = np.empty((rounds, len(classes)), dtype=np.int64)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    for column, (label, members) in enumerate(zip(classes, by_class, strict=True)):
        drawn[:, column] = members[_cycled(len(members), hash_words(seed, _CYCLES, int(label)), epoch * rounds, rounds)]
    words = splitmix64(hash_words(seed, _ROUNDS, epoch), drawn.size).reshape(drawn.shape)
    return np.take_along_axis(drawn, np.argsort(words, axis=1), axis=1).ravel()


def lengths_order(
    lengths: NDArray[np.int64], window: int, global_batch: int, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Every sample once, and samples of a batch about equally long, int64 [n].

    The full shuffle of (seed, epoch) is cut into windows of `window` global batches, each window is sorted by length
    and cut into its batches, and all batches are put in the order P(n_batches, (seed, 4), epoch). The samples that
    fill no global batch are the last of the full shuffle, unsorted, and come last: which they are, and so which
    `drop_last` leaves out, does not depend on their length.

    Within a batch samples are sorted too, so that each rank's part is padded little; the last rank's is the longest.

    Parameters
    ----------
    lengths
        Time steps of each sample, int64 [n].
    window
        Global batches that are sorted together, at least 1: more make batches more even and less random.
    """
    shuffled = permutation(len(lengths), seed, epoch)
    n_whole = len(lengths) // global_batch
    if not n_whole:
        return shuffled
    whole, rest = np.split(shuffled, [n_whole * global_batch])
    sorted_ = whole[np.lexsort((lengths[whole], np.arange(len(whole)) // (window * global_batch)))]
    batches = sorted_.reshape(n_whole, global_batch)[permutation(n_whole, hash_words(seed, _BATCHES), epoch)]
    return np.concatenate([batches.ravel(), rest])


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


def _cycled(n: int, seed: int, start: int, count: int) -> NDArray[np.int64]:
    """Numbers `start` to `start + count` of the endless row of permutations of 0 … n - 1, int64 [count]."""
    first, skipped = divmod(start, n)
    n_cycles = -(-(skipped + count) // n)
    cycles = [permutation(n, seed, (first + cycle) % SEED_LIMIT) for cycle in range(n_cycles)]
    return np.concatenate(cycles)[skipped : skipped + count]
