"""Events of which some are kept: the end of every filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray
from neurodata.steps import Tally


def kept(events: EventArray, keep: NDArray[np.bool_], tally: Tally, reason: str) -> EventArray:
    """The events where `keep` [n] is True; the others are counted in the tally. All of them: the events as they are."""
    n_kept = int(np.count_nonzero(keep))
    if n_kept == len(events):
        return events
    tally[reason] += len(events) - n_kept
    t, p = np.empty(n_kept, np.int64), np.empty(n_kept, np.bool_)
    x, y = np.empty(n_kept, np.uint16), np.empty(n_kept, np.uint16)
    compact(events.t, events.x, events.y, events.p, keep, t, x, y, p)
    return EventArray(t, x, y, p, events.sensor)


@kernel
def compact(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    keep: NDArray[np.bool_],
    t_kept: NDArray[np.int64],
    x_kept: NDArray[np.uint16],
    y_kept: NDArray[np.uint16],
    p_kept: NDArray[np.bool_],
) -> None:
    """Copy the events of `keep` into columns that are as long as it has True; without branches on the data."""
    i, k = 0, 0
    while k < len(t_kept):
        t_kept[k], x_kept[k], y_kept[k], p_kept[k] = t[i], x[i], y[i], p[i]
        k += int(keep[i])
        i += 1


def reference(events: EventArray, keep: NDArray[np.bool_]) -> EventArray:
    """What `kept` gives, in NumPy."""
    return EventArray(events.t[keep], events.x[keep], events.y[keep], events.p[keep], events.sensor)
