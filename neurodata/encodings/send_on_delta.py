"""Send-on-delta: spikes tell of every threshold that a value has moved from the level that was told last.

Miskowicz, "Send-on-delta concept: an event-based data reporting strategy", Sensors 2006; as spikes, level crossings by
whole thresholds: floor(|x - level| / threshold) of them, and the level moves along. With one spike a step at most it is
the form of NeuroBench's `tensor_to_events` (which starts from a rounded first value, and fires beyond the threshold,
not at it) and of `step_forward`.
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
from neurodata.steps import check_range, check_whole


@dataclass(frozen=True, slots=True)
class SendOnDelta(SeriesEncoding):
    """Spikes of the moves of each channel from the level told before, [n, 2, channels]: axis 1 is 0 = OFF, 1 = ON.

    The level begins at the first value, which has no spikes. A move of more than most_spikes thresholds is told in the
    steps after it. uint8, or bool where there is one spike at most. `decode` gives the level: less than one threshold
    from the value (up to rounding), except while a large move is still being told.

    Parameters
    ----------
    threshold
        The move that a spike stands for, in the units of the series.
    most_spikes
        Of one channel in one step, 1 to 255.

    Raises
    ------
    RecipeError
        When a parameter is out of range.
    EncodingError
        When called: a value is not a number.
    """

    threshold: float
    most_spikes: int = 255

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"threshold": 0.1}, {"threshold": 0.05, "most_spikes": 1})

    def __post_init__(self) -> None:
        check_range("send_on_delta", "threshold", self.threshold, SMALLEST, LARGEST)
        check_whole("send_on_delta", "most_spikes", self.most_spikes, 1, 255)

    @property
    def dtype(self) -> Any:
        """uint8, or bool where there is one spike at most."""
        return np.bool_ if self.most_spikes == 1 else np.uint8

    def fill(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Follow the values by whole thresholds."""
        follow(values, self.threshold, self.most_spikes, np.zeros(values.shape[1], np.int64), out)

    def decode(self, spikes: NDArray[Any], start: NDArray[Any] | float = 0.0) -> NDArray[np.float64]:
        """The level after each step, [n, channels], from the first value of each channel, `start`."""
        return levels(spikes, self.threshold, start)


@kernel
def follow(
    values: NDArray[np.float32], threshold: float, most: int, moved: NDArray[np.int64], out: NDArray[np.uint8]
) -> None:
    """Spikes over out [n, 2, C], of at most `most` moves; moved [C], zeros, becomes those of each channel in all.

    The level is worked out from the number of moves, so that it is what `decode` gives and no rounding adds up.
    """
    n, n_channels = values.shape
    for i in range(1, n):
        for c in range(n_channels):
            gap = np.float64(values[i, c]) - (np.float64(values[0, c]) + threshold * moved[c])
            moves = np.int64(max(min(gap / threshold, np.float64(most)), -np.float64(most)))  # towards 0
            out[i, 0, c] = -moves if moves < 0 else 0
            out[i, 1, c] = moves if moves > 0 else 0
            moved[c] += moves


def reference(values: NDArray[np.float32], threshold: float, most: int, out: NDArray[np.uint8]) -> None:
    """What `follow` writes, all channels at a time."""
    moved = np.zeros(values.shape[1], np.int64)
    for i in range(1, len(values)):
        gap = values[i].astype(np.float64) - (values[0].astype(np.float64) + threshold * moved)
        moves = np.clip(gap / threshold, -most, most).astype(np.int64)  # towards 0
        out[i] = np.maximum(-moves, 0), np.maximum(moves, 0)
        moved += moves


STEP = SendOnDelta
