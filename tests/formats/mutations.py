"""Damaged files: seeded mutations of good ones, and what a reader makes of them.

`python -m tests.formats.mutations FORMAT FILE N` reads N mutants of a file, for runs with other settings of Numba.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Format
from neurodata.signals import EventArray, Sensor


def mutations(content: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Mutants with bits flipped, bytes or words overwritten, stretches removed, doubled or moved."""
    rng = np.random.default_rng(seed)
    extremes = [b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x01\x00\x00\x00", b"\x00\x00\x00\x80"]
    for _ in range(n):
        mutant = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            at, end = np.sort(rng.integers(0, len(mutant) + 1, 2))
            match rng.integers(0, 5):
                case 0 if at < len(mutant):
                    mutant[at] ^= 1 << rng.integers(0, 8)
                case 1:
                    mutant[at : at + 4] = extremes[rng.integers(0, len(extremes))]
                case 2:
                    del mutant[at : min(end, at + 64)]
                case 3:
                    mutant[at:at] = mutant[at : min(end, at + 64)]
                case 4:
                    mutant[at:end] = rng.bytes(min(int(end - at), 16))
        yield bytes(mutant)


def outcome(format: Format, path: Path, sensor: Sensor | None) -> EventArray | FormatError:
    """The events of a file, read whole and in packets, or the error that says what is wrong with it."""
    try:
        recording = format.open(path, sensor)
    except FormatError as error:
        return error
    events = recording.events()
    assert events == format.open(path, sensor, keep=True).events()
    pieces = list(recording.packets(17))
    assert sum(len(piece) for piece in pieces) == len(events) == recording.n_events
    # Held events are not checked again when they are handed out: here they are.
    return EventArray(events.t, events.x, events.y, events.p, events.sensor)


if __name__ == "__main__":
    name, file, count = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / Path(file).name
        for mutated in mutations(Path(file).read_bytes(), int(count), seed=2):
            target.write_bytes(mutated)
            outcome(registry.formats[name], target, None)
    print("read", count)
