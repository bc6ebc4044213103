"""300 events; the time wraps in the middle; a trigger stands between them."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "a2b1402503646741"}
HEADER = b"% evt 2.0\n% format EVT2;height=128;width=128\n% end\n"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = (np.cumsum(t) + 2**34 - 60_000).tolist()
    words = []
    for i in range(300):
        words += [0x80000000 | t[i] >> 6 & 0xFFFFFFF, p[i] << 28 | (t[i] & 0x3F) << 22 | x[i] << 11 | y[i]]
    words[150:150] = [0xA0000101]
    return HEADER + struct.pack(f"<{len(words)}I", *words)
