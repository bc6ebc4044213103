"""Windows: which events of a recording belong to which frame, for every encoding that makes one frame a window.

There is exactly one way to split: T frames of equal count or equal time (SpikingJelly's definitions, Fang et al.,
Science Advances 2023, completed for quiet and short recordings), frames of a fixed duration, or frames of a fixed
number of events. The first window starts at the first event. Windows of fixed size may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import LAST_TIME_US, EventArray, Sensor
from neurodata.steps import MOST_STEPS, DenseEncoding, Tally, check_choice, check_whole

SplitBy = Literal["count", "time"]
AFTER_THE_LAST_FRAME = "after the last frame"


@dataclass(frozen=True, slots=True)
class WindowedEncoding(DenseEncoding):
    """Base of encodings that make one frame of each window: the parameters that say what the windows are.

    State T, or `duration_us`, or `events_per_frame`; T may stand with either of the others.

    Parameters
    ----------
    T
        Number of frames (time steps). Without it, as many as it takes to reach the last event, at least one.
    split_by
        How T alone splits; looks at the whole sample, which is not causal.
        "count" (the default): d = N // T events a frame, the last frame takes the remainder.
        "time": frames of max(1, (t_last - t_first) // T) microseconds, the last one takes the rest.
    duration_us
        Frame k holds the events with k s <= t - t_first < k s + duration_us, where s = duration_us - overlap_us.
        Without T the last frame is closed, as SpikingJelly's: it holds events at its very end, too. With T
        it is not, and the events from there on are counted as dropped ("after the last frame").
    events_per_frame
        Frame k holds the events number k s to k s + events_per_frame - 1, where s = events_per_frame -
        overlap_events. Without T the last frame may hold fewer; with T, events beyond are counted as dropped.
    overlap_us, overlap_events
        What two neighbouring frames share, from 1 to one less than a frame; goes with `duration_us` and
        with `events_per_frame`. An event lands in several frames then.
    """

    T: int | None = None
    split_by: SplitBy | None = None
    _: KW_ONLY
    duration_us: int | None = None
    events_per_frame: int | None = None
    overlap_us: int | None = None
    overlap_events: int | None = None

    aliases: ClassVar[Mapping[str, str]] = {
        "frames_number": "T",
        "n_time_bins": "T",
        "n_event_bins": "T",
        "time_window": "duration_us",
        "event_count": "events_per_frame",
    }
    implied: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "n_time_bins": {"split_by": "time"},
        "n_event_bins": {"split_by": "count"},
    }
    exclusive: ClassVar[Sequence[str]] = ("split_by", "duration_us", "events_per_frame")
    value_aliases: ClassVar[Mapping[str, Mapping[str, str]]] = {"split_by": {"number": "count"}}
    refused: ClassVar[Mapping[str, str]] = {
        "duration": "it is microseconds for SpikingJelly's event cameras and milliseconds for its SHD: say duration_us",
        "overlap": "it is microseconds, events or a share of a bin in tonic: say overlap_us or overlap_events",
        "include_incomplete": "the last, incomplete frame is always kept: leave this out",
        "start_time": "frames start at the first event: cut the recording with a transform before this step",
        "end_time": "frames end at the last event: cut the recording with a transform before this step, or state T",
    }

    def check_windows(self, step: str) -> None:
        """RecipeError unless there is exactly one way to split; fills in the default of `split_by`."""
        for name, highest in (("T", MOST_STEPS), ("duration_us", LAST_TIME_US), ("events_per_frame", LAST_TIME_US)):
            if (found := getattr(self, name)) is not None:
                check_whole(step, name, found, 1, highest)
        ways = [name for name in self.exclusive if getattr(self, name) is not None]
        if len(ways) > 1:
            raise RecipeError(f"{step}: {' and '.join(ways)} are both stated; state one way to split")
        if self.T is None and ways in ([], ["split_by"]):
            raise RecipeError(f"{step}: state T, the number of frames, or duration_us, or events_per_frame")
        if not ways:
            object.__setattr__(self, "split_by", "count")
        if self.split_by is not None:
            check_choice(step, "split_by", self.split_by, get_args(SplitBy))
        for overlap, size in (("overlap_us", "duration_us"), ("overlap_events", "events_per_frame")):
            if (shared := getattr(self, overlap)) is not None:
                if (whole := getattr(self, size)) is None:
                    raise RecipeError(f"{step}: {overlap} is stated without {size}, of which it is a part")
                check_whole(step, overlap, shared, 1, whole - 1)

    @property
    def has_overlap(self) -> bool:
        """Whether an event can land in several frames."""
        return self.overlap_us is not None or self.overlap_events is not None

    @property
    def windows_per_frame(self) -> int:
        """How many windows one frame is made of."""
        return 1

    def n_windows(self, t: NDArray[np.int64]) -> int:
        """Number of windows for events at these times: T, or as many as it takes to reach the last one.

        Raises
        ------
        EncodingError
            When they are more than 2^24, as where a clock jumps.
        """
        if self.T is not None:
            return self.T * self.windows_per_frame
        size, stride = self._size_and_stride()
        last = int(t[-1] - t[0]) if self.duration_us is not None and len(t) else len(t)
        n_windows = max(1, -((size - last) // stride) + 1)
        if n_windows > MOST_STEPS:
            raise EncodingError(
                f"{len(t)} events over {int(t[-1] - t[0])} us make {n_windows} frames, more than {MOST_STEPS}; "
                "state T, or larger frames, or look at the recording's clock"
            )
        return n_windows

    def n_steps(self, events: EventArray) -> int:
        """Number of frames for these events; EncodingError when they are more than 2^24."""
        return -(-self.n_windows(events.t) // self.windows_per_frame)

    def bounds(self, t: NDArray[np.int64], n_windows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index of each window's first event and one past its last one: two arrays int64 [n_windows]."""
        n = len(t)
        if self.split_by == "count":
            d = n // n_windows
            starts = d * np.arange(n_windows, dtype=np.int64)
            return starts, np.append(starts[1:], n)
        if self.split_by == "time":
            bin_us = max(1, int(t[-1] - t[0]) // n_windows) if n else 1
            starts = first_from(t, n, 0, bin_us, n_windows)
            return starts, np.append(starts[1:], n)
        size, stride = self._size_and_stride()
        times = t if self.duration_us is not None else None
        starts = first_from(times, n, 0, stride, n_windows)
        stops = first_from(times, n, size, stride, n_windows)
        if self.T is None:
            stops[-1] = n
        return starts, stops

    def count_rest(self, events: EventArray, stops: NDArray[np.int64], tally: Tally) -> None:
        """Tell the tally of the events that stand after the last window."""
        if n_rest := len(events) - int(stops[-1]):
            tally[AFTER_THE_LAST_FRAME] += n_rest

    def _size_and_stride(self) -> tuple[int, int]:
        size = self.duration_us or self.events_per_frame or 1
        return size, size - (self.overlap_us or self.overlap_events or 0)


def first_from(t: NDArray[np.int64] | None, n: int, offset: int, stride: int, n_windows: int) -> NDArray[np.int64]:
    """Index of the first of n events at least offset + k stride after the first one, for each k: int64 [n_windows].

    At times t, or one after the other when that is None; n where there is no such event.
    """
    last = n - 1 if t is None or n == 0 else int(t[-1] - t[0])
    # Nothing beyond the last event is computed: no time overflows.
    n_inside = min(n_windows, max(0, (last - offset) // stride + 1))
    inside = offset + stride * np.arange(n_inside, dtype=np.int64)
    indices = np.full(n_windows, n, np.int64)
    # In the type of the times: they are not copied.
    indices[:n_inside] = inside if t is None else np.searchsorted(t, (t[:1] + inside).astype(t.dtype), side="left")
    return indices


def channels(events: EventArray) -> NDArray[np.intp]:
    """Channel of each event: 0 = OFF, 1 = ON, on a sensor of one polarity 0; for the references."""
    return events.p.astype(np.intp) if events.sensor.polarities == 2 else np.zeros(len(events), np.intp)


def polarity_shape(n_steps: int | None, sensor: Sensor) -> tuple[int, int, int, int]:
    """[T, C, H, W] with a channel for each polarity; T is 0 where it depends on the sample."""
    return n_steps or 0, sensor.polarities, sensor.height, sensor.width


def reference(encoding: WindowedEncoding, t: NDArray[np.int64], n_windows: int) -> NDArray[np.bool_]:
    """The definition of windows of a fixed size, one event and window at a time: bool [n_windows, n]."""
    clock = t - t[:1] if encoding.duration_us is not None else np.arange(len(t))
    size = encoding.duration_us or encoding.events_per_frame or 1
    start = np.arange(n_windows)[:, None] * (size - (encoding.overlap_us or encoding.overlap_events or 0))
    inside = (start <= clock) & (clock < start + size)
    if encoding.T is None:
        inside[-1] |= clock >= start[-1] + size
    return np.asarray(inside, np.bool_)
