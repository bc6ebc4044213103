"""What a recording holds, counted in one pass over its events in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodata.formats import Stream

EVENTS_PER_PACKET = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Counts over a recording.

    Parameters
    ----------
    n_on
        Events of polarity ON.
    x_range, y_range
        Smallest and largest coordinate; None without events.
    rate
        Events in equal parts of the time from first to last event, int64 [n_bins].
    picture
        Events in equal parts of the sensor, int64 [rows, columns].
    n_active_pixels
        Pixels with at least one event.
    busiest_pixel
        (x, y, events) of the pixel with the most events; None without events.
    """

    n_on: int
    x_range: tuple[int, int] | None
    y_range: tuple[int, int] | None
    rate: NDArray[np.int64]
    picture: NDArray[np.int64]
    n_active_pixels: int
    busiest_pixel: tuple[int, int, int] | None


def survey_recording(recording: Stream, n_bins: int = 60, columns: int = 48, rows: int = 16) -> Survey:
    """Count the events of a recording.

    Parameters
    ----------
    recording
        Read once, in packets; the counts take 8 bytes a pixel.
    n_bins
        Parts of its duration.
    columns, rows
        Parts of its width and height, at most (never more than there are pixels).
    """
    width, height = recording.sensor.width, recording.sensor.height
    pixels = np.zeros(width * height, np.int64)  # [height * width]
    rate = np.zeros(n_bins, np.int64)
    span_us = max(1, recording.stop_us - recording.start_us)
    n_on = 0
    for events in recording.packets(EVENTS_PER_PACKET):
        n_on += int(np.count_nonzero(events.p))
        pixels += np.bincount(events.y.astype(np.int64) * width + events.x, minlength=width * height)
        # In floats: a product with microseconds of a century would leave int64.
        places = ((events.t - recording.start_us) / span_us * n_bins).astype(np.int64)
        rate += np.bincount(np.minimum(places, n_bins - 1), minlength=n_bins)
    grid = pixels.reshape(height, width)
    busiest = int(pixels.argmax())
    n_most = int(pixels[busiest])
    return Survey(
        n_on=n_on,
        x_range=_range(grid, axis=0),
        y_range=_range(grid, axis=1),
        rate=rate,
        picture=_shrunk(grid, min(rows, height), min(columns, width)),
        n_active_pixels=int(np.count_nonzero(pixels)),
        busiest_pixel=(busiest % width, busiest // width, n_most) if n_most else None,
    )


def _range(grid: NDArray[np.int64], axis: int) -> tuple[int, int] | None:
    met = np.flatnonzero(grid.sum(axis=axis))
    return (int(met[0]), int(met[-1])) if len(met) else None


def _shrunk(grid: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """Sums over equal parts of an array: [height, width] to [rows, columns]."""
    height, width = grid.shape
    by_rows = np.add.reduceat(grid, np.arange(rows) * height // rows, axis=0)
    return np.add.reduceat(by_rows, np.arange(columns) * width // columns, axis=1)
