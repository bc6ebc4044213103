"""How fast recordings are read, next to the libraries that read the same files.

    python -m benchmarks.formats [--formats evt2,evt3] [--events 12000000] [--rounds 5] [--clock cpu] [--json FILE]

Reads generated files whole, from a warm page cache, one reader after the other in every round (the host's
noise hits all alike), and prints the median. Every reader's events are compared with those in the file (number,
and a checksum of each column); the ratio is to the fastest one that is right. The limit is what no reader can pass:
the file is read once, and 13 bytes an event are written once into fresh arrays. Peak memory is what one read
adds, in a process of its own. `--clock cpu` takes the processor's time instead of the wall's: for a machine that
others use, and fair as long as no reader uses threads. Peers (`benchmarks.readers`) run where they are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.readers import Columns, Reader, attributes, readers
from benchmarks.recordings import CASES, generated
from benchmarks.timing import medians_s, write_report

WARM_UP_EVENTS = 1000
COLUMN_TYPES = ("<i8", "<u2", "<u2", "?")  # of t, x, y, p
PIECE_BYTES = 1 << 18
LONGEST_CHECK_S = 300
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
Digest = list[int]  # number of events, and the checksums of t, x, y, p


def digest(columns: Columns) -> Digest:
    sums = [
        zlib.crc32(np.ascontiguousarray(np.asarray(column).astype(dtype, copy=False)).view(np.uint8).data)
        for column, dtype in zip(columns, COLUMN_TYPES, strict=True)
    ]
    return [len(columns[0]), *sums]


def verdict(found: Digest, expected: Digest) -> str:
    """Empty when they are the same."""
    if found[0] != expected[0]:
        return f"wrong: {found[0]} events of {expected[0]}"
    columns = [name for name, one, other in zip("txyp", found[1:], expected[1:], strict=True) if one != other]
    return f"wrong: {', '.join(columns)}" if columns else ""


def limit(path: Path, n_events: int) -> None:
    """Read a file once, piece by piece, and fill four fresh columns."""
    piece = np.empty(PIECE_BYTES, np.uint8)
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece.data):
            pass
    for dtype in COLUMN_TYPES:
        np.empty(n_events, dtype).fill(1)


def touch_memory(n_bytes: int) -> None:
    """A virtual machine takes pages from its host when they are first used, twenty times as slowly as afterwards."""
    np.empty(n_bytes, np.uint8).fill(1)


def checked(case: str, name: str, path: Path, warm_up: Path) -> dict[str, Any]:
    """Peak memory and digest of a read in a process of its own; only an "error" where there is none."""
    command = [sys.executable, "-m", "benchmarks.formats", "--check", case, name, str(path), str(warm_up)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_CHECK_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"longer than {LONGEST_CHECK_S} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:100]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def print_check(case: str, name: str, path: Path, warm_up: Path) -> None:
    reader = readers([case], only=name)[case][name]
    reader.read(warm_up)
    before = peak_of_process_mb()
    kept = reader.read(path)
    peak_mb = peak_of_process_mb() - before
    print(json.dumps({"peak_mb": peak_mb, "digest": digest(reader.columns(kept))}))


def peak_of_process_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins with that of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measured(
    case: str, candidates: dict[str, Reader], n_events: int, rounds: int, clock: Callable[[], float], folder: Path
) -> list[dict[str, Any]]:
    path, warm_up = (folder / f"{name}{CASES[case].suffix}" for name in ("recording", "warm_up"))
    columns = attributes(CASES[case].make(generated(n_events), path))
    CASES[case].make(generated(WARM_UP_EVENTS), warm_up)
    expected, n_events = digest(columns), len(columns[0])
    del columns
    checks = {name: checked(case, name, path, warm_up) for name in candidates}
    sound = {name: reader.read for name, reader in candidates.items() if "error" not in checks[name]}
    for read in sound.values():
        read(warm_up)
    calls = {name: partial(read, path) for name, read in sound.items()}
    seconds = medians_s({"limit": partial(limit, path, n_events), **calls}, rounds, clock)
    verdicts = {name: verdict(checks[name]["digest"], expected) for name in sound}
    right_s = [s for name, s in seconds.items() if verdicts.get(name) == "" and name != "neurodata"]
    rows: list[dict[str, Any]] = []
    for name, check in checks.items():
        row: dict[str, Any] = {"format": case, "reader": name, "verdict": check.get("error") or verdicts[name]}
        if name in sound:
            row["mev_per_s"] = n_events / seconds[name] / 1e6
            row["times_fastest_peer"] = min(right_s) / seconds[name] if right_s else None
            row["of_limit"] = seconds["limit"] / seconds[name]
            row["peak_mb"] = check["peak_mb"]
        rows.append(row)
    return rows


def line(row: dict[str, Any]) -> str:
    figures = [
        f"{row[key]:{form}}" if row.get(key) is not None else ""
        for key, form in (("mev_per_s", ".1f"), ("times_fastest_peer", ".2f"), ("of_limit", ".2f"), ("peak_mb", ".0f"))
    ]
    return f"{row['format']:14}{row['reader']:14}" + "".join(f"{one:>10}" for one in figures) + f"  {row['verdict']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--formats", default=",".join(CASES), help="with commas between them; all by default")
    parser.add_argument("--events", type=int, default=12_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    if options.check:
        print_check(options.check[0], options.check[1], Path(options.check[2]), Path(options.check[3]))
        return
    cases = options.formats.split(",")
    if unknown := set(cases) - CASES.keys():
        parser.error(f"no format {', '.join(unknown)}; there is {', '.join(CASES)}")
    found = readers(cases)
    touch_memory(200 * options.events)
    rows: list[dict[str, Any]] = []
    print(f"{'format':14}{'reader':14}{'Mev/s':>10}{'x peer':>10}{'x limit':>10}{'peak MB':>10}")
    for case, candidates in found.items():
        with tempfile.TemporaryDirectory() as folder:
            for row in measured(case, candidates, options.events, options.rounds, CLOCKS[options.clock], Path(folder)):
                rows.append(row)
                print(line(row), flush=True)
    if options.json:
        write_report(options.json, rows, events=options.events, rounds=options.rounds, clock=options.clock)


if __name__ == "__main__":
    main()
