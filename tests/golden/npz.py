"""A .npy of 300 records in a layout of their own, big-endian and out of order."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "200393fc8c4a18d1"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 13), (34, 14), (34, 15), (2, 16)))
    t = np.cumsum(t).tolist()
    t[100], t[200] = t[200], t[100]
    descr = "[('y', '>u2'), ('id', '|u1'), ('p', '|i1'), ('t', '>i8'), ('x', '<i4')]"
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (300,), }}".ljust(181) + "\n"
    rows = (struct.pack(">HBbq", y[i], 7, 2 * p[i] - 1, t[i]) + struct.pack("<i", x[i]) for i in range(300))
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"".join(rows)
