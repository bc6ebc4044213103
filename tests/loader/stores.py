"""Small real stores whose frames tell which sample they are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from neurodata.signals import Sensor
from neurodata.steps import ArraySpec
from neurodata.store import Counts, DenseLayout, EncodedSample, SampleRow, SchemeIndex, StoreHead, finalise, write_shard

SHAPE = (3, 2, 4, 4)  # [T, C, H, W]
CLASSES = ("wave", "clap", "roll")
SAMPLES_PER_SHARD = 8


def frames_of(index: int, dtype: str = "uint16") -> np.ndarray:
    """Frames of sample `index`: its number, plus 100 times the time step."""
    steps = 100 * np.arange(SHAPE[0]).reshape(-1, 1, 1, 1)
    return np.broadcast_to(index + steps, SHAPE).astype(dtype)


def write_store(
    folder: Path,
    n: int = 23,
    dtype: str = "uint16",
    validation: int = 0,
    test: int = 6,
    kind: Literal["published", "folder", "twin"] = "published",
    partial: bool = False,
    classes: tuple[str, ...] = CLASSES,
) -> Path:
    """A finished store of n samples: class i % 3, group u0 … u4 in turn; test last, validation before it."""
    layout = DenseLayout(
        ArraySpec(SHAPE, np.dtype(dtype), ("time", "polarity", "y", "x")), samples_per_shard=SAMPLES_PER_SHARD
    )
    samples = [
        EncodedSample(SampleRow(f"rec{i:03d}", i % 3, f"u{i % 5}"), frames_of(i, dtype), 10 * i, 1000 * i)
        for i in range(n)
    ]
    n_shards = -(-n // SAMPLES_PER_SHARD)
    for shard in range(n_shards):
        part = samples[shard * SAMPLES_PER_SHARD : (shard + 1) * SAMPLES_PER_SHARD]
        write_shard(folder, shard, layout, part, lambda: Counts(5, 5, {}, {}))
    parts = np.split(np.arange(n, dtype=np.int64), [n - test - validation, n - test])
    whole = np.arange(n, dtype=np.int64)
    schemes = {
        "official": SchemeIndex("as published", "0" * 64, *parts),
        "all-train": SchemeIndex("everything", "1" * 64, whole, whole[:0], whole[:0]),
    }
    head = StoreHead("toy", 1, "toy", {}, "a" * 64, "b" * 64, kind, partial, "official", classes, Sensor(4, 4), layout)
    finalise(folder, head, n_shards, schemes)
    return folder
