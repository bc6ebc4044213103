"""What a recording holds, counted in one pass over its events in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodata.formats import Stream

EVENTS_PER_PACKET = 1 << 20
MOST_PIXELS = 1 << 24  # a header can say 2^32 of them in a file of 40 bytes


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
        Pixels with at least one event; None for sensors of more than MOST_PIXELS.
    busiest_pixel
        (x, y, events) of the pixel with the most events; None without events, and for such sensors.
    """

    n_on: int
    x_range: tuple[int, int] | None
    y_range: tuple[int, int] | None
    rate: NDArray[np.int64]
    picture: NDArray[np.int64]
    n_active_pixels: int | None
    busiest_pixel: tuple[int, int, int] | None


def survey_recording(recording: Stream, n_bins: int = 60, columns: int = 48, rows: int = 16) -> Survey:
    """Count the events of a recording.

    Parameters
    ----------
    recording
        Read once, in packets; the counts take 8 bytes a pixel, of sensors of up to MOST_PIXELS.
    n_bins
        Parts of its duration.
    columns, rows
        Parts of its width and height, at most (never more than there are pixels).
    """
    width, height = recording.sensor.width, recording.sensor.height
    pixels = np.zeros(width * height if width * height <= MOST_PIXELS else 0, np.int64)  # [height * width]
    lefts, tops = _starts(width, columns), _starts(height, rows)
    picture = np.zeros(len(tops) * len(lefts), np.int64)  # [rows * columns]
    rate = np.zeros(n_bins, np.int64)
    span_us = max(1, recording.stop_us - recording.start_us)
    n_on = 0
    x_range: tuple[int, int] | None = None
    y_range: tuple[int, int] | None = None
    for events in recording.packets(EVENTS_PER_PACKET):
        n_on += int(np.count_nonzero(events.p))
        if len(pixels):
            pixels += np.bincount(events.y.astype(np.int64) * width + events.x, minlength=len(pixels))
        row, column = (np.searchsorted(starts, at, "right") - 1 for starts, at in ((tops, events.y), (lefts, events.x)))
        picture += np.bincount(row * len(lefts) + column, minlength=len(picture))
        # In floats: a product with microseconds of a century would leave int64.
        places = ((events.t - recording.start_us) / span_us * n_bins).astype(np.int64)
        rate += np.bincount(np.minimum(places, n_bins - 1), minlength=n_bins)
        x_range, y_range = _wider(x_range, events.x), _wider(y_range, events.y)
    busiest = int(pixels.argmax()) if len(pixels) else 0
    n_most = int(pixels[busiest]) if len(pixels) else 0
    return Survey(
        n_on=n_on,
        x_range=x_range,
        y_range=y_range,
        rate=rate,
        picture=picture.reshape(len(tops), len(lefts)),
        n_active_pixels=int(np.count_nonzero(pixels)) if len(pixels) else None,
        busiest_pixel=(busiest % width, busiest // width, n_most) if n_most else None,
    )


def _starts(size: int, n_parts: int) -> NDArray[np.int64]:
    """Where equal parts of a side begin."""
    n = min(n_parts, size)
    return np.arange(n) * size // n


def _wider(found: tuple[int, int] | None, values: NDArray[np.uint16]) -> tuple[int, int]:
    low, high = int(values.min()), int(values.max())
    return (low, high) if found is None else (min(low, found[0]), max(high, found[1]))
