"""300 records of a DVS128, the times three microseconds below 2^31 and up, and an external event between them."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "1926190c0135a65f"}
HEADER = b"#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n#End Of ASCII Header\r\n"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (128, 6), (128, 7), (2, 8)))
    t = (np.cumsum(t) + 2**31 - 3).tolist()
    records = [struct.pack(">II", y[i] << 8 | x[i] << 1 | p[i], t[i]) for i in range(300)]
    return HEADER + b"".join(records[:100]) + struct.pack(">II", 0x8000, t[99]) + b"".join(records[100:])
