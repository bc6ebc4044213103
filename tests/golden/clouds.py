"""Points for golden files: by arithmetic alone."""

from __future__ import annotations

import struct

from tests.golden.numbers import golden_numbers


def golden_points(n: int, n_columns: int, seed: int) -> list[tuple[float, ...]]:
    """n rows of float32 from -8 to 8 in steps of 1/128: x, y, z, and features from 0 to 1 in steps of 1/64."""
    columns = [(golden_numbers(n, 2048 - 37 * k, seed) / 128 - 8).tolist() for k in range(3)]
    columns += [(golden_numbers(n, 65 - 2 * k, seed) / 64).tolist() for k in range(n_columns - 3)]
    return list(zip(*columns, strict=True))


def as_float32(rows: list[tuple[float, ...]], order: str = "<") -> bytes:
    """The numbers row by row."""
    return b"".join(struct.pack(f"{order}{len(row)}f", *row) for row in rows)
