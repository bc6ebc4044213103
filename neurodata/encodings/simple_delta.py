"""Simple delta: a spike where a value has changed by the threshold or more since the step before.

The definition is that of snnTorch's `spikegen.delta`, which gives ON and OFF in one array as 1 and -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._series import LARGEST, SMALLEST, SeriesEncoding
from neurodata.kernel import kernel
from neurodata.steps import check_range


@dataclass(frozen=True, slots=True)
class SimpleDelta(SeriesEncoding):
    """One spike at most of each channel and step, bool [n, 2, channels]: axis 1 is 0 = OFF, 1 = ON.

    There is no way back: a slow change never fires, and how large a change was is not told. `send_on_delta` keeps both.

    Parameters
    ----------
    threshold
        The change that fires, in the units of the series; compared as float32, as the values are.
    padding
        Whether the step before the first one is taken to be equal to it, so that it has no spikes; else it is 0.

    Raises
    ------
    RecipeError
        When threshold is not from 1e-30 to 1e30.
    EncodingError
        When called: a value is not a number.
    """

    threshold: float = 0.1
    padding: bool = False

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"threshold": 0.3, "padding": True})
    refused: ClassVar[Mapping[str, str]] = {"off_spike": "falls are always told, apart from rises: axis 1, channel 0"}

    def __post_init__(self) -> None:
        check_range("simple_delta", "threshold", self.threshold, SMALLEST, LARGEST)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Compare each row with the one before."""
        before = values[0] if self.padding else np.zeros_like(values[0])
        compare(values, before, np.float32(self.threshold), out)


@kernel
def compare(
    values: NDArray[np.float32], before: NDArray[np.float32], threshold: np.float32, out: NDArray[np.bool_]
) -> None:
    """Spikes over out [n, 2, C]; before [C] is the row before the first."""
    n, n_channels = values.shape
    for i in range(n):
        last = before if i == 0 else values[i - 1]
        for c in range(n_channels):
            out[i, 0, c] = values[i, c] - last[c] <= -threshold
        for c in range(n_channels):  # apart from the loop before: so that both run on vectors
            out[i, 1, c] = values[i, c] - last[c] >= threshold


def reference(
    values: NDArray[np.float32], before: NDArray[np.float32], threshold: np.float32, out: NDArray[np.bool_]
) -> None:
    """What `compare` writes."""
    change = np.diff(values, axis=0, prepend=before[np.newaxis])
    out[:, 0], out[:, 1] = change <= -threshold, change >= threshold


STEP = SimpleDelta
