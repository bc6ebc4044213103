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

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"threshold": 0.1}, {"threshold": 0.3, "window": 7})

    def __post_init__(self) -> None:
        check_range("moving_window", "threshold", self.threshold, SMALLEST, LARGEST)
        check_whole("moving_window", "window", self.window, 1, MOST_STEPS)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Compare with means by running sums; of moves from the first value, so that a steady level has none."""
        moved = values.astype(np.float64) - values[0].astype(np.float64)
        sums = np.cumsum(moved, axis=0)  # [n, C]; row i: of rows 0 to i
        stop = np.arange(1, len(values))
        start = np.maximum(stop - self.window, 0)
        before = np.where(start[:, np.newaxis] > 0, sums[np.maximum(start, 1) - 1], 0)
        gap = moved[1:] - (sums[stop - 1] - before) / (stop - start)[:, np.newaxis]
        out[1:, 0], out[1:, 1] = gap < -self.threshold, gap > self.threshold


STEP = MovingWindow
