"""Event frames: pictures that count the events of each pixel and polarity, one for each window of a recording.

For T frames the definition is SpikingJelly's `integrate_events_by_fixed_frames_number`, for frames of a fixed
duration its `integrate_events_by_fixed_duration` (Fang et al., Science Advances 2023), completed where they fail:
quiet time bins, recordings shorter than T microseconds and single events give zeros and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import SplitBy as SplitBy
from neurodata.encodings._windows import WindowedEncoding, channels, polarity_shape
from neurodata.errors import EncodingError, RecipeError
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, Tally, check_choice

CountType = Literal["uint8", "uint16", "uint32"]
Overflow = Literal["error", "saturate"]
BLOCK = 1024  # events; their pixels stay in the first-level cache


@dataclass(frozen=True, slots=True)
class EventFrame(WindowedEncoding):
    """Counts of events in windows: array [T, C, H, W], channel 0 = OFF, 1 = ON.

    Without an overlap every event lands in one frame at most, and those that land in none are counted as dropped:
    with them, the frames of a sample sum to its number of events. T = 16 alone looks at the whole sample
    and is not causal; frames of a fixed duration or number of events are.

    tonic's frames are others at the edges: its `n_time_bins` and `n_event_bins` lose what the division
    leaves over, its `time_window` and `event_count` the last, incomplete frame (unless told to include it).

    Parameters
    ----------
    T, split_by, duration_us, events_per_frame, overlap_us, overlap_events
        The windows: see `WindowedEncoding`.
    dtype
        Type of a count: "uint8", "uint16" or "uint32".
    overflow
        What happens to a count that does not fit the type: "error", or "saturate" (the surplus is
        counted as dropped, reason "saturated"; not with an overlap, where an event cut from one frame may
        stay in another).

    Raises
    ------
    RecipeError
        When there is not exactly one way to split, or a parameter is out of its range or none of its choices.
    EncodingError
        When called: a count does not fit and overflow is "error", or frames are more than 2^24, or would take more
        than 4 GiB.
    """

    dtype: CountType = "uint16"
    overflow: Overflow = "error"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 4},
        {"T": 4, "split_by": "time"},
        {"duration_us": 20},
        {"T": 3, "duration_us": 40, "overlap_us": 10},
        {"events_per_frame": 7, "overlap_events": 3},
        {"T": 2, "events_per_frame": 10},
    )

    def __post_init__(self) -> None:
        self.check_windows("event_frame")
        check_choice("event_frame", "dtype", self.dtype, get_args(CountType))
        check_choice("event_frame", "overflow", self.overflow, get_args(Overflow))
        if self.has_overlap and self.overflow == "saturate":
            raise RecipeError(
                'event_frame: overflow is "saturate" and frames overlap: an event cut from one frame may stay in '
                "another, so that losses cannot be counted; choose a wider dtype"
            )

    @property
    def counts_events(self) -> bool:
        """Whether the frames sum to the number of events encoded: not where they overlap."""
        return not self.has_overlap

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] counts."""
        axes = ("time", "polarity", "y", "x")
        return ArraySpec(polarity_shape(self.T, sensor), np.dtype(self.dtype), axes, self.T is None)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Count the events into frames [T, C, H, W] of zeros."""
        starts, stops = self.bounds(events.t, len(out))
        height, width = out.shape[2:]
        strides = (out[0].size, height * width * (out.shape[1] - 1), width)  # one polarity: all in channel 0
        n_lost = count_events(events.x, events.y, events.p, starts, stops, self._limit, strides, out)
        self._check_lost(n_lost)
        if n_lost:
            tally["saturated"] += int(n_lost)
        self.count_rest(events, stops, tally)

    @property
    def needs_times(self) -> bool:
        """Whether windows depend on when events are, and not on their order alone."""
        return self.split_by == "time" or self.duration_us is not None

    def fill_addresses(self, address: NDArray[Any], t: NDArray[Any], out: NDArray[Any]) -> None:
        """Count events that are known by their places in a frame [C, H, W], in C order, into frames of zeros.

        Parameters
        ----------
        address
            Unsigned, [n], each below C * H * W.
        t
            Times, unsigned or int64 [n], non-decreasing; anything of that length where `needs_times` is not so.
        out
            C-contiguous [T, C, H, W], of any type that holds the counts.

        Raises
        ------
        EncodingError
            When a count does not fit `dtype` and overflow is "error", or an address is none.
        """
        starts, stops = self.bounds(t, len(out))
        n_lost = count_addresses(address, starts, stops, self._limit, out.reshape(len(out), -1))
        if n_lost < 0:
            raise EncodingError(f"event_frame: an address is outside the frame of {out[0].size} places")
        self._check_lost(n_lost)

    @property
    def _limit(self) -> int:
        return int(np.iinfo(self.dtype).max)

    def _check_lost(self, n_lost: int) -> None:
        if n_lost and self.overflow == "error":
            raise EncodingError(
                f"event_frame: {n_lost} events exceed the {self._limit} that a {self.dtype} count holds; "
                'choose a wider dtype (event_frame.dtype=uint32) or overflow="saturate"'
            )


@kernel
def count_events(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    limit: int,
    strides: tuple[int, int, int],
    counts: NDArray[Any],
) -> int:
    """Count the events starts[k] to stops[k] - 1 in zeros; the number of those beyond limit.

    With (window, channel, row) = strides, an event counts at k window + p channel + y row + x in the array, which is
    contiguous. Block by block, the pixels first, which takes vector instructions, and then the counts (1.5 x faster).
    """
    n_lost = 0
    flat = counts.reshape(counts.size)
    channel, row = np.uint64(strides[1]), np.uint64(strides[2])
    pixel = np.empty(BLOCK, np.uint64)
    for k in range(len(starts)):
        frame = flat[k * strides[0] :]
        may_exceed = stops[k] - starts[k] > limit
        for first in range(starts[k], stops[k], BLOCK):
            last = min(first + BLOCK, stops[k])
            rows, columns, on = y[first:last], x[first:last], p[first:last]
            for i in range(len(on)):
                pixel[i] = channel * np.uint64(on[i]) + row * np.uint64(rows[i]) + np.uint64(columns[i])
            for i in range(len(on)):
                if may_exceed and frame[pixel[i]] >= limit:
                    n_lost += 1
                else:
                    frame[pixel[i]] += 1
    return n_lost


@kernel
def count_addresses(
    address: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64], limit: int, frames: NDArray[Any]
) -> int:
    """Add the events starts[k] to stops[k] - 1 to frames[k] [C * H * W]; the number beyond limit, or -1: no place."""
    n_lost = 0
    n_places = np.uint64(frames.shape[1])
    for k in range(len(starts)):
        frame, places = frames[k], address[starts[k] : stops[k]]
        for i in range(len(places)):
            place = np.uint64(places[i])
            if place >= n_places:
                return -1
            count = frame[place]
            if count < limit:
                frame[place] = count + 1
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
    return reference_counts(events, bins == np.arange(T)[:, None])


def reference_counts(events: EventArray, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Frames [T, C, H, W] of the events that are inside each window, bool [T, n], without a limit on counts."""
    frames = np.zeros(polarity_shape(len(inside), events.sensor), np.int64)
    window, event = np.nonzero(inside)
    np.add.at(frames, (window, channels(events)[event], events.y[event], events.x[event]), 1)
    return frames


STEP = EventFrame
