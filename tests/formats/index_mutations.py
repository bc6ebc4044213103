"""Wrong indexes of sound recordings: seeded mutations of true ones, and what a reader that believes them makes of them.

`python -m tests.formats.index_mutations FORMAT FILE N` reads a file with N mutants of its index.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Format, _columns, _index, _sidecar
from neurodata.formats._sidecar import Index
from neurodata.signals import EventArray, Sensor


def index_mutations(index: Index, n: int, seed: int) -> Iterator[Index]:
    """Indexes with numbers overwritten, rows left out, doubled or moved, or other findings."""
    rng = np.random.default_rng(seed)
    extremes = [0, 1, -1, 2, 7, 255, 4096, 1 << 31, -(1 << 31), 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63)]
    for _ in range(n):
        blocks, states, findings = index.blocks.copy(), index.states.copy(), Counter(index.findings)
        for _ in range(rng.integers(1, 4)):
            rows = np.arange(len(blocks))
            k = rng.integers(0, len(rows))
            match rng.integers(0, 6):
                case 0 | 1:
                    records = (blocks, states)[rng.integers(0, 2)]
                    name = rng.choice(records.dtype.names)
                    near = int(records[name][k]) + int(rng.integers(-9, 10))
                    records[name][k] = extremes[rng.integers(0, len(extremes))] if rng.integers(0, 2) else near
                case 2:
                    rows = np.delete(rows, k) if len(rows) > 1 else rows
                case 3:
                    rows = np.insert(rows, k, k)
                case 4:
                    rows = rng.permutation(rows)
                case 5:
                    findings["late"] = int(rng.integers(0, 2))
            blocks, states = blocks[rows], states[rows]
        yield Index(index.sensor, findings, blocks, states)


def outcome_with_index(format: Format, path: Path, sensor: Sensor | None, index: Index) -> bool:
    """Whether an index is believed; if so, what it leads to is valid events or a FormatError."""
    with mock.patch.multiple(_sidecar, SMALLEST_BYTES=0, _load=lambda *_: index, _keep=lambda *_: None):
        recording = format.open(path, sensor)
    if recording.sidecar is None:  # type: ignore[attr-defined]
        return False
    middle_us = (recording.start_us + recording.stop_us) // 2
    with suppress(FormatError):
        assert isinstance(recording.events(), EventArray)
    with suppress(FormatError):
        assert isinstance(recording.events(middle_us, None), EventArray)
    with suppress(FormatError):
        pieces = list(recording.packets(17))
        assert all(before.t[-1] <= after.t[0] for before, after in pairwise(pieces))
    return True


def index_of(format: Format, path: Path, sensor: Sensor | None) -> Index:
    """The index of a file, of many blocks."""
    recording = format.open(path, sensor)
    return Index(recording.sensor, recording.findings, recording.blocks, recording.states)  # type: ignore[attr-defined]


if __name__ == "__main__":
    name, file, count = sys.argv[1:]
    with mock.patch.multiple(_index, BLOCK_BYTES=60), mock.patch.multiple(_columns, BLOCK_EVENTS=9):
        true_index = index_of(registry.formats[name], Path(file), None)
    believed = [
        outcome_with_index(registry.formats[name], Path(file), None, mutant)
        for mutant in index_mutations(true_index, int(count), seed=3)
    ]
    print("believed some:", any(believed), "all:", all(believed))
