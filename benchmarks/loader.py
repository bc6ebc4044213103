"""How many samples a second the loader delivers, next to what memory allows and to other libraries' ways to keep them.

    python -m benchmarks.loader [--samples 1024] [--rounds 5] [--cache FOLDER] [--peers NAMES|none] [--json FILE]
    python -m benchmarks.loader --open-million [--cache FOLDER]

Generated uint8 frames [16, 2, 128, 128] of Poisson counts, 14 % and 3 % of them not zero, in batches of 32, shuffled,
from a warm page cache; every candidate once in every round (the host's noise hits all alike), medians. The limit is a
memory-mapped file of the same frames, copied batch by batch in this process, by the faster of two ways. Before that,
each candidate runs once in a process of its own: every sample must arrive whole and once (a checksum of each, or
there is a verdict), and the memory of that process and its workers is sampled meanwhile (all of it, torch included;
pages that several share are split between them, and those of mapped files count). There too the first batch is timed on
an opened store: of the first pass, where kernels are compiled or loaded and workers start ("fresh ms"), and of the next
("first ms"); once, so these are rough.

Each library writes its own copy once into the cache folder, which later runs with as many samples use again; without
--cache it is a temporary one. Peers run where they are installed; those with worker processes with 0 and with 2 of
them, the others by each of their ways to read, and the fastest is in the table. To have all of them, besides the test
extra:

    python -m pip install --no-deps --requirement benchmarks/requirements-loader.txt

(with `--target FOLDER`, and FOLDER in PYTHONPATH, where the environment shall stay as it is). MosaicML Streaming wants
an older numpy: this command makes an environment for it in the cache folder. LitData and it unpack what is compressed
into a second, raw copy when they first read it, and from then on read that. WebDataset shuffles within a buffer of
128 samples, LitData and MosaicML within a part of their shards, all others freely. SpikingJelly delivers float32.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader_candidates import BATCH, SHAPE, Candidate, Frames, InProcess, digest, index_batches
from benchmarks.loader_mds import UNPACKED
from benchmarks.loader_ours import measured_million, opened_stores, our_stores, print_million, store_candidates
from benchmarks.loader_peers import peers
from benchmarks.timing import medians_s, write_report

DENSITIES = (0.14, 0.03)
SAMPLE_BYTES = int(np.prod(SHAPE))
LONGEST_CHECK_S = 120
SAMPLED_EVERY_S = 0.01
LIMIT = "limit"
RAW = "frames.bin"
Variants = dict[str, Candidate]


def frames_of(folder: Path, n: int, density: float) -> Frames:
    """The memory-mapped frames, generated where they are not there."""
    path = folder / RAW
    if not path.exists() or path.stat().st_size != n * SAMPLE_BYTES:
        rng = np.random.default_rng(0)
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for _ in range(n):
                file.write(rng.poisson(-np.log1p(-density), SHAPE).astype(np.uint8).tobytes())
    return raw(folder)


def limits(frames: Frames) -> dict[str, Variants]:
    """As many bytes as a batch has, copied in this process: there is no check, no label and no worker."""
    n = len(frames)
    indices = index_batches(n)

    def filled(dtype: str) -> Callable[[], Iterator[Any]]:
        batch = np.empty((BATCH, *SHAPE), dtype)

        def batches() -> Iterator[Any]:
            for chosen in indices():
                for out, k in zip(batch, chosen, strict=False):
                    np.copyto(out, frames[k])
                yield batch[: len(chosen)]

        return batches

    fancy = InProcess(lambda: (np.asarray(frames)[chosen] for chosen in indices()))
    return {
        LIMIT: {"mm[indices]": fancy, "rows into one buffer": InProcess(filled("uint8"))},
        "limit float32": {"rows into one buffer": InProcess(filled("float32"))},
    }


def written_by_peers(folder: Path, frames: Frames, chosen: list[str]) -> list[str]:
    """The peers that have their copy."""
    found = []
    for name in chosen:
        if (folder / name / "written").exists():
            found.append(name)
            continue
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name / "copy").mkdir(parents=True)
        # In a process of its own: LitData changes how this one would start others.
        command = [sys.executable, "-m", "benchmarks.loader", "--write", str(folder), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name}: skipped, {last_line(done.stderr)}", file=sys.stderr, flush=True)
            continue
        (folder / name / "written").write_text(str(bytes_below(folder / name / "copy")))
        found.append(name)
    return found


def opened(folder: Path, name: str) -> Variants:
    """Candidates of what was written, by the names of the table: neurodata LAYOUT DTYPE, limits, and peers."""
    if name.startswith("neurodata"):
        return store_candidates(opened_stores(folder))[name]
    if name.startswith(LIMIT):
        return limits(raw(folder))[name]
    for left in (folder / name / "copy").glob(f"{UNPACKED}*"):
        shutil.rmtree(left)
    return peers()[name].open(folder / name / "copy")


def raw(folder: Path) -> Frames:
    return np.memmap(folder / RAW, np.uint8, "r").reshape(-1, *SHAPE)


def print_check(folder: Path, name: str) -> None:
    variants = opened(folder, name)
    found: dict[str, Any] = {}
    for variant, candidate in variants.items():
        fresh_s, first_s = candidate.first_batch_s(), candidate.first_batch_s()
        with PeakMemory(candidate.process() or os.getpid()) as memory:
            delivered = candidate.digest()
        times_ms = {"fresh_first_ms": 1e3 * fresh_s, "first_ms": 1e3 * first_s}
        found[variant] = {**times_ms, "peak_mb": memory.peak_mb, "digest": delivered}
        candidate.close()
    print("\n" + json.dumps(found), flush=True)


def checked(folder: Path, name: str) -> dict[str, Any]:
    """What `print_check` found in a process of its own; only an "error" where there is none."""
    command = [sys.executable, "-m", "benchmarks.loader", "--check", str(folder), name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_CHECK_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"longer than {LONGEST_CHECK_S} s"}
    if done.returncode:
        return {"error": last_line(done.stderr)}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


class PeakMemory:
    """Memory of a process and those that it started, sampled while the block runs (Linux; elsewhere None)."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.peak_mb: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while Path("/proc/self/smaps_rollup").exists():
            total = sum(map(proportional_mb, process_tree(self.root)))
            self.peak_mb = max(self.peak_mb or 0.0, total)
            if self._stop.wait(SAMPLED_EVERY_S):
                return


