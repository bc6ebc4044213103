"""Timestamp images: when each pixel last had an event of a polarity, as a share of the sample's duration.

Park et al., "Performance evaluation of neuromorphic-vision object recognition algorithms", ICPR 2016 (from memory); the
same image, one for each polarity, makes up two of the four channels of EV-FlowNet (Zhu et al., RSS 2018). Linear in
time; exponentially decaying ones are time surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding, channels, polarity_shape
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, Tally


@dataclass(frozen=True, slots=True)
class TimestampImage(WindowedEncoding):
    """Time of the latest event of each pixel and polarity in each window: array [T, C, H, W] of float32.

    value = (t + 1 - t_first) / (t_last + 1 - t_first), over the whole sample (not causal): an event at t us
    lasts until t + 1, so that the latest event has exactly 1, the first one little more than 0, and 0 is a pixel
    without an event in that window. Channel 0 = OFF, 1 = ON. `T=1` is the image of the papers.

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`. Events after the last window are counted as dropped.

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    """

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 1}, {"T": 3, "split_by": "time"}, {"duration_us": 50})

    def __post_init__(self) -> None:
        self.check_windows("timestamp_image")

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] of numbers from 0 to 1."""
        axes = ("time", "polarity", "y", "x")
        return ArraySpec(polarity_shape(self.T, sensor), np.dtype(np.float32), axes, self.T is None)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the times into frames [T, C, H, W] of zeros."""
        starts, stops = self.bounds(events.t, len(out))
        if len(events):
            latest_times(events.t, events.x, events.y, events.p, starts, stops, out)
        self.count_rest(events, stops, tally)


@kernel
def latest_times(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    frames: NDArray[np.float32],
) -> None:
    """Share of the sample's duration at the latest event of each pixel among starts[k] to stops[k] - 1 in frames[k]."""
    both = frames.shape[1] == 2
    duration = np.float64(t[-1] - t[0]) + 1
    for k in range(len(starts)):
        frame, times, on = frames[k], t[starts[k] : stops[k]], p[starts[k] : stops[k]]
        rows, columns = y[starts[k] : stops[k]], x[starts[k] : stops[k]]
        for i in range(len(on)):
            channel = np.uint8(on[i] and both)
            frame[channel, rows[i], columns[i]] = (np.float64(times[i] - t[0]) + 1) / duration


def reference(events: EventArray, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The definition, for windows given as bool [T, n]; of indices that come twice, NumPy keeps the last value."""
    frames = np.zeros(polarity_shape(len(inside), events.sensor), np.float32)
    window, event = np.nonzero(inside)
    share = ((events.t - events.t[:1]).astype(np.float64) + 1) / (events.duration_us + 1)
    frames[window, channels(events)[event], events.y[event], events.x[event]] = share[event]
    return frames


STEP = TimestampImage
