"""How fast recordings are read, next to the libraries that read the same files.

    python -m benchmarks.formats [--events 12000000] [--rounds 5] [--json FILE]

Reads generated files whole, from a warm page cache, one reader after the other in every round (the host's
noise hits all alike), and prints the median. Peak memory is what one read adds, in a process of its own.
Peers run where they are installed: tonic, spikingjelly, evutils.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.peers import spikingjelly_event_functions
from benchmarks.timing import medians_s, write_report
from neurodata.formats import read, write
from neurodata.signals import EventArray, Sensor

SUFFIXES = {"aedat31": ".aedat", "nmnist": ".bin"}
WARM_UP_EVENTS = 1000
Reader = Callable[[Path], object]


def ours(path: Path) -> object:
    return read(path, sensor=Sensor(128, 128))


def tonic_readers() -> dict[str, Reader]:
    io = import_module("tonic.io")

    # Repaired: tonic 1.7's read_dvs_ibm unpacks the header wrongly and raises ValueError.
    def aedat31(path: Path) -> object:
        _, start, _ = io.read_aedat_header_from_file(str(path))
        events = io.get_aer_events_from_file(str(path), 3.1, start)
        address = events["address"]
        x, y, p = (address >> 17) & 0x1FFF, (address >> 2) & 0x1FFF, (address >> 1) & 1
        return io.make_structured_array(x, y, events["timeStamp"], p)

    return {"aedat31": aedat31, "nmnist": lambda path: io.read_mnist_file(str(path), io.events_struct)}


def spikingjelly_readers() -> dict[str, Reader]:
    functions = spikingjelly_event_functions()
    return {"aedat31": functions.load_aedat_v3, "nmnist": functions.load_ATIS_bin}


def evutils_readers() -> dict[str, Reader]:
    io = import_module("evutils.io")
    return {"aedat31": lambda path: io.EventReader(str(path)).read_all()}


PEERS = {"tonic": tonic_readers, "spikingjelly": spikingjelly_readers, "evutils": evutils_readers}


def readers() -> dict[str, dict[str, Reader]]:
    """By format, then by name: {"aedat31": {"neurodata": …}}; absent peers are named on stderr."""
    found: dict[str, dict[str, Reader]] = {name: {"neurodata": ours} for name in SUFFIXES}
    for peer, load in PEERS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = load()
        except ImportError as error:
            print(f"{peer}: absent ({error})", file=sys.stderr)
            continue
        for format, reader in loaded.items():
            found[format][peer] = reader
    return found


def generated(n: int) -> EventArray:
    rng = np.random.default_rng(0)
    steps_us = rng.integers(0, 2, n)  # mean 0.5 us: 12 million events stay below the 8.4 s of N-MNIST
    return EventArray(
        t=np.cumsum(steps_us, dtype=np.int64),
        x=rng.integers(0, 128, n).astype(np.uint16),
        y=rng.integers(0, 128, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=Sensor(128, 128),
    )


def peak_mb(format: str, name: str, path: Path, warm_up: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.formats", "--peak", format, name, str(path), str(warm_up)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak_mb(format: str, name: str, path: Path, warm_up: Path) -> None:
    reader = readers()[format][name]
    reader(warm_up)
    before = peak_of_process_mb()
    kept = reader(path)
    print(peak_of_process_mb() - before)
    del kept


def peak_of_process_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins with that of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measured(n_events: int, rounds: int, folder: Path) -> list[dict[str, object]]:
    events = generated(n_events)
    rows: list[dict[str, object]] = []
    for format, candidates in readers().items():
        path, warm_up = (folder / f"{name}{SUFFIXES[format]}" for name in ("recording", "warm_up"))
        write(events, path, format)
        write(events[:WARM_UP_EVENTS], warm_up, format)
        for reader in candidates.values():
            reader(warm_up)
        calls = {name: partial(reader, path) for name, reader in candidates.items()}
        seconds = medians_s(calls, rounds)
        best_peer_s = min(s for name, s in seconds.items() if name != "neurodata") if len(seconds) > 1 else None
        for name, median_s in seconds.items():
            rows.append(
                {
                    "format": format,
                    "reader": name,
                    "mev_per_s": n_events / median_s / 1e6,
                    "times_fastest_peer": best_peer_s / median_s if best_peer_s else None,
                    "peak_mb": peak_mb(format, name, path, warm_up),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=12_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak_mb(options.peak[0], options.peak[1], Path(options.peak[2]), Path(options.peak[3]))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(options.events, options.rounds, Path(folder))
    print(f"{'format':10}{'reader':14}{'Mev/s':>8}{'x fastest peer':>16}{'peak MB':>10}")
    for row in rows:
        ratio = "" if row["times_fastest_peer"] is None else f"{row['times_fastest_peer']:.2f}"
        print(f"{row['format']:10}{row['reader']:14}{row['mev_per_s']:8.1f}{ratio:>16}{row['peak_mb']:10.0f}")
    if options.json:
        write_report(options.json, rows, events=options.events, rounds=options.rounds)


if __name__ == "__main__":
    main()
