"""What augmentations cost: samples a second of a loader with and without them.

    python -m benchmarks.augment [--samples 256] [--batch-size 16] [--rounds 5] [--threads N] [--json FILE]

A generated store of uint16 frames [16, 2, 128, 128] at the density of DVS Gesture, uncompressed, warm.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import medians_s, write_report
from neurodata.loader import Split, Store
from neurodata.signals import Sensor
from neurodata.steps import ArraySpec
from neurodata.store import Counts, DenseLayout, EncodedSample, SampleRow, SchemeIndex, StoreHead, finalise, write_shard

SHAPE = (16, 2, 128, 128)  # [T, C, H, W]
PER_SHARD = 32
LISTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "flip": [{"name": "flip", "labels": "keep"}],
    "roll": [{"name": "roll"}],
    "cutout": [{"name": "cutout"}],
    "flip, roll, cutout": [{"name": "flip", "labels": "keep"}, {"name": "roll"}, {"name": "cutout"}],
    "snn_augment": [{"name": "snn_augment"}],
    "rotate": [{"name": "rotate"}],
    "rotate bilinear": [{"name": "rotate", "interpolation": "bilinear"}],
    "mixup": [{"name": "mixup"}],
    "cutmix": [{"name": "cutmix"}],
    "event_mix": [{"name": "event_mix"}],
    "QKFormer": [{"name": "flip", "labels": "keep"}, {"name": "snn_augment"}, {"name": "mixup", "p": 0.5}],
}


def generated(folder: Path, n: int) -> Split:
    rng = np.random.default_rng(0)
    layout = DenseLayout(
        ArraySpec(SHAPE, np.dtype("uint16"), ("time", "polarity", "y", "x")), samples_per_shard=PER_SHARD
    )
    for shard in range(n // PER_SHARD):
        samples = [
            EncodedSample(
                SampleRow(f"sample{shard}-{k}", k % 11, "user"), rng.poisson(0.6, SHAPE).astype("uint16"), 0, 0
            )
            for k in range(PER_SHARD)
        ]
        write_shard(folder, shard, layout, samples, lambda: Counts(0, 0, {}, {}))
    whole = np.arange(n, dtype=np.int64)
    schemes = {"official": SchemeIndex("all", "0" * 64, whole, whole[:0], whole[:0])}
    classes = tuple(map(str, range(11)))
    head = StoreHead(
        "generated", 1, "g", {}, "a" * 64, "b" * 64, "twin", False, "official", classes, Sensor(128, 128), layout
    )
    finalise(folder, head, n // PER_SHARD, schemes)
    return Store(folder)["train"]


def passes(split: Split, batch_size: int, threads: int | None) -> dict[str, Callable[[], object]]:
    def make(augment: list[dict[str, Any]]) -> Callable[[], object]:
        loader = split.loader(batch_size, shuffle=True, seed=0, augment=augment, threads=threads)
        return lambda: sum(len(batch) for batch in loader)

    return {name: make(augment) for name, augment in LISTS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    n = max(1, options.samples // PER_SHARD) * PER_SHARD
    with tempfile.TemporaryDirectory() as folder:
        split = generated(Path(folder) / "store", n)
        medians = medians_s(passes(split, options.batch_size, options.threads), options.rounds)
    rows = [{"augment": name, "samples_per_s": round(n / time_s)} for name, time_s in medians.items()]
    for row in rows:
        print(f"{row['augment']:<20}{row['samples_per_s']:>8} samples/s")
    if options.json:
        write_report(options.json, rows, samples=n, batch_size=options.batch_size)


if __name__ == "__main__":
    main()
