"""Counter-based random numbers: pure functions of integers, the same with every version of NumPy and torch.

SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import hashlib
from operator import index

import numpy as np
from numpy.typing import NDArray

SEED_LIMIT = 2**64
EPOCH_LIMIT = 2**63
_GAMMA = 0x9E3779B97F4A7C15
_64_BITS = 2**64 - 1


def hash_words(*words: int) -> int:
    """One 64-bit number from a sequence of them; sensitive to their order.

    Raises
    ------
    OverflowError
        When a word is negative or has more than 64 bits.
    """
    state = 0
    for word in map(index, words):
        if word >> 64:
            raise OverflowError(f"{word}: expected 0 to 2^64 - 1")
        # The first number of the stream of seed `state ^ word`, in Python's integers: NumPy takes ten times as long.
        z = ((state ^ word) + _GAMMA) & _64_BITS
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _64_BITS
        state = z ^ (z >> 31)
    return state


def hash_text(text: str) -> int:
    """The first eight bytes of the text's SHA-256, little-endian: an order of names that no name can be tuned to."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def splitmix64(seed: int, n: int) -> NDArray[np.uint64]:
    """The first n numbers of the SplitMix64 stream, uint64 [n]; number i depends on seed and i alone."""
    return _scrambled(np.uint64(seed) + np.uint64(_GAMMA) * np.arange(1, n + 1, dtype=np.uint64))


def hash_rows(*columns: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`hash_words` of each row, uint64 [n]; a column is uint64 [n], or one number for all rows."""
    states = np.zeros(1, np.uint64)
    for column in columns:
        states = _scrambled((states ^ np.asarray(column, np.uint64)) + np.uint64(_GAMMA))
    return states


def uniforms(seeds: NDArray[np.uint64], n: int) -> NDArray[np.float64]:
    """Numbers from [0, 1) in steps of 2^-53, float64 [len(seeds), n]: row i from the stream of seed i alone."""
    counters = np.uint64(_GAMMA) * np.arange(1, n + 1, dtype=np.uint64)
    words = _scrambled(seeds[:, None] + counters)  # [len(seeds), n]
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Uniform random order of 0 … n - 1, int64 [n], another one for every (seed, epoch).

    The numbers of one SplitMix64 stream are all different, so that sorting by them has one result,
    whatever the sorting algorithm.
    """
    return np.argsort(splitmix64(hash_words(seed, epoch), n)).astype(np.int64)


def generator(seed: int, epoch: int, name: str) -> np.random.Generator:
    """Random draws for one named thing (a sample, a batch) in one epoch, apart from those of all others."""
    key = splitmix64(hash_words(seed, epoch, hash_text(name)), 2)
    return np.random.Generator(np.random.Philox(key=key))


def _scrambled(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
