"""A packet of another type, then one of 300 polarity events, one time overflow from the start."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "f219b21ed27e19fd"}
HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = np.cumsum(t).tolist()
    packet = struct.pack("<HHIIIIII", 1, 1, 8, 4, 1, 300, 300, 300) + b"".join(
        struct.pack("<II", 1 | p[i] << 1 | y[i] << 2 | x[i] << 17, t[i]) for i in range(300)
    )
    other = struct.pack("<HHIIIIII", 0, 1, 8, 4, 0, 1, 1, 1) + bytes(8)
    return HEADER + other + packet
