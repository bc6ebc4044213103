"""Folders of small recordings whose labels file tells targets of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodata
from neurodata.signals import EventArray, Sensor

SENSOR = Sensor(6, 5)
T = 4


def recording(seed: int, n: int = 40) -> EventArray:
    rng = np.random.default_rng(seed)
    return EventArray(
        np.cumsum(rng.integers(0, 50, n)),
        rng.integers(0, SENSOR.width, n).astype(np.uint16),
        rng.integers(0, SENSOR.height, n).astype(np.uint16),
        rng.integers(0, 2, n).astype(np.bool_),
        SENSOR,
    )


def targets_of(index: int) -> dict[str, NDArray[Any]]:
    """Targets of sample `index`: of every kind, some of them empty."""
    rng = np.random.default_rng(index)
    return {
        "angle": np.float32(index / 4).reshape(()),
        "digits": rng.integers(0, 9, 3),
        "place": rng.random((index % 3, 5)).astype(np.float32),
        "flow": rng.random((2, 5, 6)).astype(np.float16),
        "hand": rng.random((T if index % 2 else 0, 2)),
        "speed": rng.integers(0, 99, T).astype(np.int16),
    }


HEADERS = {
    "angle": "target.angle",
    "digits": "target.digits",
    "place": "target.place:boxes",
    "flow": "target.flow:map",
    "hand": "target.hand:series",
    "speed": "target.speed:series",
}


def write_labelled(folder: Path, n: int = 7, names: tuple[str, ...] = tuple(HEADERS), classes: bool = True) -> Path:
    """A folder of n recordings, the last two for test, and beside it the labels file that is returned."""
    folder.mkdir(parents=True)
    header = ["path", "split", *(["label"] if classes else []), *(HEADERS[name] for name in names)]
    lines = [header]
    for i in range(n):
        neurodata.write(recording(i), folder / f"r{i}.es")
        targets = targets_of(i)
        cells = [f"r{i}.es", "test" if i >= n - 2 else "train", *([f"class{i % 2}"] if classes else [])]
        for name in names:
            if targets[name].ndim:
                np.save(folder / f"{name}{i}.npy", targets[name])
            cells.append(f"{name}{i}.npy" if targets[name].ndim else str(float(targets[name])))
        lines.append(cells)
    labels = folder.with_suffix(".csv")
    labels.write_text("\n".join(map(",".join, lines)))
    return labels


def index_of(key: str) -> int:
    """The number of the sample with this key."""
    return int(key.removeprefix("r").removesuffix(".es"))
