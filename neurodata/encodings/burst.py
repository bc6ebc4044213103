"""Burst coding: the larger a value, the more spikes in its burst, and the shorter the time between them.

Guo et al., "Neural coding in spiking neural networks: a comparative study", Frontiers in Neuroscience 2021, after Park
et al. 2019: N = ceil(N_max x) spikes, with ceil(T_max - (T_max - T_min) x) steps from one to the next. The formula was
checked against the documentation of spikify, not against the paper; spikify takes the interval for the silent steps
between two spikes, so that its bursts with T_min and T_max are ours with isi_min and isi_max larger by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding
from neurodata.errors import RecipeError
from neurodata.kernel import kernel
from neurodata.steps import MOST_STEPS, check_whole


@dataclass(frozen=True, slots=True)
class Burst(StaticEncoding):
    """A burst of spikes from step 0 on, bool: pictures [T, C, H, W], series [n * T, channels].

    `decode` reads number and interval, and gives the middle of the values that have both: within 1 / (2 n_max), and
    0 exactly.

    Parameters
    ----------
    T
        Time steps of each picture, frame or row; the longest burst has to fit.
    n_max
        Spikes of the value 1, at most 255.
    isi_min, isi_max
        Steps from a spike to the next one, of the value 1 and of the smallest ones; a single spike has none.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or T too short for the longest burst; the message tells its length.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    n_max: int = 5
    isi_min: int = 2
    isi_max: int = 6

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 16}, {"T": 7, "n_max": 3, "isi_min": 1, "isi_max": 4})

    def __post_init__(self) -> None:
        self.check_steps()
        check_whole("burst", "n_max", self.n_max, 1, 255)
        check_whole("burst", "isi_min", self.isi_min, 1, MOST_STEPS)
        check_whole("burst", "isi_max", self.isi_max, self.isi_min, MOST_STEPS)
        longest = 1 + int((np.arange(self.n_max) * self.longest_interval()[1:]).max())
        if longest > self.T:
            raise RecipeError(
                f"burst: T is {self.T}, but bursts of up to {self.n_max} spikes, {self.isi_min} to {self.isi_max} "
                f"steps apart, last up to {longest} steps"
            )

    def longest_interval(self) -> NDArray[np.int64]:
        """Of bursts of 0 to n_max spikes, [n_max + 1]: that of the smallest value that has as many."""
        x = np.maximum(np.arange(self.n_max + 1) - 1, 0) / self.n_max
        return self._intervals(x)

    def _intervals(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        # Rounded to what a float32 tells, so that 0.2 of a picture is a fifth.
        exact = self.isi_max - (self.isi_max - self.isi_min) * x
        return np.ceil(np.round(exact, 5)).astype(np.int64)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Work out number and interval of each burst, and mark them."""
        x = values.astype(np.float64)
        counts = np.ceil(np.round(self.n_max * x, 5)).astype(np.int64)
        counts[(counts == 0) & (x > 0)] = 1
        burst(counts, np.minimum(self._intervals(x), self.longest_interval()[counts]), out)

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The middle of the values of which number and interval are these."""
        counts = spikes.sum(axis=1, dtype=np.int64)
        low, high = np.maximum(counts - 1, 0) / self.n_max, counts / self.n_max
        if self.isi_max > self.isi_min:
            places = np.where(spikes, np.arange(self.T).reshape(-1, *[1] * (spikes.ndim - 2)), 0)
            interval = places.max(axis=1) / np.maximum(counts - 1, 1)
            several, width = counts > 1, self.isi_max - self.isi_min
            low = np.where(several, np.maximum(low, (self.isi_max - interval) / width), low)
            high = np.where(several, np.minimum(high, (self.isi_max + 1 - interval) / width), high)
        middle: NDArray[np.float64] = (low + high) / 2
        return middle


@kernel
def burst(counts: NDArray[np.int64], intervals: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """So many spikes from step 0 on, so many steps apart [n, m], in out [n, T, m], where all fit."""
    n, _, m = out.shape
    for i in range(n):
        for j in range(m):
            for k in range(counts[i, j]):
                out[i, k * intervals[i, j], j] = True


def reference(counts: NDArray[np.int64], intervals: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """What `burst` marks: the multiples of the interval that are below as many of them as there are spikes."""
    t = np.arange(out.shape[1])[:, np.newaxis]
    out |= (t % intervals[:, np.newaxis] == 0) & (t < (counts * intervals)[:, np.newaxis])


STEP = Burst
