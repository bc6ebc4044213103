"""Voxel grid: polarities spread over the two nearest of T points in time.

A. Z. Zhu, L. Yuan, K. Chaney, K. Daniilidis, "Unsupervised event-based learning of optical flow, depth, and
egomotion", CVPR 2019. The paper leaves open what becomes of a sample without a duration: its events are at the first
point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOST_STEPS, ArraySpec, DenseEncoding, Tally, check_whole

BLOCK = 1024  # events, whose shares stay in the first-level cache


@dataclass(frozen=True, slots=True)
class VoxelGrid(DenseEncoding):
    """Sum of polarities around T points in time, linear in between: float32 [T, 1, H, W].

    With t* = (T - 1) (t - t_first) / (t_last - t_first) and p = -1 for OFF, 1 for ON:
    V(b, y, x) = sum over the events of a pixel of p max(0, 1 - |b - t*|). Every event weighs 1 in total, so a grid
    sums to ON - OFF events, but for rounding. Events of a sensor of one polarity have no sign: they all weigh +1.

    Weights are computed in float64, and rounded to float32 where they are added: a voxel to which n events come is
    off by at most n / 2^24 of the sum of their weights.

    It looks at the whole sample, for its duration: it is not causal.

    tonic has T where the paper has T - 1 in t*: its grid of T points is the first T points of ours with T + 1, and
    lacks what lies at the end of the sample.

    Parameters
    ----------
    T
        Number of points in time; the paper's B.
    per_polarity
        A channel for each polarity, 0 = OFF, 1 = ON, with weights that are not negative: [T, C, H, W].

    Raises
    ------
    RecipeError
        When T is not positive.
    """

    T: int
    per_polarity: bool = False

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 5}, {"T": 3, "per_polarity": True}, {"T": 1})
    aliases: ClassVar[Mapping[str, str]] = {"n_time_bins": "T", "num_bins": "T", "B": "T"}

    def __post_init__(self) -> None:
        check_whole("voxel_grid", "T", self.T, 1, MOST_STEPS)

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, 1, H, W], or [T, C, H, W] where polarities have channels of their own."""
        shape = (self.T, sensor.polarities if self.per_polarity else 1, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.float32), ("time", "polarity", "y", "x"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Add the events to the grid [T, C, H, W] of zeros."""
        is_signed = not self.per_polarity and events.sensor.polarities == 2
        shares = np.empty((2, BLOCK), np.float32)
        add_to_grid(events.t, events.x, events.y, events.p, is_signed, shares, out)


@kernel
def add_to_grid(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    is_signed: bool,
    shares: NDArray[np.float32],
    grid: NDArray[np.float32],
) -> None:
    """Add each event to the points before and after it; in order of time, so point after point.

    How far an event is past a point is a difference of whole numbers (up to 2^53): at a point it is nothing.
    Blocks of events have their `shares` computed first: that loop is vectorised, which the additions cannot be.
    """
    if len(t) == 0:
        return
    last = len(grid) - 1
    start_us, duration_us = t[0], np.float64(max(t[-1] - t[0], 1))
    per_duration = 1.0 / duration_us
    off = np.float32(-1.0 if is_signed else 1.0)
    on_less_off = np.float32(1.0) - off
    row, channel = np.uint64(grid.shape[3]), np.uint64(grid.shape[2] * grid.shape[3] * (grid.shape[1] - 1))
    to_before, to_after = shares[0], shares[1]
    stop = 0
    for b in range(last + 1):
        before, after = grid[b].reshape(grid[b].size), grid[min(b + 1, last)].reshape(grid[b].size)
        at_point = b * duration_us  # `last` times the microseconds to it
        first, below, stop = stop, stop, len(t)
        while b < last and below < stop:  # for the first event that is past the next point
            middle = (below + stop) // 2
            if last * np.float64(t[middle] - start_us) - at_point < duration_us:
                below = middle + 1
            else:
                stop = middle
        for i in range(first, stop, len(to_before)):
            end = min(i + len(to_before), stop)
            times, rows, columns, on = t[i:end], y[i:end], x[i:end], p[i:end]
            for j in range(len(on)):
                past = (last * np.float64(times[j] - start_us) - at_point) * per_duration
                weight = past if past > 0.0 else 0.0
                sign = off + on_less_off * np.float32(on[j])
                to_before[j] = sign * np.float32(1.0 - weight)
                to_after[j] = sign * np.float32(weight)
            for j in range(len(on)):
                pixel = channel * np.uint64(on[j]) + row * np.uint64(rows[j]) + np.uint64(columns[j])
                before[pixel] += to_before[j]
                after[pixel] += to_after[j]


def reference(events: EventArray, T: int, per_polarity: bool) -> NDArray[np.float32]:
    """The paper's sum, point by point: [T, C, H, W], each addition in float32."""
    sensor = events.sensor
    channel = events.p.astype(np.intp) if per_polarity and sensor.polarities == 2 else np.zeros(len(events), np.intp)
    sign = np.where(events.p | per_polarity | (sensor.polarities == 1), 1, -1)
    place = (T - 1) * (events.t - events.t[:1]).astype(np.float64) / max(events.duration_us, 1)
    grid = np.zeros((T, sensor.polarities if per_polarity else 1, sensor.height, sensor.width), np.float32)
    for b in range(T):
        weight = sign * np.maximum(0, 1 - np.abs(b - place))
        np.add.at(grid[b], (channel, events.y, events.x), weight.astype(np.float32))
    return grid


STEP = VoxelGrid
