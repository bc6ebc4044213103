"""Bars with round ends, painted over a picture: the arms and pen strokes of the twins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel


@kernel
def paint(
    light: NDArray[np.float32], bars: NDArray[np.float64], brightness: float, wave_number: float, phase: float
) -> None:
    """Paint bars, [n, (x0, y0, x1, y1, radius)] in pixels, over light [H, W], one after the other.

    A pixel that an edge crosses is covered in part (anti-aliasing). Stripes across a bar, with
    `wave_number` radians a pixel, move with it; 0 and phase 0 is a plain bar.
    """
    height, width = light.shape
    for bar in range(len(bars)):
        x0, y0, x1, y1, radius = bars[bar]
        length = max(np.hypot(x1 - x0, y1 - y0), 1e-9)
        along_x, along_y = (x1 - x0) / length, (y1 - y0) / length
        for y in range(max(0, int(min(y0, y1) - radius - 1)), min(height, int(max(y0, y1) + radius + 2))):
            for x in range(max(0, int(min(x0, x1) - radius - 1)), min(width, int(max(x0, x1) + radius + 2))):
                along = (x - x0) * along_x + (y - y0) * along_y
                nearest = min(max(along, 0.0), length)
                distance = np.hypot(x - x0 - nearest * along_x, y - y0 - nearest * along_y)
                cover = min(max(radius - distance + 0.5, 0.0), 1.0)
                if cover > 0:
                    colour = brightness * (1 + 0.2 * np.sin(wave_number * along + phase))
                    light[y, x] = (1 - cover) * light[y, x] + cover * colour


def reference(
    light: NDArray[np.float32], bars: NDArray[np.float64], brightness: float, wave_number: float, phase: float
) -> NDArray[np.float64]:
    """What `paint` leaves in light, in NumPy."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    picture = light.astype(np.float64)
    for x0, y0, x1, y1, radius in bars:
        length = max(np.hypot(x1 - x0, y1 - y0), 1e-9)
        along_x, along_y = (x1 - x0) / length, (y1 - y0) / length
        along = (x - x0) * along_x + (y - y0) * along_y
        nearest = along.clip(0, length)
        cover = (radius - np.hypot(x - x0 - nearest * along_x, y - y0 - nearest * along_y) + 0.5).clip(0, 1)
        picture = (1 - cover) * picture + cover * brightness * (1 + 0.2 * np.sin(wave_number * along + phase))
    return picture
