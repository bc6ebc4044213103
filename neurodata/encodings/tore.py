"""Time-ordered recent events: how long ago each pixel fired last, and before that, on a logarithmic scale.

R. W. Baldwin, R. Liu, M. Almatrafi, V. Asari, K. Hirakawa, "Time-ordered recent event (TORE) volumes for event
cameras", IEEE TPAMI 45(2), 2023. Numbers and direction are those of the authors' MATLAB (events2ToreFeature.m of
tore_volumes), where ON comes before OFF; ours are OFF, then ON, as everywhere here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._surface_times import check_windows, windows
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec, DenseEncoding, Tally, check_whole

WHOLE_FLOAT32 = 2**24
MOST_RANKS = 65536


@dataclass(frozen=True, slots=True)
class Tore(DenseEncoding):
    """Ages of the K latest events of each pixel and polarity, at the ends of T windows: float32 [T, C * K, H, W].

    With the age a in microseconds, the value is max(0, ln(min(a, max_us) + 1) - ln(min_us + 1)): 0 for what has just
    happened, and largest for what is long ago. A pixel without a k-th event counts as one of the age max_us, so that
    an empty sample is not all zeros, but all ln(max_us + 1) - ln(min_us + 1). Channel c * K + k is the event number k
    (0 = the latest) of the polarity c (0 = OFF, 1 = ON).

    The windows are those of time_surface: without `window_us` they divide the sample, which is not causal. A volume
    holds the events before the end of its window (the MATLAB's half-open interval); only the last volume of a sample
    holds the one at its end, too.

    Parameters
    ----------
    T
        Number of volumes.
    k
        Events that a pixel remembers of each polarity.
    min_us, max_us
        Ages below and beyond which there is no difference.
    window_us
        Length of a window, from the first event on; events after the last window are counted as dropped, reason
        "after the last window". None: max(1, (t_last - t_first) // T).

    Raises
    ------
    RecipeError
        When T, k or window_us is not positive, or not 0 <= min_us < max_us <= 2^24 (whole microseconds in a float32).
    """

    T: int
    k: int = 4
    min_us: int = 150
    max_us: int = 5_000_000
    window_us: int | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 1}, {"T": 3, "k": 2, "window_us": 300})
    aliases: ClassVar[Mapping[str, str]] = {"K": "k"}

    def __post_init__(self) -> None:
        check_windows("tore", self.T, self.window_us)
        check_whole("tore", "k", self.k, 1, MOST_RANKS)
        check_whole("tore", "max_us", self.max_us, 1, WHOLE_FLOAT32)
        check_whole("tore", "min_us", self.min_us, 0, self.max_us - 1)

    def spec(self, sensor: Sensor) -> ArraySpec:
        """[T, C * K, H, W] values of at least 0."""
        shape = (self.T, sensor.polarities * self.k, sensor.height, sensor.width)
        return ArraySpec(shape, np.dtype(np.float32), ("time", "polarity_and_rank", "y", "x"))

    def fill(self, events: EventArray, out: NDArray[Any], tally: Tally) -> None:
        """Write the volumes over zeros [T, C * K, H, W]."""
        ends, counts = windows(events.t, self.T, self.window_us, tally)
        ages = out.reshape(self.T, events.sensor.polarities, self.k, *out.shape[2:])
        keep_ages(events.t, events.x, events.y, events.p, ends, counts, self.max_us, ages)
        take_logarithms(log(self.min_us + 1), out.reshape(out.size))


@kernel
def keep_ages(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    ends: NDArray[np.int64],
    counts: NDArray[np.int64],
    max_us: int,
    ages: NDArray[np.float32],
) -> None:
    """Ages [T, C, K, H, W], latest first, at most max_us: whole microseconds, which a float32 holds."""
    longest = np.float32(max_us)
    first = 0
    for j in range(len(ends)):
        now = ages[j].reshape(ages[j].size)
        before = ages[max(j - 1, 0)].reshape(ages[j].size)
        elapsed = np.float32(min(ends[j] - ends[j - 1], max_us) if j > 0 else max_us)
        for i in range(len(now)):
            now[i] = min(before[i] + elapsed, longest)
        for i in range(first, counts[j]):
            channel = np.intp(p[i]) if ages.shape[1] == 2 else 0
            for k in range(ages.shape[2] - 1, 0, -1):
                ages[j, channel, k, y[i], x[i]] = ages[j, channel, k - 1, y[i], x[i]]
            ages[j, channel, 0, y[i], x[i]] = np.float32(min(ends[j] - t[i], max_us))
        first = counts[j]


@kernel
def take_logarithms(log_min: float, values: NDArray[np.float32]) -> None:
    """Ages become their logarithms over the smallest that counts."""
    for i in range(len(values)):
        values[i] = max(log(np.float64(values[i]) + 1.0) - log_min, 0.0)


def reference(events: EventArray, step: Tore) -> NDArray[np.float64]:
    """The definition, from all ages of each pixel: [T, C, K, H, W] in double precision."""
    sensor = events.sensor
    ages = np.full((step.T, sensor.polarities, step.k, sensor.height, sensor.width), np.inf)
    channel = events.p.astype(np.intp) * (sensor.polarities - 1)
    for j, (end_us, n) in enumerate(zip(*windows(events.t, step.T, step.window_us, Counter()), strict=True)):
        for c, y, x in np.ndindex(sensor.polarities, sensor.height, sensor.width):
            own = (channel[:n] == c) & (events.y[:n] == y) & (events.x[:n] == x)
            latest = np.sort(end_us - events.t[:n][own])[: step.k]
            ages[j, c, : len(latest), y, x] = latest
    volumes: NDArray[np.float64] = np.log(np.minimum(ages, step.max_us) + 1) - np.log(step.min_us + 1)
    return volumes.clip(0)


STEP = Tore
