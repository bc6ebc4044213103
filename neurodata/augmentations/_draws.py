"""The random numbers of a batch: pure functions of integers and of the samples' names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import hash_rows, hash_text, hash_words, uniforms


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Uniform numbers for one augmentation of one batch, made by NumPy in float64 whatever the batch lies on.

    Parameters
    ----------
    keys
        Names of the samples, in the order of the batch.
    seed, epoch
        Of the loader; 0 to 2^64 - 1 and 0 to 2^63 - 1.
    place
        Of the augmentation in its list: each draws numbers of its own.
    """

    keys: tuple[str, ...]
    seed: int = 0
    epoch: int = 0
    place: int = 0

    def per_sample(self, n: int) -> NDArray[np.float64]:
        """Numbers from [0, 1) for each sample, float64 [B, n], from (seed, epoch, key, place) and no other sample.

        Two samples of the same name in one epoch get the same numbers.
        """
        return uniforms(hash_rows(self.seed, self.epoch, self._names(), self.place), n)

    def per_batch(self, n: int) -> NDArray[np.float64]:
        """Numbers from [0, 1) for the batch, float64 [n], from (seed, epoch, place) and all keys in their order."""
        state = hash_words(self.seed, self.epoch, self.place, *self._names().tolist())
        numbers: NDArray[np.float64] = uniforms(np.array([state], np.uint64), n)[0]
        return numbers

    def _names(self) -> NDArray[np.uint64]:
        return np.array([hash_text(key) for key in self.keys], np.uint64)


def integers(u: NDArray[np.float64], lowest: int, highest: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Uniform integers from lowest to highest, both included, for uniform numbers from [0, 1)."""
    return lowest + np.floor(u * (highest - lowest + 1)).astype(np.int64)


def between(u: NDArray[np.float64], lowest: float, highest: float) -> NDArray[np.float64]:
    """Uniform reals from lowest to highest, for uniform numbers from [0, 1)."""
    return lowest + u * (highest - lowest)
