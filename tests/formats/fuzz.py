"""Many damaged files of every format, each format in a process of its own: `make fuzz`.

    python -m tests.formats.fuzz [--mutants 12000] [--seed 0] [--formats evt3 ply ...]

A process that crashes, hangs or lets another error than FormatError out is reported with the command that does it
again; the exit code is then 1. Kernels run with bounds checks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from neurodata import registry
from neurodata.formats import Format
from tests.formats.contract import LIMITS, SENSOR, recorded

SLOW_S = 900


def bases(name: str, folder: Path) -> Iterator[Path]:
    """Good files of a format: its golden file, and one that its writer makes."""
    format = registry.formats[name]
    golden = folder / f"golden{format.extensions[0]}"
    golden.write_bytes(import_module(f"tests.golden.{name}").content())
    yield golden
    if isinstance(format, Format) and format.write is not None:
        written = folder / f"written{format.extensions[0]}"
        format.write(recorded(60, sensor=LIMITS.get(name, (SENSOR, 0))[0]), written)
        yield written


def fuzzed(name: str, path: Path, n: int, seed: int) -> str | None:
    """None when all mutants of a file gave signals or FormatErrors, else what happened."""
    command = [sys.executable, "-m", "tests.formats.mutations", name, str(path), str(n), str(seed)]
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(path.parent / "kernels")}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SLOW_S)
    except subprocess.TimeoutExpired:
        return f"hangs: more than {SLOW_S} s for {n} mutants"
    if (done.returncode, done.stdout) == (0, f"read {n}\n"):
        return None
    return f"exit code {done.returncode}: {done.stderr.strip()[-2000:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=12_000, help="over all formats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", default=registry.formats.names())
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        files = [(name, path) for name in options.formats for path in _bases_in(name, Path(folder))]
        n_each = -(-options.mutants // len(files))
        for name, path in files:
            problem = fuzzed(name, path, n_each, options.seed)
            failures += problem is not None
            print(f"{name:22}{path.stem:9}{n_each:7,} mutants  {'sound' if problem is None else problem}", flush=True)
    print(f"{n_each * len(files):,} mutants of {len(options.formats)} formats, {failures} failures")
    sys.exit(failures > 0)


def _bases_in(name: str, folder: Path) -> list[Path]:
    home = folder / name
    home.mkdir()
    return list(bases(name, home))


if __name__ == "__main__":
    main()
