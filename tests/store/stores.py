"""Small stores, built in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.signals import Sensor
from neurodata.steps import ArraySpec
from neurodata.storage import canonical_json
from neurodata.store import Counts, DenseLayout, EncodedSample, SampleRow, SchemeIndex, StoreHead, finalise, write_shard

AXES = ("time", "polarity", "y", "x")
CLASSES = ("left", "right", "still")
RECIPE = {"steps": [{"name": "event_frame", "T": 2}], "scale": 0.5}


def layout_of(
    shape: tuple[int, ...] = (2, 2, 3, 4), dtype: str = "uint16", samples_per_shard: int = 3, compression: Any = "none"
) -> DenseLayout:
    return DenseLayout(
        ArraySpec(shape, np.dtype(dtype), AXES[: len(shape)]),
        samples_per_shard=samples_per_shard,
        compression=compression,
    )


def frames_of(n: int, layout: DenseLayout, seed: int = 0) -> NDArray[Any]:
    """Sparse counts, [n, *shape]; the first sample is all zeros."""
    counts = np.random.default_rng(seed).poisson(0.3, (n, *layout.array.shape))
    counts[:1] = 0
    return counts.astype(layout.array.dtype)


def rows_of(n: int) -> list[SampleRow]:
    return [SampleRow(f"user{i % 4:02}/µ{i}.aedat:{i * 1000}", i % len(CLASSES), f"user{i % 4:02}") for i in range(n)]


def head_of(layout: DenseLayout, **changed: Any) -> StoreHead:
    entries: dict[str, Any] = {
        "dataset": "dvs-gesture",
        "dataset_version": 1,
        "recipe_name": "frames",
        "recipe": RECIPE,
        "recipe_id": hashlib.sha256(canonical_json(RECIPE)).hexdigest(),
        "source_id": "cd" * 32,
        "source_kind": "twin",
        "partial": False,
        "default_scheme": "official",
        "classes": CLASSES,
        "form": Sensor(4, 3, 2),
        "layout": layout,
    }
    return StoreHead(**(entries | changed))


def schemes_of(n: int) -> dict[str, SchemeIndex]:
    everything = np.arange(n)
    return {
        "official": SchemeIndex(
            "first half, last half", "11" * 32, everything[: n // 2], everything[:0], everything[n // 2 :]
        ),
        "odd-even": SchemeIndex("by parity", "22" * 32, everything[::-2].copy(), everything[:0], everything[:0]),
    }


def write(folder: Path, frames: NDArray[Any], layout: DenseLayout, shard: int) -> None:
    """One shard of the store that holds these frames."""
    rows = rows_of(len(frames))
    members = range(len(frames))[shard * layout.samples_per_shard :][: layout.samples_per_shard]
    n_events = sum(int(frames[i].sum()) for i in members)
    write_shard(
        folder,
        shard,
        layout,
        (EncodedSample(rows[i], frames[i], int(frames[i].sum()), 1000 + i) for i in members),
        lambda: Counts(n_events + 2, n_events, {"off sensor": 2}, {"late": 1}),
    )


def n_shards_of(n: int, layout: DenseLayout) -> int:
    return -(-n // layout.samples_per_shard)


def build(
    folder: Path, frames: NDArray[Any], layout: DenseLayout, shards: Iterable[int] | None = None, **changed: Any
) -> Path:
    """A finished store; `shards` is the order in which they are written."""
    n_shards = n_shards_of(len(frames), layout)
    for shard in range(n_shards) if shards is None else shards:
        write(folder, frames, layout, shard)
    finalise(folder, head_of(layout, **changed), n_shards, schemes_of(len(frames)))
    return folder


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file of a store: path to bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
