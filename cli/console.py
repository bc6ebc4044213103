"""How the command talks: bars and notes on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from neurodata.progress import Progress

notes = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Something a person wants to know, on stderr."""
    notes.print(text, markup=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A progress callback: bars on a terminal, one line for each stage elsewhere."""
    if notes.is_terminal:
        with _terminal_bars() as report:
            yield report
    else:
        yield _StageLines()


@contextmanager
def _terminal_bars() -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=notes) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int | None, unit: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, unit=unit)
            scale = 1_000_000 if unit == "B" else 1
            bars.update(
                tasks[stage],
                completed=done // scale,
                total=None if total is None else -(-total // scale),
                unit="MB" if unit == "B" else unit,
            )

        yield report


class _StageLines:
    """Progress for logs: says once that a stage began."""

    def __init__(self) -> None:
        self.stage = ""

    def __call__(self, stage: str, done: int, total: int | None, unit: str) -> None:
        if stage != self.stage:
            self.stage = stage
            print(stage if total is None or unit == "B" else f"{stage}: {total} {unit}", file=sys.stderr)


def human_bytes(size: int) -> str:
    """A size in the unit that reads best: 1536 is "1.5 kB"."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
