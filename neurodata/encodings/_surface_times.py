"""T windows of time after the first event, at whose ends surfaces and volumes are looked at."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurodata.signals import LAST_TIME_US
from neurodata.steps import MOST_STEPS, Tally, check_whole

LATE = "after the last window"
Decay = Literal["exponential", "linear"]
# A linear decay reaches 0 after three time constants, where the exponential one is at 5 % (tonic's choice, too).
LINEAR_TAUS = 3


def check_windows(step: str, T: int, window_us: int | None) -> None:
    """RecipeError when there are no windows, or they reach beyond every clock."""
    check_whole(step, "T", T, 1, MOST_STEPS)
    if window_us is not None:
        check_whole(step, "window_us", window_us, 1, LAST_TIME_US // T)


def windows(
    t: NDArray[np.int64], T: int, window_us: int | None, tally: Tally
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """End of each window, and the number of events before it: int64 [T] each.

    Windows are half-open. Without `window_us` they divide the sample: max(1, (t_last - t_first) // T) microseconds
    each; the last one takes the rest and is closed. With it, events after the last window are counted in the tally.
    """
    start_us, stop_us = (int(t[0]), int(t[-1])) if len(t) else (0, 0)
    ends = start_us + (window_us or max(1, (stop_us - start_us) // T)) * np.arange(1, T + 1, dtype=np.int64)
    if window_us is None:
        ends[-1] = max(ends[-1], stop_us)
    counts = np.searchsorted(t, ends).astype(np.int64)
    if window_us is None:
        counts[-1] = len(t)
    elif n_late := len(t) - int(counts[-1]):
        tally[LATE] += n_late
    return ends, counts


def faded(age_us: NDArray[Any], tau_us: int, decay: Decay) -> NDArray[np.float64]:
    """What is left of an event of this age: float64 in [0, 1], of the same shape."""
    ages = age_us / tau_us
    return np.exp(-ages) if decay == "exponential" else np.maximum(1 - ages / LINEAR_TAUS, 0)
