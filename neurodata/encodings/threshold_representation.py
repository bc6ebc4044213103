"""Threshold-based representation (TBR): a spike where a value changes more than it does on the whole.

Delbruck and Lichtsteiner, "Fast sensory motor control based on event-based hybrid neuromorphic-procedural system",
ISCAS 2007, in the form of Petro, Kasabov and Kiss 2020: the threshold is mean + factor * standard deviation of a
channel's changes. Implementations take the changes with their signs, which makes the threshold of a falling signal too
low, down to one below 0, at which a steady level fires; here it is their magnitudes. The papers were not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._series import SeriesEncoding
from neurodata.steps import check_range


@dataclass(frozen=True, slots=True)
class ThresholdRepresentation(SeriesEncoding):
    """One spike at most of each channel and step, bool [n, 2, channels]: axis 1 is 0 = OFF, 1 = ON.

    Each channel has its own threshold, from all of its sample: the code is not causal. The first row has no spikes.
    There is no way back without the thresholds; with them `levels` of `_delta` adds the changes up, of unbounded error.

    Parameters
    ----------
    factor
        Standard deviations above the mean, 0 to 1000.

    Raises
    ------
    RecipeError
        When factor is out of range.
    EncodingError
        When called: a value is not a number.
    """

    factor: float = 0.5

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"factor": 1.5})

    def __post_init__(self) -> None:
        check_range("threshold_representation", "factor", self.factor, 0, 1000)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Compare each change with the threshold of its channel."""
        change = np.diff(values.astype(np.float64), axis=0)  # [n - 1, C]
        if len(change):
            size = np.abs(change)
            threshold = size.mean(axis=0) + self.factor * size.std(axis=0)
            out[1:, 0], out[1:, 1] = change < -threshold, change > threshold


STEP = ThresholdRepresentation
