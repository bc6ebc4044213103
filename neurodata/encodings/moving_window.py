"""Moving window: a spike where a value is beyond the threshold from the mean of the values just before it.

Petro, Kasabov and Kiss, "Selection and optimization of temporal spike encoding methods for spiking neural networks",
IEEE Transactions on Neural Networks and Learning Systems 2020; checked against an independent implementation, not
against the paper. There the first window is compared with its own mean, so that spikes precede their cause; here with
the mean of what came before, however little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._series import LARGEST, SMALLEST, SeriesEncoding
from neurodata.steps import MOST_STEPS, check_range, check_whole


@dataclass(frozen=True, slots=True)
class MovingWindow(SeriesEncoding):
    """One spike at most of each channel and step, bool [n, 2, channels]: axis 1 is 0 = OFF, 1 = ON.

    The first row has no spikes. There is no way back from the spikes: a steady level and a slow change are silent.

    Parameters
    ----------
    threshold
        How far from the mean fires (beyond it, not at it), in the units of the series.
    window
        Rows before a value whose mean it is compared with.

    Raises
    ------
    RecipeError
        When a parameter is out of range.
    EncodingError
        When called: a value is not a number.
    """

    threshold: float
    window: int = 3

    version: ClassVar[int] = 2
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"threshold": 0.1}, {"threshold": 0.3, "window": 7})

    def __post_init__(self) -> None:
        check_range("moving_window", "threshold", self.threshold, SMALLEST, LARGEST)
        check_whole("moving_window", "window", self.window, 1, MOST_STEPS)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Compare with the means of moves from the first value, so that a steady level has none."""
        moved = values.astype(np.float64) - values[0].astype(np.float64)
        gap = moved[1:] - means_of_latest(moved[:-1], self.window)
        out[1:, 0], out[1:, 1] = gap < -self.threshold, gap > self.threshold


def means_of_latest(rows: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Mean of each row and those before it, `window` of them or as many as there are: [n, C] of rows [n, C].

    By sums from the start and to the end of blocks of `window` rows, of which each window touches two: what has left
    the window leaves no rounding behind, however large it was.
    """
    n, n_channels = rows.shape
    window = max(1, min(window, n))
    blocks = np.zeros((-(-n // window), window, n_channels))
    blocks.reshape(-1, n_channels)[:n] = rows
    to_here = np.cumsum(blocks, axis=1).reshape(-1, n_channels)[:n]
    to_end = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].reshape(-1, n_channels)
    sums = to_here.copy()
    in_two = np.flatnonzero((np.arange(n) >= window) & (np.arange(1, n + 1) % window > 0))
    sums[in_two] += to_end[in_two - window + 1]
    means: NDArray[np.float64] = sums / np.minimum(np.arange(1, n + 1), window)[:, np.newaxis]
    return means


STEP = MovingWindow
