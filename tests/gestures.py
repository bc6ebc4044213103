"""A small DVS Gesture tree made by hand: known events at known times, in the published on-disk form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodata import registry
from neurodata.signals import EventArray, Sensor

SENSOR = Sensor(128, 128)
TREE = {"user01_led": "train", "user02_natural": "train", "user24_lab": "test"}


def gesture_events(seed: int, start_us: int, stop_us: int, n: int = 400) -> EventArray:
    rng = np.random.default_rng(seed)
    return EventArray(
        t=np.sort(rng.integers(start_us, stop_us, n)),
        x=rng.integers(0, 128, n).astype(np.uint16),
        y=rng.integers(0, 128, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(bool),
        sensor=SENSOR,
    )


def write_gestures(folder: Path, gestures_per_file: int = 11) -> Path:
    """Three recordings with a gesture of each class (100 ms, pauses of 50 ms); the folder to give to --source."""
    folder.mkdir(parents=True)
    for number, name in enumerate(TREE):
        rows, parts = ["class,startTime_usec,endTime_usec"], []
        for gesture in range(gestures_per_file):
            start_us = 1_000_000 + gesture * 150_000
            rows.append(f"{gesture % 11 + 1},{start_us},{start_us + 100_000}")
            parts.append(gesture_events(100 * number + gesture, start_us, start_us + 120_000))
        columns = {c: np.concatenate([getattr(part, c) for part in parts]) for c in "txyp"}
        registry.formats["aedat31"].write(EventArray(**columns, sensor=SENSOR), folder / f"{name}.aedat")
        (folder / f"{name}_labels.csv").write_text("\n".join(rows) + "\n")
    for partition, trials in (("train", "trials_to_train.txt"), ("test", "trials_to_test.txt")):
        names = [f"{name}.aedat" for name, part in TREE.items() if part == partition]
        (folder / trials).write_text("\n".join(names) + "\n\n")
    return folder
