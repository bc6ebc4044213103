"""The stores of this project that `benchmarks.loader` measures, written by the benchmark itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.formats import peak_of_process_mb
from benchmarks.loader_candidates import AXES, BATCH, N_CLASSES, SHAPE, Batches, Candidate, Frames, InProcess, label
from neurodata.loader import Split, Store
from neurodata.signals import EventArray, Sensor
from neurodata.steps import ArraySpec
from neurodata.store import (
    Counts,
    DenseLayout,
    EncodedSample,
    EventsLayout,
    Layout,
    SampleRow,
    SchemeIndex,
    SparseLayout,
    StoreHead,
    finalise,
    write_shard,
)

PER_SHARD = 32
SENSOR = Sensor(128, 128)
STEP_US = 100
DTYPES = ("stored", "float32")
STORES = "neurodata"
MILLION = 1_000_000
MILLION_PER_SHARD = 65_536


def our_layouts() -> dict[str, Layout]:
    """The layouts to compare; all keep the same samples."""
    array = ArraySpec(SHAPE, np.dtype("uint8"), AXES)
    return {
        "dense-none": DenseLayout(array, samples_per_shard=PER_SHARD),
        "dense-zstd": DenseLayout(array, samples_per_shard=PER_SHARD, compression="zstd"),
        "sparse-none": SparseLayout(array, samples_per_shard=PER_SHARD),
        "sparse-zstd": SparseLayout(array, samples_per_shard=PER_SHARD, compression="zstd"),
        "events-none": EventsLayout(SENSOR, samples_per_shard=PER_SHARD),
    }


def events_of(frames: np.ndarray) -> EventArray:
    """Events that are these counts [T, C, H, W] again, in T windows of equal time."""
    step, p, y, x = np.nonzero(frames)
    counts = frames[step, p, y, x]
    t, p, y, x = (np.repeat(column, counts) for column in (step * STEP_US, p, y, x))
    # The last event ends the last window: windows are a T-th of the time from the first event to the last.
    t[-1:] = len(frames) * STEP_US
    return EventArray(t, x.astype(np.uint16), y.astype(np.uint16), p.astype(np.bool_), SENSOR)


def our_stores(folder: Path, frames: Frames) -> dict[str, Store]:
    """A store in each layout, written anew: its format may have changed since the last run."""
    for name, layout in our_layouts().items():
        form = events_of if isinstance(layout, EventsLayout) else np.array
        samples = (
            EncodedSample(SampleRow(f"sample{k}", label(k), "user"), form(one), 0, 0) for k, one in enumerate(frames)
        )
        write_store(folder / STORES / name, layout, samples, len(frames))
    return opened_stores(folder)


def opened_stores(folder: Path) -> dict[str, Store]:
    return {name: Store(folder / STORES / name) for name in our_layouts()}


def write_store(folder: Path, layout: Layout, samples: Iterable[EncodedSample], n: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    left = iter(samples)
    n_shards = -(-n // layout.samples_per_shard)
    for shard in range(n_shards):
        write_shard(folder, shard, layout, islice(left, layout.samples_per_shard), lambda: Counts(0, 0, {}, {}))
    whole = np.arange(n, dtype=np.int64)
    schemes = {"official": SchemeIndex("all", "0" * 64, whole, whole[:0], whole[:0])}
    classes = tuple(map(str, range(N_CLASSES)))
    head = StoreHead(
        "generated", 1, "g", {}, "a" * 64, "b" * 64, "twin", False, "official", classes, Sensor(128, 128), layout
    )
    finalise(folder, head, n_shards, schemes)


def store_candidates(stores: dict[str, Store]) -> dict[str, dict[str, Candidate]]:
    """By the names of the table."""

    def batches(split: Split, dtype: str) -> Batches:
        loader = split.loader(BATCH, shuffle=True, seed=0, dtype=dtype)
        return lambda: (batch.frames for batch in loader)

    return {
        f"neurodata {name} {dtype}": {"": InProcess(batches(viewed(store), dtype))}
        for name, store in stores.items()
        for dtype in DTYPES
    }


def viewed(store: Store) -> Split:
    """The training split, with the frames that were written made of a store of events."""
    if not isinstance(store.head.layout, EventsLayout):
        return store["train"]
    view = {"name": "event_frame", "T": SHAPE[0], "split_by": "time", "dtype": "uint8"}
    return store["train"].with_view([view])


def measured_million(cache: Path) -> dict[str, float]:
    """Time and memory that opening a store of a million samples takes, in a process of its own."""
    folder = cache / "million"
    array = ArraySpec((1, 1, 2, 2), np.dtype("uint8"), AXES)
    layout = DenseLayout(array, samples_per_shard=MILLION_PER_SHARD)
    frames = np.zeros((1, 1, 2, 2), np.uint8)
    samples = (EncodedSample(SampleRow(f"sample{k}", label(k), f"user{k % 100}"), frames, 0, 0) for k in range(MILLION))
    start = time.perf_counter()
    write_store(folder, layout, samples, MILLION)
    written_s = time.perf_counter() - start
    command = [sys.executable, "-m", "benchmarks.loader", "--check-million", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"write_s": written_s, **found}


def print_million(folder: Path) -> None:
    found: dict[str, Any] = {"before_mb": peak_of_process_mb()}

    def note(name: str, start: float) -> float:
        found[f"{name}_ms"] = 1e3 * (time.perf_counter() - start)
        found[f"{name}_peak_mb"] = peak_of_process_mb()
        return time.perf_counter()

    start = time.perf_counter()
    store = Store(folder)
    start = note("open", start)
    split = store["train"]
    start = note("split", start)
    next(iter(split.loader(BATCH, shuffle=True, seed=0)))
    note("first_batch", start)
    print(json.dumps(found))
