"""Events on a coarser or finer grid: every pixel goes to one pixel, no event leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.signals import EventArray, Sensor


def scaled(events: EventArray, numerator: tuple[int, int], denominator: tuple[int, int], sensor: Sensor) -> EventArray:
    """The events at floor(x * numerator / denominator), for x and y, on the sensor that this fits."""
    x = _places(events.sensor.width, numerator[0], denominator[0])[events.x]
    y = _places(events.sensor.height, numerator[1], denominator[1])[events.y]
    return EventArray(events.t, x, y, events.p, sensor)


def _places(size: int, numerator: int, denominator: int) -> NDArray[np.uint16]:
    """Where each old pixel goes, uint16 [size]; whole numbers throughout: 49 * (1 / 49) is less than 1 in floats."""
    return (np.arange(size, dtype=np.int64) * numerator // denominator).astype(np.uint16)
