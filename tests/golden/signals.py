"""Signals of every kind but events that are the same on every machine, for the digests in `golden/steps`."""

from __future__ import annotations

import numpy as np

from neurodata.signals import Clip, Image, PointCloud, Series, Signal, SpikeCounts, Waveform
from tests.golden.numbers import golden_numbers

DIGITS = 4


def golden_signal(kind: str) -> Signal:
    """The signal of that class name; "Waveform2" is a sound of two channels."""
    if kind in ("Waveform", "Waveform2"):
        noise = units(4000, 11)
        envelope = np.repeat(units(20, 12), 200)  # loud and quiet parts of 12.5 ms
        sound = ((noise - 0.5) * envelope).astype(np.float32)
        return Waveform(sound if kind == "Waveform" else np.column_stack([sound, np.roll(sound, 5)]), 16000.0)
    if kind == "Clip":
        return Clip(golden_numbers(12 * 10 * 9 * 3, 256, 13).astype(np.uint8).reshape(12, 10, 9, 3), 25.0)
    if kind == "Image":
        return Image(units(8 * 7, 14).astype(np.float32).reshape(8, 7, 1))
    if kind == "PointCloud":
        return PointCloud((2 * units(600, 15) - 1).astype(np.float32).reshape(200, 3), np.zeros((200, 0), np.float32))
    if kind == "SpikeCounts":
        counts = (golden_numbers(200 * 6, 4, 16) // 3).astype(np.uint8).reshape(200, 6)
        return SpikeCounts(counts, 4000, {})
    assert kind == "Series", kind
    return Series(units(60 * 5, 17).astype(np.float32).reshape(60, 5), 100.0)


def units(n: int, stream: int) -> np.ndarray:
    """Numbers from 0 to 1, float64 [n]."""
    return golden_numbers(n, 1001, stream) / 1000


def rounded(array: np.ndarray) -> np.ndarray:
    """Real numbers to a few digits after the point, without negative zeros."""
    return np.round(array.astype(np.float64), DIGITS) + 0.0 if array.dtype.kind == "f" else array
