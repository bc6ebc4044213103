"""Event frames: T pictures that count the events of each pixel and polarity.

The definition of SpikingJelly's `integrate_events_by_fixed_frames_number` (Fang et al., Science Advances
2023), completed where it fails: quiet time bins and recordings shorter than T microseconds give zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, DenseEncoding, Tally, check_choice, check_range

SplitBy = Literal["count", "time"]
CountType = Literal["uint8", "uint16", "uint32"]
Overflow = Literal["error", "saturate"]


@dataclass(frozen=True, slots=True)
class EventFrame(DenseEncoding):
    """Counts of events in T time bins: array [T, C, H, W], channel 0 = OFF, 1 = ON.

    Every event lands in exactly one bin, so the frames of a sample sum to its number of events. Both
    ways to split look at the whole sample: they are not causal.

    Parameters
    ----------
    T
        Number of frames (time steps).
    split_by
        "count": d = N // T events a frame, the last frame takes the remainder.
        "time": frames of max(1, (t_last - t_first) // T) microseconds, the last one takes the rest.
    dtype
        Type of a count: "uint8", "uint16" or "uint32".
    overflow
        What happens to a count that does not fit the type: "error", or "saturate" (the surplus is
        counted as dropped, reason "saturated").

    Raises
    ------
    RecipeError
        When T is not positive, or another parameter is none of its choices.
    EncodingError
        When called: a count does not fit and overflow is "error".
    """

    T: int
    split_by: SplitBy = "count"
    dtype: CountType = "uint16"
    overflow: Overflow = "error"

    counts_events: ClassVar[bool] = True
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 4}, {"T": 4, "split_by": "time"})
    aliases: ClassVar[Mapping[str, str]] = {"frames_number": "T", "n_time_bins": "T"}

    def __post_init__(self) -> None:
        check_range("event_frame", "T", self.T, 1)
        check_choice("event_frame", "split_by", self.split_by, get_args(SplitBy))
        check_choice("event_frame", "dtype", self.dtype, get_args(CountType))
        check_choice("event_frame", "overflow", self.overflow, get_args(Overflow))

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] counts."""
        shape = (self.T, sensor.polarities, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(self.dtype), ("time", "polarity", "y", "x"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Count the events into frames [T, C, H, W] of zeros."""
        limit = np.iinfo(out.dtype).max
        n_lost = count_events(events.x, events.y, events.p, self.boundaries(events.t), limit, out)
        if n_lost and self.overflow == "error":
            raise EncodingError(
                f"event_frame: {n_lost} events exceed the {limit} that a {self.dtype} count holds; "
                'choose a wider dtype (event_frame.dtype=uint32) or overflow="saturate"'
            )
        if n_lost:
            tally["saturated"] += int(n_lost)

    def boundaries(self, t: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of each frame's first event, and the number of events at the end: shape [T + 1]."""
        n = len(t)
        steps = np.arange(1, self.T, dtype=np.int64)
        if n == 0:
            inner = np.zeros(self.T - 1, np.int64)
        elif self.split_by == "count":
            inner = steps * (n // self.T)
        else:
            bin_us = max(1, int(t[-1] - t[0]) // self.T)
            inner = np.searchsorted(t, t[0] + steps * bin_us, side="left").astype(np.int64)
        return np.concatenate([np.zeros(1, np.int64), inner, np.full(1, n, np.int64)])


@kernel
def count_events(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    boundaries: NDArray[np.int64],
    limit: int,
    frames: NDArray[Any],
) -> int:
    """Add the events between boundaries[k] and boundaries[k + 1] to frames[k]; events beyond limit are returned."""
    n_lost = 0
    n_polarities = frames.shape[1]
    for k in range(len(boundaries) - 1):
        for i in range(boundaries[k], boundaries[k + 1]):
            channel = np.intp(p[i]) if n_polarities == 2 else 0
            count = frames[k, channel, y[i], x[i]]
            if count < limit:
                frames[k, channel, y[i], x[i]] = count + 1
            else:
                n_lost += 1
    return n_lost


def reference(events: EventArray, T: int, split_by: str) -> NDArray[np.int64]:
    """The definition, one bin number per event: frames [T, C, H, W] without a limit on counts."""
    n = len(events)
    if split_by == "count":
        bins = np.minimum(np.arange(n) // (n // T), T - 1) if n >= T else np.full(n, T - 1)
    else:
        bin_us = max(1, events.duration_us // T)
        bins = np.minimum((events.t - events.t[:1]) // bin_us, T - 1)
    channel = events.p.astype(np.intp) if events.sensor.polarities == 2 else np.zeros(n, np.intp)
    frames = np.zeros((T, events.sensor.polarities, events.sensor.height, events.sensor.width), np.int64)
    np.add.at(frames, (bins, channel, events.y, events.x), 1)
    return frames


STEP = EventFrame
