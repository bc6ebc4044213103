"""How long it takes to prepare DVS128 Gesture, next to other libraries; what it takes of disk, memory and cores.

    python -m benchmarks.prepare [--recordings 20] [--rounds 3] [--peers NAMES|none] [--cache FOLDER] [--json FILE]
    python -m benchmarks.prepare --scaling [--recordings 300]
    python -m benchmarks.prepare --memory [--raw-mb 64 256 1024]

From recordings in AEDAT 3.1 (11 gestures and 4.4 M events each; four are generated, the others are links to them) to
frames of T = 16 slices of equal counts that are finished on disk: our store in the layout of the default recipe,
SpikingJelly's npz files of events and frames, tonic's cache. All have the same cores, a warm page cache and compiled
kernels, and run in turn in every round (what takes longer than 5 s runs once); medians, and the processor's time of the
last run, which other programs on the machine change less. Our time has in it that the
source is hashed and files are brought to the disk (fsync), which others do not do. Frames are compared: the samples
that each one made, by class and checksum. Then the stages of our way (`prepare_stages`), each next to its limit.

--scaling: 1 and 2 processes on many recordings; the time that processes take to start is apart. All of the source is
hashed before, by the first process on all cores whatever the number of workers: with that, and the shards alone.
--memory: the peak (VmHWM) of each worker, by the default recipe on 1, 4 and 16 times as many recordings, and in a
layout of events of one raw recording of 64 MB, 256 MB and 1 GB (or --raw-mb), whole, as windows and as two labelled
intervals.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import neurodata
from benchmarks.loader import bytes_below, process_tree
from benchmarks.prepare_data import EVENTS_PER_GESTURE, GESTURES, gesture_tree, long_recording
from benchmarks.prepare_peers import STEPS, Frames, frames_of, peers
from benchmarks.prepare_stages import stages
from benchmarks.timing import medians_s, write_report
from neurodata import registry
from neurodata.datasets import folder_id

OURS = "neurodata"
RAW_MB = (64, 256, 1024)
TIMES = (1, 4, 16)
COMMAND = [sys.executable, "-c", "from neurodata.cli import main; main()"]


class Ours:
    """`neurodata.prepare` by the default recipe, on threads."""

    def convert(self, tree: Path, folder: Path, cores: int) -> None:
        neurodata.prepare("dvs-gesture", T=STEPS, source=tree, cache=folder, workers=cores)

    def made(self, folder: Path) -> Iterator[Frames]:
        (manifest,) = folder.glob("stores/*/*/manifest.json")
        store = neurodata.open_store(manifest.parent)
        for k in range(len(store)):
            yield frames_of(int(store.table.targets[k]), store.read(k))


def compared(cache: Path, n_recordings: int, rounds: int, chosen: list[str], cores: int) -> list[dict[str, Any]]:
    tree = gesture_tree(cache / str(n_recordings) / "DvsGesture", n_recordings)
    ways: dict[str, Any] = {OURS: Ours()} | {name: way for name, way in peers().items() if name in chosen}
    warm = gesture_tree(cache / "1" / "DvsGesture", 2)
    _converted(ways[OURS], warm, cache / "warm", cores)  # compiles; nothing of the others is compiled
    runs: dict[str, Callable[[], object]] = {
        name: partial(_converted, way, tree, cache / name, cores) for name, way in ways.items()
    }
    seconds = medians_s(runs, rounds)
    expected: Counter[Frames] = Counter()
    rows = []
    for name, way in ways.items():
        made = Counter(way.made(cache / name))
        expected = expected or made
        different = (expected - made).total()
        row: dict[str, Any] = {"way": name, "s": seconds[name], "times_ours": seconds[name] / seconds[OURS]}
        row |= {"cpu_s": way.cpu_s, "disk_mb": bytes_below(cache / name) / 1e6, "samples_that_differ": different}
        rows.append(row | {"Mev_per_s": len(list(made.elements())) * EVENTS_PER_GESTURE / seconds[name] / 1e6})
    for row in rows:
        row["disk_of_ours"] = row["disk_mb"] / rows[0]["disk_mb"]
    return rows


def _converted(way: Any, tree: Path, folder: Path, cores: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    before = sum(os.times()[:4])
    way.convert(tree, folder, cores)
    way.cpu_s = sum(os.times()[:4]) - before  # of this process and of those that it started and that have ended


def scaling(cache: Path, n_recordings: int, rounds: int) -> list[dict[str, Any]]:
    """The whole command with 1 and 2 worker processes: on all recordings, and on two, which is its start."""
    many = gesture_tree(cache / str(n_recordings) / "DvsGesture", n_recordings)
    few = gesture_tree(cache / "1" / "DvsGesture", 2)
    runs = {
        f"{workers} {which}": partial(_commanded, tree, cache / "scaled", workers)
        for workers in (1, 2)
        for which, tree in (("start", few), ("all", many))
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    dataset = registry.datasets["dvs-gesture"]
    hash_s = medians_s({"hash": partial(folder_id, dataset, many, dataset.samples(many))}, rounds)["hash"]
    work = {n: min(times[f"{n} all"]) - min(times[f"{n} start"]) for n in (1, 2)}
    shards = {n: work[n] - hash_s for n in (1, 2)}
    return [
        {"workers": n, "start_s": min(times[f"{n} start"]), "work_s": work[n], "speed_up": work[1] / work[n]}
        | {"hash_s": hash_s, "shards_s": shards[n], "shards_speed_up": shards[1] / shards[n]}
        for n in (1, 2)
    ]


def _commanded(tree: Path, cache: Path, workers: int) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    words = ["prepare", "dvs-gesture", "--T", str(STEPS), "--source", tree, "--cache", cache, "--workers", str(workers)]
    subprocess.run([*COMMAND, *map(str, words)], check=True, capture_output=True)


def memory(cache: Path, raw_mb: Sequence[int]) -> list[dict[str, Any]]:
    """Peak memory of the largest worker, and of the process that gives them work."""
    rows = []
    for times in TIMES:
        tree = gesture_tree(cache / f"{times}x" / "DvsGesture", 4 * times)
        words = ["prepare", "dvs-gesture", "--T", str(STEPS), "--source", str(tree)]
        size_mb = sum(path.stat().st_size for path in tree.glob("*.aedat")) / 1e6
        rows.append(
            {"what": f"default recipe, {4 * times * GESTURES} samples", "source_mb": size_mb} | _peaks(words, cache)
        )
    for size_mb in raw_mb:
        folder = cache / f"raw-{size_mb}"
        long_recording(folder / "a" / "long.raw", size_mb << 20)
        words = ["prepare", f"folder:{folder}", "--layout", "events"]
        rows.append({"what": "one raw recording, events", "source_mb": size_mb} | _peaks(words, cache))
        windows = ["--window-us", "200000", "--stride-us", "100000"]
        rows.append({"what": "its windows, events", "source_mb": size_mb} | _peaks([*words, *windows], cache))
        labelled = ["--labels", str(_halves(folder, size_mb << 18))]
        rows.append({"what": "its halves by labels, events", "source_mb": size_mb} | _peaks([*words, *labelled], cache))
        shutil.rmtree(folder)
    return rows


def _halves(folder: Path, n_events: int) -> Path:
    """Labels of two intervals that have a second in common, of a recording with an event every microsecond."""
    middle = n_events // 2
    labels = folder / "labels.csv"
    rows = f"a/long.raw,0,{middle},x\na/long.raw,{middle - 1_000_000},{n_events},y\n"
    labels.write_text(f"path,start_us,end_us,label\n{rows}")
    return labels


def _peaks(words: list[str], cache: Path) -> dict[str, Any]:
    shutil.rmtree(cache / "peaks", ignore_errors=True)
    command = [*COMMAND, *words, "--cache", str(cache / "peaks"), "--workers", "2"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        peaks: dict[int, float] = {}
        while process.poll() is None:
            for one in process_tree(process.pid):
                peaks[one] = max(peaks.get(one, 0.0), peak_mb(one))
            time.sleep(0.02)
        assert process.stderr is not None
        if process.returncode:
            raise RuntimeError(process.stderr.read().decode())
    workers = [peak for one, peak in peaks.items() if one != process.pid]
    seconds = time.perf_counter() - start
    return {"worker_mb": max(workers, default=0.0), "first_process_mb": peaks[process.pid], "s": seconds}


def peak_mb(process: int) -> float:
    """The most that a process had of memory, pages of files included (Linux)."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), 0.0)


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """A table: names to the left, figures with three digits."""
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}")
    names = list(dict.fromkeys(name for row in rows for name in row))
    print(f"{names[0]:32}" + "".join(f"{name:>20}" for name in names[1:]))
    for row in rows:
        cells = [row.get(name, "") for name in names]
        print(f"{cells[0]!s:32}" + "".join(f"{c:>20.3g}" if isinstance(c, float) else f"{c!s:>20}" for c in cells[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, help="20 by default, and 300 with --scaling")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="spikingjelly,tonic", help='with commas between them, or "none"')
    parser.add_argument("--cache", type=Path, help="where recordings are kept; a temporary folder by default")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--raw-mb", type=int, nargs="+", default=RAW_MB)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        cache = (options.cache or Path(temporary)).absolute()
        if options.scaling:
            tables = {"processes": scaling(cache, options.recordings or 300, options.rounds)}
        elif options.memory:
            tables = {"memory": memory(cache, options.raw_mb)}
        else:
            n = options.recordings or 20
            rows = compared(cache, n, options.rounds, options.peers.split(","), cores)
            tables = {"whole": rows, "stages, one thread": stages(cache / str(n) / "DvsGesture", cache, STEPS)}
    for title, rows in tables.items():
        show(f"{title}, {cores} cores", rows)
    if options.json:
        rows = [{"table": title} | row for title, rows in tables.items() for row in rows]
        write_report(options.json, rows, cores=cores, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
