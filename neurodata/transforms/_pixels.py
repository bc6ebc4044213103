"""Events counted by pixel, and events looked up on a map of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray
from neurodata.steps import Tally
from neurodata.transforms._keep import kept


def counts_of(events: EventArray) -> NDArray[np.int64]:
    """Events of each pixel, both polarities together: int64 [H, W]."""
    counts = np.zeros((events.sensor.height, events.sensor.width), np.int64)
    count_pixels(events.x, events.y, counts)
    return counts


def without(events: EventArray, marked: NDArray[np.bool_], tally: Tally, reason: str) -> EventArray:
    """The events whose pixel is not marked on the map [H, W]."""
    keep = np.empty(len(events), np.bool_)
    look_up(events.x, events.y, marked, keep)
    return kept(events, keep, tally, reason)


@kernel
def count_pixels(x: NDArray[np.uint16], y: NDArray[np.uint16], counts: NDArray[np.int64]) -> None:
    """Add every event to its pixel of counts [H, W]."""
    for i in range(len(x)):
        counts[y[i], x[i]] += 1


@kernel
def look_up(x: NDArray[np.uint16], y: NDArray[np.uint16], marked: NDArray[np.bool_], keep: NDArray[np.bool_]) -> None:
    """Mark the events whose pixel is not marked on the map [H, W]."""
    for i in range(len(x)):
        keep[i] = not marked[y[i], x[i]]


def reference_counts(events: EventArray) -> NDArray[np.int64]:
    """What `count_pixels` counts."""
    counts = np.zeros((events.sensor.height, events.sensor.width), np.int64)
    np.add.at(counts, (events.y, events.x), 1)
    return counts


def reference_look_up(events: EventArray, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What `look_up` marks."""
    return ~marked[events.y, events.x]
