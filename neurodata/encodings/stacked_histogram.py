"""Stacked histograms: counts in the bins of a window, stacked as channels and cut off at a small number.

Gehrig and Scaramuzza, "Recurrent vision transformers for object detection with event cameras" (RVT), CVPR 2023: windows
of 50 ms, 10 bins, counts up to 10. RVT's paper divides the window into equal bins; its code divides the time
from the first to the last event of the window: `bins_span` says which. RVT's files end a window at each
labelled instant and give an event on the border of two windows to both; here windows follow each other
from the first event on, and every event is in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._windows import WindowedEncoding, channels
from neurodata.encodings.event_frame import count_events
from neurodata.signals import LAST_TIME_US, EventArray, Sensor
from neurodata.steps import MOST_STEPS, ArraySpec, DenseEncoding, Tally, check_choice, check_whole

MOST_BINS = 65536
BinsSpan = Literal["window", "events"]


@dataclass(frozen=True, slots=True)
class StackedHistogram(DenseEncoding):
    """Counts in the n_bins bins of each window: array [T, 2 n_bins, H, W] of uint8.

    Channels are first the bins of OFF events in the order of time, then those of ON events: channel
    p n_bins + b. A sensor of one polarity has n_bins channels.

    Parameters
    ----------
    T
        Number of windows; events after the last one are counted as dropped. Without it, as many as it takes to
        reach the last event, at least one; the last one is closed.
    duration_us
        Length of a window; window k begins k duration_us after the first event.
    n_bins
        Bins a window.
    count_cutoff
        Largest count, 1 to 255; what is above is counted as dropped, reason "over the cutoff".
    bins_span
        What the bins of a window that begins at a and lasts d share out, bin = min(floor((t - a) n_bins / d),
        n_bins - 1), in whole numbers. "window": the window, as in RVT's paper; causal. "events": the time
        from its first to its last event, as in RVT's code (whose rounding in float32 can differ at the edges).

    Raises
    ------
    RecipeError
        When a parameter is out of its range or none of its choices.
    EncodingError
        When called: windows are more than 2^24, or would take more than 4 GiB.
    """

    T: int | None = None
    duration_us: int = 50_000
    n_bins: int = 10
    count_cutoff: int = 10
    bins_span: BinsSpan = "window"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 2},
        {"duration_us": 100, "n_bins": 3, "count_cutoff": 2},
        {"T": 3, "duration_us": 70, "n_bins": 4, "bins_span": "events"},
    )
    aliases: ClassVar[Mapping[str, str]] = {"nbins": "n_bins", "bins": "n_bins"}

    def __post_init__(self) -> None:
        if self.T is not None:
            check_whole("stacked_histogram", "T", self.T, 1, MOST_STEPS)
        check_whole("stacked_histogram", "duration_us", self.duration_us, 1, LAST_TIME_US)
        check_whole("stacked_histogram", "n_bins", self.n_bins, 1, MOST_BINS)
        check_whole("stacked_histogram", "count_cutoff", self.count_cutoff, 1, 255)
        check_choice("stacked_histogram", "bins_span", self.bins_span, get_args(BinsSpan))

    @property
    def counts_events(self) -> bool:
        """Every event that is not dropped is counted once."""
        return True

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, polarities n_bins, H, W] counts."""
        shape = (self.T or 0, sensor.polarities * self.n_bins, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.uint8), ("time", "channel", "y", "x"), self.T is None)

    def n_steps(self, events: EventArray) -> int:
        """Number of windows for these events; EncodingError when they are more than 2^24."""
        return self._windows.n_windows(events.t)

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Count the events into windows [T, C, H, W] of zeros."""
        starts, stops = self._windows.bounds(events.t, len(out))
        n_lost = 0
        height, width = out.shape[2:]
        polarity = height * width * self.n_bins * (events.sensor.polarities - 1)  # one polarity: all in the first bins
        strides = (height * width, polarity, width)
        for k, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            if start == stop:
                continue
            first = start + self._bin_starts(events.t[start:stop], events.start_us + k * self.duration_us)
            last = np.append(first[1:], stop)
            n_lost += count_events(events.x, events.y, events.p, first, last, self.count_cutoff, strides, out[k])
        if n_lost:
            tally["over the cutoff"] += n_lost
        self._windows.count_rest(events, stops, tally)

    @property
    def _windows(self) -> WindowedEncoding:
        return WindowedEncoding(T=self.T, duration_us=self.duration_us)

    def _bin_starts(self, t: NDArray[np.int64], window_us: int) -> NDArray[np.int64]:
        """Index of the first event of each bin among those of a window, int64 [n_bins]."""
        start_us, duration_us = window_us, self.duration_us
        if self.bins_span == "events":
            start_us, duration_us = int(t[0]), max(1, int(t[-1] - t[0]))
        # floor((t - a) n / d) >= b is t >= a + ceil(b d / n)
        edges_us = [start_us - (-b * duration_us // self.n_bins) for b in range(self.n_bins)]
        return np.searchsorted(t, np.array(edges_us, np.int64), side="left").astype(np.int64)


def reference(events: EventArray, step: StackedHistogram, n_windows: int) -> NDArray[np.int64]:
    """The definition, one window and bin number per event: array [T, C, H, W]."""
    t = events.t - events.t[:1]
    window = t // step.duration_us if step.T else np.minimum(t // step.duration_us, n_windows - 1)
    start, duration = window * step.duration_us, np.full(len(t), step.duration_us)
    for k in np.unique(window) if step.bins_span == "events" else ():
        start[window == k], duration[window == k] = t[window == k].min(), max(1, np.ptp(t[window == k]))
    channel = channels(events) * step.n_bins + np.minimum((t - start) * step.n_bins // duration, step.n_bins - 1)
    out = np.zeros((n_windows, *step.spec(events.sensor).shape[1:]), np.int64)
    kept = window < n_windows
    np.add.at(out, (window[kept], channel[kept], events.y[kept], events.x[kept]), 1)
    return np.minimum(out, step.count_cutoff)


STEP = StackedHistogram
