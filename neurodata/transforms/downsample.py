"""A coarser pixel grid, all events kept or made anew from what the larger pixels see.

"sum" is tonic's `Downsample`: every event stays, in its larger pixel. The other two are the methods of A. Ghosh,
T. Nowotny, J. C. Knight, "Insect-inspired Spatio-temporal Downsampling of Event-based Input", ICONS 2023
(doi 10.1145/3589737.3605994), by the first author's implementation in tonic (`EventDownsampling`). That one loses
the first window, dates the others one window early, before their cause, and has its frames lose the last events;
and its default threshold of 0 lets every pixel fire at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import RecipeError
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import MOVES_SPACE, EventTransform, Moves, Tally, check_choice, check_range
from neurodata.transforms._scale import scaled

Method = Literal["sum", "integrator", "differentiator"]


@dataclass(frozen=True, slots=True)
class Downsample(EventTransform):
    """Make pixels larger by a factor: x' = floor(x / factor), y' = floor(y / factor).

    The new sensor ends with the pixel that holds the old last one, also where the factor does not divide the size: its
    width is floor((width - 1) / factor) + 1.

    Parameters
    ----------
    factor
        A whole number, or a pair (a, b) for a / b, such as (5, 2).
    method
        "sum": every event stays.
        "integrator": in steps of step_us from the first event on, each large pixel adds up its ON minus OFF events;
        when the sum reaches threshold (or -threshold) at the end of a step, there is one ON (OFF) event, dated to
        the beginning of the step, and the sum is zero again.
        "differentiator": of these, count the events of each pixel and polarity in windows of steps_per_window steps;
        where a window has more than the one before, there is one event, dated to the beginning of the window.
        Both react at the end of a step or window: a causal system sees the events that much later.
    step_us
        Length of a step; for the last two methods.
    steps_per_window
        Steps in a window of the differentiator.
    threshold
        Events, for the last two methods.

    Raises
    ------
    RecipeError
        When factor is below 1, or step_us is missing.
    """

    factor: int | tuple[int, int]
    method: Method = "sum"
    step_us: int | None = None
    steps_per_window: int = 2
    threshold: int = 1

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"factor": 2},
        {"factor": (5, 2)},
        {"factor": 3, "method": "integrator", "step_us": 20, "threshold": 2},
        {"factor": 2, "method": "differentiator", "step_us": 20},
    )

    def __post_init__(self) -> None:
        over, under = self._fraction
        check_range("downsample", "factor's denominator", under, 1, 65536)
        check_range("downsample", "factor", over / under, 1, 65536)
        check_choice("downsample", "method", self.method, get_args(Method))
        if self.method != "sum" and self.step_us is None:
            raise RecipeError(f'downsample: method = "{self.method}" goes in steps; state step_us')
        check_range("downsample", "step_us", 1 if self.step_us is None else self.step_us, 1, 2**40)
        check_range("downsample", "steps_per_window", self.steps_per_window, 1, 2**20)
        check_range("downsample", "threshold", self.threshold, 1, 2**62)

    @property
    def _fraction(self) -> tuple[int, int]:
        return self.factor if isinstance(self.factor, tuple) else (self.factor, 1)

    def sensor_after(self, sensor: Sensor) -> Sensor:
        """The coarser grid."""
        over, under = self._fraction
        return Sensor(
            (sensor.width - 1) * under // over + 1, (sensor.height - 1) * under // over + 1, sensor.polarities
        )

    def apply(self, events: EventArray, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events on the coarser grid."""
        over, under = self._fraction
        sensor = self.sensor_after(events.sensor)
        coarse = events if over == under else scaled(events, (under, under), (over, over), sensor)
        if self.method == "sum" or len(events) == 0:
            return coarse
        made = _integrated(coarse, self.step_us or 1, self.threshold)
        if self.method == "differentiator":
            made = _differentiated(made, int(events.t[0]), (self.step_us or 1) * self.steps_per_window)
        if len(made) < len(events):
            tally[f"merged by the {self.method}"] += len(events) - len(made)
        return made


def _integrated(events: EventArray, step_us: int, threshold: int) -> EventArray:
    n_pixels = events.sensor.width * events.sensor.height
    n, width = len(events), events.sensor.width
    charge, step_of = np.zeros(n_pixels, np.int64), np.full(n_pixels, -1, np.int64)
    touched = np.empty(min(n, n_pixels), np.int64)
    t, pixel, p = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    signs = events.p if events.sensor.polarities == 2 else np.ones(n, np.bool_)
    n_made = integrate(
        events.t, events.x, events.y, signs, width, step_us, threshold, charge, step_of, touched, t, pixel, p
    )
    y, x = np.divmod(pixel[:n_made], width)
    return EventArray(t[:n_made].copy(), x.astype(np.uint16), y.astype(np.uint16), p[:n_made].copy(), events.sensor)


