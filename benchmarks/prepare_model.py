"""A scaling model on paper: how long one, 16 and 256 machines take to prepare large datasets, and what holds them up.

    python -m benchmarks.prepare_model [--measure]

Rates are those below, measured on one core; `--measure` measures them here first (one minute). docs/scaling.md says
what they mean, what is assumed of datasets and machines, and what is extrapolated.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.prepare_data import LongRecording, gesture_tree
from benchmarks.prepare_stages import stages
from neurodata.datasets._locate import MOST_HASHED_AT_ONCE
from neurodata.formats import open_recording, write
from neurodata.signals import EventArray
from neurodata.storage import file_digest

NODES = (1, 16, 256)
CELLS = 16 * 2 * 128 * 128  # of a sample whose stages were measured
N_READ = 8_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """What one core does in a second, and what happens once, in seconds."""

    read_dat: float = 180e6  # events
    read_npz: float = 13e6
    encode: float = 740e6  # events into frames
    compress: float = 200e6  # cells
    write: float = 47e6  # bytes, to the disk, in shards of 1 MB: most of it is fsync
    hash: float = 1.45e9  # bytes of the source, by a core of one machine before the work begins
    shard_s: float = 1.1e-3  # finalise: commit record read and checked
    sample_s: float = 20e-6  # plan and finalise: row of the table
    start_s: float = 4.0  # a worker process: imports, kernels from the cache


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is assumed of machines: cores each, their link, and the storage that they share."""

    cores: int = 16
    link: float = 1.25e9  # bytes a second, 10 GbE
    storage: float = 20e9  # bytes a second, all together
    open_s: float = 1e-3  # to open a file there


@dataclass(frozen=True, slots=True)
class Case:
    """A dataset: published numbers, and per sample what is assumed of it (docs/scaling.md)."""

    samples: int
    files: int
    source_bytes: float
    events: float  # in all samples
    cells: int  # of a sample's frames; 0 in a layout of events
    stored_bytes: float  # in all
    per_shard: int
    read: str


CASES = {
    "HARDVS, T=8": Case(107_646, 107_646, 107_646 * 8e6, 107_646 * 1e6, 8 * 2 * 260 * 346, 107_646 * 0.25e6, 32, "npz"),
    "1Mpx, events, 50 ms windows": Case(1_054_800, 1_000, 1e12, 125e9, 0, 1e12, 256, "dat"),
    "ES-ImageNet, T=8": Case(
        1_306_881, 1_306_881, 100e9, 1_306_881 * 25e3, 8 * 2 * 256 * 256, 1_306_881 * 20e3, 256, "npz"
    ),
}


def times_s(case: Case, nodes: int, rates: Rates, cluster: Cluster) -> dict[str, float]:
    """Seconds of each part of the work with so many machines; processing takes as long as the longest of three."""
    n_shards = -(-case.samples // case.per_shard)
    read_rate = rates.read_dat if case.read == "dat" else rates.read_npz
    cpu_s = case.events / read_rate + case.stored_bytes / rates.write
    if case.cells:
        cpu_s += case.events / rates.encode + case.samples * case.cells / rates.compress
    # A shard is the smallest piece of work.
    rounds = -(-n_shards // (nodes * cluster.cores))
    moved = case.source_bytes + case.stored_bytes
    return {
        "hash": case.source_bytes / min(rates.hash * min(MOST_HASHED_AT_ONCE, cluster.cores), cluster.link),
        "start": rates.start_s,
        "cores": cpu_s / n_shards * rounds,
        "storage": moved / min(nodes * cluster.link, cluster.storage),
        "opening": case.files * cluster.open_s / (nodes * cluster.cores),
        "finalise": n_shards * rates.shard_s + case.samples * rates.sample_s,
    }


def total_s(parts: Mapping[str, float]) -> float:
    """Hashing, start and finalising are one after the other; cores, storage and opening overlap."""
    return sum(parts[name] for name in ("hash", "start", "finalise")) + longest(parts)[1]


def longest(parts: Mapping[str, float]) -> tuple[str, float]:
    """What the work itself is held up by."""
    return max(((name, parts[name]) for name in ("cores", "storage", "opening")), key=lambda pair: pair[1])


def measured(rates: Rates) -> Rates:
    """The rates of this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = gesture_tree(folder / "DvsGesture", 2)
        found = {row["stage"]: row for row in stages(tree, folder, 16, 1)}
        source = next(tree.glob("*.aedat"))
        n_bytes = sum(path.stat().st_size for path in (folder / "shard").rglob("*") if path.is_file())
        n_events = found["encode"]["Mev_per_s"] * 1e6
        n_samples_per_s = {name: 1e3 / row["ms_a_sample"] for name, row in found.items()}
        long = LongRecording(N_READ)
        (events,) = long.packets(N_READ)
        reads = {}
        for format in ("dat", "npz"):
            path = folder / f"a.{format}"
            write(events, path, format)
            reads[format] = N_READ / _cpu_s(lambda path=path, format=format: _read(path, format))  # type: ignore[misc]
        return replace(
            rates,
            read_dat=reads["dat"],
            read_npz=reads["npz"],
            encode=n_events,
            compress=CELLS * n_samples_per_s["compress"],
            write=n_bytes / 11 * n_samples_per_s["write"],
            hash=source.stat().st_size / _cpu_s(lambda: file_digest(source)),
        )


def _read(path: Path, format: str) -> EventArray:
    return open_recording(path, format).events()


def _cpu_s(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    rates = measured(Rates()) if parser.parse_args().measure else Rates()
    for field in fields(rates):
        print(f"{field.name:10}{getattr(rates, field.name):12.3g}")
    for name, case in CASES.items():
        print(f"\n{name}")
        for nodes in NODES:
            parts = times_s(case, nodes, rates, Cluster())
            shown = "".join(f"{part} {seconds:9,.0f}  " for part, seconds in parts.items())
            print(f"{nodes:4} nodes  {total_s(parts) / 60:8,.1f} min, work by {longest(parts)[0]:8} {shown}")


if __name__ == "__main__":
    main()