def process_tree(root: int) -> set[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        parents[int(status.parent.name)] = int(fields[1])
    tree = {root}
    while more := {one for one, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def proportional_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def last_line(text: str) -> str:
    """The last one that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" .")]
    return next((line for line in reversed(lines) if "Error" in line), (lines or ["no reason given"])[-1])[:160]


def disk(folder: Path, name: str, stores: Mapping[str, Any]) -> tuple[float, float]:
    """Megabytes that were written, and those that reading has added."""
    if name.startswith(LIMIT):
        return (folder / RAW).stat().st_size / 1e6, 0.0
    if name.startswith("neurodata"):
        return bytes_below(stores[name.split()[1]].path) / 1e6, 0.0
    copy, written = folder / name / "copy", int((folder / name / "written").read_text())
    in_place = max(0, bytes_below(copy) - written)
    return written / 1e6, max((bytes_below(one) for one in copy.glob(f"{UNPACKED}*")), default=in_place) / 1e6


def measured(folder: Path, n: int, density: float, rounds: int, chosen: list[str]) -> list[dict[str, Any]]:
    frames = frames_of(folder, n, density)
    expected = digest(iter(frames))
    stores = our_stores(folder, frames)
    names = [*limits(frames), *store_candidates(stores), *written_by_peers(folder, frames, chosen)]
    checks = {name: checked(folder, name) for name in names}
    candidates: dict[tuple[str, str], Candidate] = {}
    for name in names:
        if "error" not in checks[name]:
            candidates |= {(name, variant): one for variant, one in opened(folder, name).items()}
    keys = {f"{name}\n{variant}": (name, variant) for name, variant in candidates}
    for candidate in candidates.values():
        candidate.epoch()
    seconds = medians_s({key: candidates[pair].epoch for key, pair in keys.items()}, rounds)
    for candidate in candidates.values():
        candidate.close()
    fastest = {
        name: min((key for key in keys if keys[key][0] == name), key=seconds.__getitem__, default="") for name in names
    }
    rows: list[dict[str, Any]] = []
    for name in names:
        key, (disk_mb, added_mb) = fastest[name], disk(folder, name, stores)
        row: dict[str, Any] = {"density": density, "loader": name, "disk_mb": disk_mb, "unpacked_mb": added_mb}
        row["of_raw"] = disk_mb / (n * SAMPLE_BYTES / 1e6)
        row["verdict"] = checks[name].get("error", "")
        if key:
            variant = keys[key][1]
            check = checks[name][variant]
            row["samples_per_s"] = n / seconds[key]
            row["of_limit"] = seconds[fastest[LIMIT]] / seconds[key]
            row |= {name: check[name] for name in ("first_ms", "fresh_first_ms", "peak_mb")} | {"variant": variant}
            others = {keys[other][1]: n / seconds[other] for other in keys if keys[other][0] == name}
            row["variants_samples_per_s"] = others
            wrong = [one for one, found in checks[name].items() if found["digest"] != expected]
            row["verdict"] = f"wrong: other samples ({', '.join(wrong)})" if wrong else ""
        rows.append(row)
    return rows


COLUMNS = (
    ("samples_per_s", "samples/s", ".0f"),
    ("of_limit", "x limit", ".2f"),
    ("disk_mb", "disk MB", ".0f"),
    ("of_raw", "x raw", ".3f"),
    ("peak_mb", "peak MB", ".0f"),
    ("first_ms", "first ms", ".1f"),
    ("fresh_first_ms", "fresh ms", ".0f"),
)


def line(row: dict[str, Any]) -> str:
    figures = [f"{row[key]:{form}}" if row.get(key) is not None else "" for key, _, form in COLUMNS]
    unpacked = f"and {row['unpacked_mb']:.0f} MB more, unpacked" if row["unpacked_mb"] else ""
    notes = "; ".join(filter(None, (row.get("variant"), unpacked, row["verdict"])))
    return f"{row['density']:<9.0%}{row['loader']:28}" + "".join(f"{one:>10}" for one in figures) + f"  {notes}"


def measure_densities(options: argparse.Namespace, cache: Path) -> None:
    rows: list[dict[str, Any]] = []
    chosen = [] if options.peers == "none" else options.peers.split(",")
    print(f"{'density':9}{'loader':28}" + "".join(f"{title:>10}" for _, title, _ in COLUMNS))
    for density in DENSITIES:
        folder = cache / f"{options.samples}-{density:.2f}"
        for row in measured(folder, options.samples, density, options.rounds, chosen):
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        write_report(options.json, rows, samples=options.samples, batch_size=BATCH, rounds=options.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="where copies are kept; a temporary folder by default")
    parser.add_argument(
        "--peers", default=",".join(peers()), help='with commas between them, or "none"; all by default'
    )
    parser.add_argument(
        "--open-million", action="store_true", help="only: time and memory to open a store of 1 M samples"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--check-million", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        print_check(Path(options.check[0]), options.check[1])
        return
    if options.write:
        folder, name = Path(options.write[0]), options.write[1]
        peers()[name].write(folder / name / "copy", raw(folder))
        return
    if options.check_million:
        print_million(options.check_million)
        return
    if options.peers != "none" and (unknown := set(options.peers.split(",")) - peers().keys()):
        parser.error(f"no peer {', '.join(sorted(unknown))}; there is {', '.join(peers())}")
    with tempfile.TemporaryDirectory() as temporary:
        cache = (options.cache or Path(temporary)).absolute()
        if not options.open_million:
            measure_densities(options, cache)
            return
        row = measured_million(cache)
        print("\n".join(f"{name:24}{value:>12.1f}" for name, value in row.items()))
        if options.json:
            write_report(options.json, [row])


if __name__ == "__main__":
    main()
