"""Damaged files: seeded mutations of good ones.

`python -m tests.formats.mutations FORMAT FILE N SEED` reads N mutants of a file, in a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurodata import registry
from tests.formats.outcomes import any_outcome


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


if __name__ == "__main__":
    name, file, count, seed = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / Path(file).name
        for mutated in mutations(Path(file).read_bytes(), int(count), int(seed)):
            target.write_bytes(mutated)
            any_outcome(registry.formats[name], target)
    print("read", count)
