"""Time surfaces: how long ago each pixel fired last, fading out.

X. Lagorce, G. Orchard, F. Galluppi, B. E. Shi, R. B. Benosman, "HOTS: a hierarchy of event-based time-surfaces for
pattern recognition", IEEE TPAMI 39(7), 2017. The paper takes a surface around every event; here as in tonic, the
whole sensor is looked at, T times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._surface_times import LINEAR_TAUS, Decay, check_windows, faded, windows
from neurodata.kernel import kernel
from neurodata.signals import LAST_TIME_US, EventArray, Sensor
from neurodata.steps import ArraySpec, DenseEncoding, Tally, check_choice, check_whole

SOON_US = 256
# Products of growths begin anew with an exponential where rounding (2^-53 each) could add up to 1e-12, and below this.
RESTART = 4096
SMALLEST = 1e-30


@dataclass(frozen=True, slots=True)
class TimeSurface(DenseEncoding):
    """Surfaces at the ends of T windows: float32 [T, C, H, W] in [0, 1], channel 0 = OFF, 1 = ON.

    At the time t, a pixel whose last event of a polarity was at t_last has the value exp(-(t - t_last) / tau), or
    with a linear decay max(0, 1 - (t - t_last) / (3 tau)): 0 where the exponential is at 5 %. A pixel that has not
    fired yet is 0. Events of earlier windows are remembered.

    Without `window_us` the windows divide the sample, and its duration has to be known: that is not causal. The last
    window takes the rest; it is looked at no earlier than the last event. With `window_us` surfaces are causal.

    Parameters
    ----------
    T
        Number of surfaces.
    tau_us
        Time constant of the decay.
    decay
        "exponential" or "linear".
    window_us
        Length of a window, from the first event on; events after the last window are counted as dropped, reason
        "after the last window". None: max(1, (t_last - t_first) // T).

    Raises
    ------
    RecipeError
        When T, tau_us or window_us is not positive, the windows reach beyond 2^62 us, or decay is none of its choices.
    """

    T: int
    tau_us: int = 50_000
    decay: Decay = "exponential"
    window_us: int | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 4},
        {"T": 3, "tau_us": 100, "decay": "linear"},
        {"T": 3, "tau_us": 100, "window_us": 50},
    )
    aliases: ClassVar[Mapping[str, str]] = {"dt": "window_us", "tau": "tau_us"}

    def __post_init__(self) -> None:
        check_windows("time_surface", self.T, self.window_us)
        check_whole("time_surface", "tau_us", self.tau_us, 1, LAST_TIME_US // LINEAR_TAUS)
        check_choice("time_surface", "decay", self.decay, get_args(Decay))

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C, H, W] values in [0, 1]."""
        shape = (self.T, sensor.polarities, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.float32), ("time", "polarity", "y", "x"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the surfaces over zeros [T, C, H, W]."""
        ends, counts = windows(events.t, self.T, self.window_us, tally)
        levels = np.zeros(out[0].size)  # [C * H * W] in double precision: rounding does not add up over windows
        growth = np.exp(np.arange(SOON_US) / self.tau_us)
        draw_surfaces(
            events.t, events.x, events.y, events.p, ends, counts,
            self.tau_us, self.decay == "linear", growth, levels, out,
        )  # fmt: skip


@kernel
def draw_surfaces(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    ends: NDArray[np.int64],
    counts: NDArray[np.int64],
    tau_us: int,
    is_linear: bool,
    growth: NDArray[np.float64],
    levels: NDArray[np.float64],
    surfaces: NDArray[np.float32],
) -> None:
    """Write the levels of all pixels at the end of each window, and let them fade to the end of the next.

    Levels fade by products, not by an exponential for each pixel and window; and an event that comes soon after
    another has the other's value times the `growth` of so many microseconds, as a rule.
    """
    row, channel = np.uint64(surfaces.shape[3]), np.uint64(surfaces.shape[2] * surfaces.shape[3])
    if surfaces.shape[1] == 1:
        channel = np.uint64(0)
    zero_us = np.float64(LINEAR_TAUS * tau_us)
    soon_us = np.uint64(len(growth))
    kept, lost = 1.0, 0.0
    first = 0
    for k in range(len(ends)):
        # Columns cut to the window and unsigned indices: Numba need not look for negative ones.
        window = slice(first, counts[k])
        times, rows, columns, on = t[window], y[window], x[window], p[window]
        value, before_us = 0.0, ends[k]  # a window begins with an exponential
        if is_linear:
            for i in range(len(on)):
                pixel = channel * np.uint64(on[i]) + row * np.uint64(rows[i]) + np.uint64(columns[i])
                levels[pixel] = max(1.0 - np.float64(ends[k] - times[i]) / zero_us, 0.0)
        else:
            for i in range(len(on)):
                pixel = channel * np.uint64(on[i]) + row * np.uint64(rows[i]) + np.uint64(columns[i])
                later_us = np.uint64(times[i] - before_us)
                if later_us < soon_us and value > SMALLEST and (first + i) % RESTART != 0:
                    value *= growth[later_us]
                else:
                    value = exp(-np.float64(ends[k] - times[i]) / tau_us)
                levels[pixel], before_us = value, times[i]
        first = counts[k]
        elapsed_us = np.float64(ends[min(k + 1, len(ends) - 1)] - ends[k])
        if is_linear:
            lost = elapsed_us / zero_us
        else:
            kept = exp(-elapsed_us / tau_us)
        surface = surfaces[k].reshape(len(levels))
        for i in range(len(levels)):
            surface[i] = levels[i]
            level = levels[i] * kept - lost
            levels[i] = level if level > 0.0 else 0.0


def reference(events: EventArray, T: int, tau_us: int, decay: Decay, window_us: int | None) -> NDArray[np.float64]:
    """The definition, from the age of every event at every end: [T, C, H, W] in double precision."""
    sensor = events.sensor
    channel = events.p.astype(np.intp) * (sensor.polarities - 1)
    surfaces = np.zeros((T, sensor.polarities, sensor.height, sensor.width))
    for k, (end_us, n) in enumerate(zip(*windows(events.t, T, window_us, Counter()), strict=True)):
        pixel = (channel[:n], events.y[:n], events.x[:n])
        np.maximum.at(surfaces[k], pixel, faded(end_us - events.t[:n], tau_us, decay))
    return surfaces


STEP = TimeSurface
