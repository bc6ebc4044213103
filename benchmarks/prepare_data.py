"""Recordings in the shape of DVS128 Gesture, and long raw ones, for `benchmarks.prepare`; the same for everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurodata.formats import write
from neurodata.signals import EventArray, Sensor

SENSOR = Sensor(128, 128)
GESTURES = 11  # in a recording, one of each class, as IBM's
EVENTS_PER_GESTURE = 400_000
GESTURE_US, PAUSE_US = 6_000_000, 500_000
LIGHTS = ("fluorescent", "fluorescent_led", "lab", "led", "natural")
WRITTEN = 4  # recordings that are generated; the others are links to these
LONG_SENSOR = Sensor(640, 480)
LONG_PACKET = 1 << 20


def gesture_tree(folder: Path, n_recordings: int) -> Path:
    """IBM's tree of so many recordings in AEDAT 3.1, of 11 gestures and 4.4 M events each, a fifth of them for test."""
    if (folder / "trials_to_test.txt").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"user{k // len(LIGHTS) + 1:02}_{LIGHTS[k % len(LIGHTS)]}" for k in range(n_recordings)]
    rows = [
        f"{c + 1},{c * (GESTURE_US + PAUSE_US)},{c * (GESTURE_US + PAUSE_US) + GESTURE_US}\n" for c in range(GESTURES)
    ]
    for k, name in enumerate(names):
        path = folder / f"{name}.aedat"
        if k < WRITTEN:
            write(recording(k), path)
        else:
            os.link(folder / f"{names[k % WRITTEN]}.aedat", path)
        (folder / f"{name}_labels.csv").write_text("class,startTime_usec,endTime_usec\n" + "".join(rows))
    n_test = max(1, n_recordings // 5)
    (folder / "trials_to_train.txt").write_text("".join(f"{name}.aedat\n" for name in names[:-n_test]))
    (folder / "trials_to_test.txt").write_text("".join(f"{name}.aedat\n" for name in names[-n_test:]))
    return folder


def recording(seed: int) -> EventArray:
    """A spot that circles before the camera, of another size and speed in each gesture, and 3 % of noise.

    A frame of 25,000 events has them at about 14 % of its places, as frames of IBM's recordings do.
    """
    parts = [_gesture(np.random.default_rng([seed, c]), c * (GESTURE_US + PAUSE_US)) for c in range(GESTURES)]
    t, x, y, p = (np.concatenate([getattr(part, name) for part in parts]) for name in ("t", "x", "y", "p"))
    return EventArray(t, x, y, p, SENSOR)


def _gesture(rng: np.random.Generator, start_us: int) -> EventArray:
    n = EVENTS_PER_GESTURE
    t = np.sort(rng.integers(0, GESTURE_US, n))
    angle = 2 * np.pi * t / rng.uniform(0.7e6, 1.5e6)
    spread = rng.uniform(5, 9)
    places = []
    for towards in (np.cos(angle), np.sin(angle)):
        at = np.clip(np.rint(64 + 16 * towards + rng.normal(0, spread, n)), 0, 127)
        places.append(np.where(rng.random(n) < 0.03, rng.integers(0, 128, n), at).astype(np.uint16))
    return EventArray(t + start_us, places[0], places[1], rng.integers(0, 2, n).astype(bool), SENSOR)


class LongRecording:
    """A stream of any length, a million events at a time: what a camera that was left running writes."""

    sensor = LONG_SENSOR
    start_us = 0

    def __init__(self, n_events: int) -> None:
        self.n_events = n_events

    @property
    def stop_us(self) -> int:
        """One past the last event: there is one every microsecond."""
        return self.n_events

    def packets(self, n: int) -> Iterator[EventArray]:
        """The same million places again and again."""
        rng = np.random.default_rng(0)
        x = rng.integers(0, LONG_SENSOR.width, n).astype(np.uint16)
        y = rng.integers(0, LONG_SENSOR.height, n).astype(np.uint16)
        p = rng.integers(0, 2, n).astype(bool)
        for start in range(0, self.n_events, n):
            m = min(n, self.n_events - start)
            yield EventArray(np.arange(start, start + m, dtype=np.int64), x[:m], y[:m], p[:m], LONG_SENSOR)


def long_recording(path: Path, size_bytes: int) -> Path:
    """A raw recording in EVT 2.0 of about this size (4 bytes an event, and a few for its times)."""
    if not path.exists():
        write(LongRecording(size_bytes // 4), path, "evt2")
    return path
