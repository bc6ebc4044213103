"""Sign frames: the sign of the sum of polarities of each pixel in a window.

"Stacking based on time" as SpikeFPN prepares Gen1 (Zhang et al., "Automotive object detection via learning sparse
events by spiking neurons", IEEE TCDS 2024, and its published code): windows of 20 ms, ON counts +1 and OFF -1. There
the nine frames before a labelled instant go in as three time steps of three channels, frame by frame:
`T=9, duration_us=20_000`, reshaped to [3, 3, H, W]. Windows begin at the first event of what is given, not 180 ms
before the label: cut so, they stand later than theirs by the silence before that event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding
from neurodata.encodings.event_frame import reference_counts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, Tally, check_memory


@dataclass(frozen=True, slots=True)
class SignFrame(WindowedEncoding):
    """Sign of (number of ON events - number of OFF events) in each window: array [T, 1, H, W] of int8.

    -1, 0 or 1; 0 where both are equal or there is none. On a sensor of one polarity every event is ON.
    T alone looks at the whole sample and is not causal.

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`. Events after the last window are counted as dropped.

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    """

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 9, "duration_us": 20}, {"events_per_frame": 8})

    def __post_init__(self) -> None:
        self.check_windows("sign_frame")

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, 1, H, W] of -1, 0 and 1."""
        shape = (self.T or 0, 1, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.int8), ("time", "channel", "y", "x"), self.T is None)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the signs into frames [T, 1, H, W] of zeros."""
        starts, stops = self.bounds(events.t, len(out))
        n_pixels = events.sensor.width * events.sensor.height
        check_memory(f"sign_frame: sums of {n_pixels} pixels take", 8 * n_pixels, "a smaller sensor")
        sums = np.zeros(out.shape[2:], np.int64)  # [H, W]: int8 would wrap
        one_polarity = events.sensor.polarities == 1
        sum_signs(events.x, events.y, events.p, one_polarity, starts, stops, sums, out)
        self.count_rest(events, stops, tally)


@kernel
def sum_signs(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    all_on: bool,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    sums: NDArray[np.int64],
    frames: NDArray[np.int8],
) -> None:
    """Sign of the sum of polarities of the events starts[k] to stops[k] - 1 in frames[k, 0]; sums [H, W] are zeros."""
    for k in range(len(starts)):
        frame, on = frames[k, 0], p[starts[k] : stops[k]]
        rows, columns = y[starts[k] : stops[k]], x[starts[k] : stops[k]]
        for i in range(len(on)):
            sums[rows[i], columns[i]] += 1 if on[i] or all_on else -1
        for i in range(len(on)):
            frame[rows[i], columns[i]] = np.sign(sums[rows[i], columns[i]])
        for i in range(len(on)):
            sums[rows[i], columns[i]] = 0


def reference(events: EventArray, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The definition, for windows given as bool [T, n]: sign of ON less OFF."""
    counts = reference_counts(events, inside)  # [T, C, H, W]
    signs: NDArray[np.int64] = np.sign(counts[:, -1:] - (counts[:, :1] if counts.shape[1] == 2 else 0))
    return signs


STEP = SignFrame
