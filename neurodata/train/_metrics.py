"""Metrics of a run, a row for each epoch: metrics.csv for spreadsheets, metrics.jsonl for programs.

A kill can leave half a row at the end. The checkpoint knows all rows up to itself, so resuming writes
both files anew from there and goes on.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from neurodata.errors import StorageError
from neurodata.storage import write_bytes


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One row. Losses are mean cross-entropies in nats, accuracies parts from 0 to 1.

    `epoch` counts from 1; `learning_rate` is the one after the epoch, 0 after the last; `train_loss` and
    `train_accuracy` are measured while the network learns, with dropout and label smoothing; validation is None
    without a validation set.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float
    test_accuracy: float


COLUMNS = tuple(field.name for field in fields(EpochMetrics))


class MetricsFiles:
    """metrics.csv and metrics.jsonl in a folder: the same columns, the same rows, nothing that a clock says.

    Parameters
    ----------
    folder
        Where the files are written.
    rows
        The epochs so far; whatever the files held before is replaced.
    """

    def __init__(self, folder: Path, rows: Sequence[EpochMetrics]) -> None:
        self.csv_path = folder / "metrics.csv"
        self.jsonl_path = folder / "metrics.jsonl"
        write_bytes(self.csv_path, _csv_line(COLUMNS) + b"".join(map(_csv_row, rows)))
        write_bytes(self.jsonl_path, b"".join(map(_jsonl_row, rows)))

    def append(self, row: EpochMetrics) -> None:
        """Add one epoch; it is on disk when this returns."""
        _append(self.csv_path, _csv_row(row))
        _append(self.jsonl_path, _jsonl_row(row))


def _csv_row(row: EpochMetrics) -> bytes:
    return _csv_line(["" if value is None else value for value in asdict(row).values()])


def _csv_line(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("ascii")


def _jsonl_row(row: EpochMetrics) -> bytes:
    return json.dumps(asdict(row), allow_nan=False).encode("ascii") + b"\n"


def _append(path: Path, line: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{path}: cannot add a row: {error.strerror}; free the disk and run again") from error
