"""Events moved over the pixel grid by a matrix and an offset, each to the nearest pixel."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor
from neurodata.steps import Tally
from neurodata.transforms._keep import kept

Matrix: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
IDENTITY: Matrix = ((1.0, 0.0), (0.0, 1.0))
LEFT_THE_SENSOR = "left the sensor"


def shifted(
    events: EventArray, x_px: int, y_px: int, sensor: Sensor, tally: Tally, reason: str = LEFT_THE_SENSOR
) -> EventArray:
    """The events that lie on the other sensor when they are moved to the right and down."""
    return moved(events, IDENTITY, (x_px, y_px), sensor, tally, reason)


def turned(events: EventArray, matrix: Matrix, tally: Tally) -> EventArray:
    """The events moved by a matrix about the centre of the sensor, ((width - 1) / 2, (height - 1) / 2)."""
    (xx, xy), (yx, yy) = matrix
    x, y = (events.sensor.width - 1) / 2, (events.sensor.height - 1) / 2
    return moved(events, matrix, (x - xx * x - xy * y, y - yx * x - yy * y), events.sensor, tally, LEFT_THE_SENSOR)


def moved(
    events: EventArray, matrix: Matrix, offset: tuple[float, float], sensor: Sensor, tally: Tally, reason: str
) -> EventArray:
    """The events that lie on the other sensor when (x, y) becomes matrix · (x, y) + offset, rounded half up."""
    if matrix == IDENTITY and offset == (0, 0) and sensor == events.sensor:
        return events
    n = len(events)
    x, y, keep = np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.bool_)
    (xx, xy), (yx, yy) = matrix
    grid = sensor.width, sensor.height
    map_pixels(
        events.x, events.y, float(xx), float(xy), float(yx), float(yy), float(offset[0]), float(offset[1]), *grid,
        x, y, keep,
    )  # fmt: skip
    return kept(EventArray(events.t, x, y, events.p, sensor), keep, tally, reason)


@kernel
def map_pixels(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    xx: float,
    xy: float,
    yx: float,
    yy: float,
    x_offset: float,
    y_offset: float,
    width: int,
    height: int,
    x_new: NDArray[np.uint16],
    y_new: NDArray[np.uint16],
    keep: NDArray[np.bool_],
) -> None:
    """Nearest pixels of the moved events; what falls off the grid is marked and put into the first pixel."""
    for i in range(len(x)):
        column = np.floor(xx * x[i] + xy * y[i] + x_offset + 0.5)
        row = np.floor(yx * x[i] + yy * y[i] + y_offset + 0.5)
        keep[i] = 0 <= column < width and 0 <= row < height
        x_new[i] = np.uint16(column) if keep[i] else 0
        y_new[i] = np.uint16(row) if keep[i] else 0


def reference(events: EventArray, matrix: Matrix, offset: tuple[float, float], sensor: Sensor) -> EventArray:
    """What `moved` gives, in NumPy."""
    (xx, xy), (yx, yy) = matrix
    column = np.floor(xx * events.x + xy * events.y + offset[0] + 0.5)
    row = np.floor(yx * events.x + yy * events.y + offset[1] + 0.5)
    keep = (column >= 0) & (column < sensor.width) & (row >= 0) & (row < sensor.height)
    x, y = column[keep].astype(np.uint16), row[keep].astype(np.uint16)
    return EventArray(events.t[keep], x, y, events.p[keep], sensor)
