"""Binary frames: whether a pixel had an event of a polarity in a window, one bit whatever its activity.

The spikes that most event-driven networks are fed with: event frames cut at one (Cohen et al., "Skimming digits",
Frontiers in Neuroscience 2016, among others; from memory).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding, polarity_shape
from neurodata.encodings.event_frame import reference_counts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, Tally


@dataclass(frozen=True, slots=True)
class BinaryFrame(WindowedEncoding):
    """1 where a pixel had at least one event in the window, 0 elsewhere: array [T, C, H, W] of uint8.

    Channel 0 = OFF, 1 = ON. T alone looks at the whole sample and is not causal.

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`. Events after the last window are counted as dropped.

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    """

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 4}, {"duration_us": 30, "overlap_us": 10})

    def __post_init__(self) -> None:
        self.check_windows("binary_frame")

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] of 0 and 1."""
        axes = ("time", "polarity", "y", "x")
        return ArraySpec(polarity_shape(self.T, sensor), np.dtype(np.uint8), axes, self.T is None)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Mark the events in frames [T, C, H, W] of zeros."""
        starts, stops = self.bounds(events.t, len(out))
        mark_events(events.x, events.y, events.p, starts, stops, out)
        self.count_rest(events, stops, tally)


@kernel
def mark_events(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    frames: NDArray[np.uint8],
) -> None:
    """1 in frames[k] [C, H, W] where the events starts[k] to stops[k] - 1 are."""
    both = frames.shape[1] == 2
    for k in range(len(starts)):
        frame, on = frames[k], p[starts[k] : stops[k]]
        rows, columns = y[starts[k] : stops[k]], x[starts[k] : stops[k]]
        for i in range(len(on)):
            frame[np.uint8(on[i] and both), rows[i], columns[i]] = 1


def reference(events: EventArray, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The definition, for windows given as bool [T, n]: whether anything was counted."""
    return reference_counts(events, inside) > 0


STEP = BinaryFrame
