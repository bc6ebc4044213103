"""Timing that can be trusted on a noisy machine: candidates in turn in every round, medians over the rounds."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SLOW_S = 5.0  # what takes longer than this runs once


def medians_s(
    candidates: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each candidate; all have run once before, to compile and to warm caches."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            if times[name] and times[name][0] > SLOW_S:
                continue
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def write_report(path: Path, rows: list[dict[str, Any]], **settings: object) -> None:
    """Rows and settings as JSON, with what they were measured on."""
    machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": version("numpy")}
    path.write_text(json.dumps({**settings, **machine, "rows": rows}, indent=2) + "\n")
