"""Step-forward: a spike where a value is beyond the threshold from a baseline, which the spike moves by one threshold.

Petro, Kasabov and Kiss, "Selection and optimization of temporal spike encoding methods for spiking neural networks",
IEEE Transactions on Neural Networks and Learning Systems 2020. The definition was checked against two independent
implementations, not against the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._delta import levels
from neurodata.encodings._series import LARGEST, SMALLEST, SeriesEncoding
from neurodata.kernel import kernel
from neurodata.steps import check_range


@dataclass(frozen=True, slots=True)
class StepForward(SeriesEncoding):
    """One spike at most of each channel and step, bool [n, 2, channels]: axis 1 is 0 = OFF, 1 = ON.

    The baseline begins at the first value, which has no spike. `decode` gives the baseline: within one threshold of
    the value (up to rounding) as long as the value moves by no more than a threshold in a step; a faster one is
    followed late.

    Parameters
    ----------
    threshold
        How far beyond the baseline fires, and how far the baseline moves, in the units of the series.

    Raises
    ------
    RecipeError
        When threshold is not from 1e-30 to 1e30.
    EncodingError
        When called: a value is not a number.
    """

    threshold: float

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"threshold": 0.1},)

    def __post_init__(self) -> None:
        check_range("step_forward", "threshold", self.threshold, SMALLEST, LARGEST)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Follow the values one threshold at a time."""
        step_after(values, self.threshold, np.zeros(values.shape[1], np.int64), out)

    def decode(self, spikes: NDArray[Any], start: NDArray[Any] | float = 0.0) -> NDArray[np.float64]:
        """The baseline after each step, [n, channels], from the first value of each channel, `start`."""
        return levels(spikes, self.threshold, start)


@kernel
def step_after(values: NDArray[np.float32], threshold: float, moved: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """Spikes over out [n, 2, C]; moved [C], zeros, becomes the steps that each baseline has gone."""
    n, n_channels = values.shape
    for i in range(1, n):
        for c in range(n_channels):
            gap = np.float64(values[i, c]) - (np.float64(values[0, c]) + threshold * moved[c])
            rises, falls = gap > threshold, gap < -threshold
            out[i, 0, c] = falls
            out[i, 1, c] = rises
            moved[c] += np.int64(rises) - np.int64(falls)


def reference(values: NDArray[np.float32], threshold: float, out: NDArray[np.bool_]) -> None:
    """What `step_after` writes, all channels at a time."""
    moved = np.zeros(values.shape[1], np.int64)
    for i in range(1, len(values)):
        gap = values[i].astype(np.float64) - (values[0].astype(np.float64) + threshold * moved)
        out[i] = gap < -threshold, gap > threshold
        moved += out[i, 1].astype(np.int64) - out[i, 0]


STEP = StepForward
