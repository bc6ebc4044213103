"""Histograms of averaged time surfaces: how events of a cell surround each other, cell by cell.

A. Sironi, M. Brambilla, N. Bourdis, X. Lagorce, R. Benosman, "HATS: histograms of averaged time surfaces for robust
event-based object classification", CVPR 2018. As in its algorithm (from memory) and in tonic, an event sees only the
earlier events of its own cell and polarity, and a sum is divided by the number of events of that cell and polarity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import LAST_TIME_US, EventArray, Sensor
from neurodata.steps import ArraySpec, DenseEncoding, Tally, check_memory, check_whole

NONE = -1


@dataclass(frozen=True, slots=True)
class Hats(DenseEncoding):
    """Averaged time surface of each cell and polarity: float32 [cells, C, 2 R + 1, 2 R + 1].

    Around an event i, the local surface at an offset (dx, dy) is the sum of exp(-(t_i - t_j) / tau) over the events j
    of the same polarity at the pixel there, in the same cell, with t_i - window <= t_j < t_i. The cell's surface is
    the mean over its events, 0 where there are none. Cells are numbered row by row; the last ones of a row or column
    may be smaller. Channel 0 = OFF, 1 = ON. It is a mean over the whole sample: not causal.

    tonic adds 1 at the centre, for the event itself: there its surfaces are ours + 1 wherever a cell has events. It
    also takes earlier events of the same microsecond for past ones, which t_j < t_i excludes.

    Each pixel keeps the sum of its recent events, which fades by a product: an event takes the time of (2 R + 1)^2
    pixels, however many events the window holds. Sums are in double precision. Working memory: 40 bytes for each
    pixel and polarity, 8 an event, and twice the result.

    Parameters
    ----------
    cell
        Width and height of a cell in pixels; the paper's K.
    radius
        R: how many pixels a surface reaches to each side; the paper's rho.
    tau_us
        Time constant of the decay. The default, as the others, is that of the authors' code for N-CARS: so long that
        a surface counts events.
    window_us
        How far back an event sees; the paper's Delta t.

    Raises
    ------
    RecipeError
        When a parameter is out of range.
    EncodingError
        When called: the array, or the working memory for the pixels, would take more than 4 GiB.
    """

    cell: int = 10
    radius: int = 3
    tau_us: int = 1_000_000_000
    window_us: int = 100_000

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"cell": 4, "radius": 1, "tau_us": 100, "window_us": 200})
    aliases: ClassVar[Mapping[str, str]] = {"cell_size": "cell", "tau": "tau_us", "time_window": "window_us"}

    def __post_init__(self) -> None:
        check_whole("hats", "cell", self.cell, 1, 65536)
        check_whole("hats", "radius", self.radius, 0, 127)
        check_whole("hats", "tau_us", self.tau_us, 1, LAST_TIME_US)
        check_whole("hats", "window_us", self.window_us, 1, LAST_TIME_US)

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[cells, C, 2 R + 1, 2 R + 1] means of at least 0."""
        n_cells = -(-sensor.width // self.cell) * -(-sensor.height // self.cell)
        shape = (n_cells, sensor.polarities, 2 * self.radius + 1, 2 * self.radius + 1)
        return ArraySpec(shape, np.dtype(np.float32), ("cell", "polarity", "dy", "dx"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the means over zeros [cells, C, 2 R + 1, 2 R + 1]."""
        sensor = events.sensor
        n_pixels = sensor.polarities * sensor.height * sensor.width
        check_memory(f"hats: what is remembered of {n_pixels} pixels takes", 40 * n_pixels, "a smaller sensor")
        following = np.full(len(events), NONE)
        oldest, unsummed, newest = (np.full(n_pixels, NONE) for _ in range(3))
        level, seen_us = np.zeros(n_pixels), np.zeros(n_pixels, np.int64)
        sums, n_events = np.zeros(out.shape), np.zeros(out.shape[:2], np.int64)
        add_surfaces(
            events.t, events.x, events.y, events.p, sensor.height, sensor.width, self.cell, self.tau_us, self.window_us,
            following, oldest, unsummed, newest, level, seen_us, sums, n_events,
        )  # fmt: skip
        np.divide(sums, np.maximum(n_events, 1)[:, :, None, None], out=out, casting="same_kind")


@kernel
def add_surfaces(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    height: int,
    width: int,
    cell: int,
    tau_us: int,
    window_us: int,
    following: NDArray[np.int64],
    oldest: NDArray[np.int64],
    unsummed: NDArray[np.int64],
    newest: NDArray[np.int64],
    level: NDArray[np.float64],
    seen_us: NDArray[np.int64],
    sums: NDArray[np.float64],
    n_events: NDArray[np.int64],
) -> None:
    """Add the local surface of each event to the sum of its cell and polarity, and count the event.

    A pixel of a polarity remembers its events as a chain, from `oldest` over `following` to `newest`. `level` is the
    sum, as of `seen_us`, of those before `unsummed`.
    """
    radius = sums.shape[2] // 2
    for i in range(len(t)):
        channel = np.intp(p[i]) if sums.shape[1] == 2 else 0
        row, column = np.intp(y[i]), np.intp(x[i])
        top, left = row - row % cell, column - column % cell
        number = row // cell * ((width + cell - 1) // cell) + column // cell
        n_events[number, channel] += 1
        for near_row in range(max(top, row - radius), min(top + cell, height, row + radius + 1)):
            for near in range(max(left, column - radius), min(left + cell, width, column + radius + 1)):
                pixel = (channel * height + near_row) * width + near
                if oldest[pixel] == NONE:
                    continue
                value = level[pixel]
                if t[i] > seen_us[pixel]:
                    value *= exp(-np.float64(t[i] - seen_us[pixel]) / tau_us)
                while oldest[pixel] != NONE and t[i] - t[oldest[pixel]] > window_us:
                    if oldest[pixel] == unsummed[pixel]:
                        unsummed[pixel] = following[oldest[pixel]]
                    else:
                        value -= exp(-np.float64(t[i] - t[oldest[pixel]]) / tau_us)
                    oldest[pixel] = following[oldest[pixel]]
                if oldest[pixel] == unsummed[pixel]:
                    value = 0.0
                while unsummed[pixel] != NONE and t[unsummed[pixel]] < t[i]:
                    value += exp(-np.float64(t[i] - t[unsummed[pixel]]) / tau_us)
                    unsummed[pixel] = following[unsummed[pixel]]
                level[pixel], seen_us[pixel] = value, t[i]
                sums[number, channel, near_row - row + radius, near - column + radius] += max(value, 0.0)
        pixel = (channel * height + row) * width + column
        if oldest[pixel] == NONE:
            oldest[pixel] = i
        else:
            following[newest[pixel]] = i
        if unsummed[pixel] == NONE:
            unsummed[pixel] = i
        newest[pixel] = i


def reference(events: EventArray, step: Hats) -> NDArray[np.float64]:
    """The definition, over all pairs of events: [cells, C, 2 R + 1, 2 R + 1] in double precision."""
    t, x, y = events.t, events.x.astype(np.int64), events.y.astype(np.int64)
    channel = events.p.astype(np.intp) * (events.sensor.polarities - 1)
    cell = y // step.cell * -(-events.sensor.width // step.cell) + x // step.cell
    means = np.zeros(step.spec(events.sensor).shape)
    for i in range(len(t)):
        dx, dy, same = x - x[i], y - y[i], (cell == cell[i]) & (channel == channel[i])
        past = same & (t < t[i]) & (t >= t[i] - step.window_us) & (np.maximum(abs(dx), abs(dy)) <= step.radius)
        values = np.exp((t[past] - t[i]) / step.tau_us) / np.count_nonzero(same)
        np.add.at(means[cell[i], channel[i]], (dy[past] + step.radius, dx[past] + step.radius), values)
    return means


STEP = Hats