def _differentiated(events: EventArray, zero_us: int, window_us: int) -> EventArray:
    n, width = len(events), events.sensor.width
    n_cells = 2 * width * events.sensor.height
    now, before, window_of = np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64), np.full(n_cells, -2, np.int64)
    touched = np.empty(min(n, n_cells), np.int64)
    t, cell = np.empty(n, np.int64), np.empty(n, np.int64)
    n_made = rises(
        events.t, events.x, events.y, events.p, width, zero_us, window_us, now, before, window_of, touched, t, cell
    )
    pixel, p = np.divmod(cell[:n_made], 2)
    y, x = np.divmod(pixel, width)
    return EventArray(t[:n_made].copy(), x.astype(np.uint16), y.astype(np.uint16), p > 0, events.sensor)


@kernel
def integrate(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    width: int,
    step_us: int,
    threshold: int,
    charge: NDArray[np.int64],
    step_of: NDArray[np.int64],
    touched: NDArray[np.int64],
    t_made: NDArray[np.int64],
    pixel_made: NDArray[np.int64],
    p_made: NDArray[np.bool_],
) -> int:
    """Events of the integrator, in a step in the order in which pixels were first touched; their number."""
    n_made, start = 0, 0
    while start < len(t):
        step = (t[start] - t[0]) // step_us
        n_touched, i = 0, start
        while i < len(t) and t[i] - t[0] - step * step_us < step_us:
            pixel = np.int64(y[i]) * width + np.int64(x[i])
            if step_of[pixel] != step:
                step_of[pixel] = step
                touched[n_touched] = pixel
                n_touched += 1
            charge[pixel] += 1 if p[i] else -1
            i += 1
        for k in range(n_touched):
            pixel = touched[k]
            if abs(charge[pixel]) >= threshold:
                t_made[n_made], pixel_made[n_made], p_made[n_made] = t[0] + step * step_us, pixel, charge[pixel] > 0
                charge[pixel] = 0
                n_made += 1
        start = i
    return n_made


@kernel
def rises(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    width: int,
    zero_us: int,
    window_us: int,
    now: NDArray[np.int64],
    before: NDArray[np.int64],
    window_of: NDArray[np.int64],
    touched: NDArray[np.int64],
    t_made: NDArray[np.int64],
    cell_made: NDArray[np.int64],
) -> int:
    """Cells (2 * pixel + polarity) with more events in a window than in the one before; their number."""
    n_made, start = 0, 0
    while start < len(t):
        window = (t[start] - zero_us) // window_us
        n_touched, i = 0, start
        while i < len(t) and t[i] - zero_us - window * window_us < window_us:
            cell = 2 * (np.int64(y[i]) * width + np.int64(x[i])) + np.int64(p[i])
            if window_of[cell] != window:
                before[cell] = now[cell] if window_of[cell] == window - 1 else 0
                window_of[cell] = window
                now[cell] = 0
                touched[n_touched] = cell
                n_touched += 1
            now[cell] += 1
            i += 1
        for k in range(n_touched):
            cell = touched[k]
            if now[cell] > before[cell]:
                t_made[n_made], cell_made[n_made] = zero_us + window * window_us, cell
                n_made += 1
        start = i
    return n_made


def reference_spikes(events: EventArray, step_us: int, threshold: int) -> NDArray[np.int64]:
    """Signs of the integrator's events, step by step: [steps, H, W] of -1, 0, 1."""
    steps = (events.t - events.t[0]) // step_us
    signs = np.where(events.p | (events.sensor.polarities == 1), 1, -1)
    spikes = np.zeros((steps[-1] + 1, events.sensor.height, events.sensor.width), np.int64)
    np.add.at(spikes, (steps, events.y, events.x), signs)
    charge = np.zeros(spikes.shape[1:], np.int64)
    for k, change in enumerate(spikes):
        charge = charge + change
        spikes[k] = np.where(np.abs(charge) >= threshold, np.sign(charge), 0)
        charge = np.where(spikes[k] != 0, 0, charge)
    return spikes


def reference_rises(spikes: NDArray[np.int64], steps_per_window: int) -> NDArray[np.bool_]:
    """Events of the differentiator: [windows, 2, H, W], OFF and ON."""
    padded = np.pad(spikes, ((0, -len(spikes) % steps_per_window), (0, 0), (0, 0)))
    windows = padded.reshape(-1, steps_per_window, *spikes.shape[1:])
    counts = np.stack([(windows == sign).sum(axis=1) for sign in (-1, 1)], axis=1)
    return np.diff(counts, axis=0, prepend=0) > 0


STEP = Downsample
