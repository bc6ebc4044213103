"""150 words of two events in the legacy order; the time wraps in the middle; a trigger stands between them."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "d037ab0198a67011"}
HEADER = b"% evt 2.1\n% format EVT21;endianness=legacy;height=128;width=128\n% end\n"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(150, *pair).tolist() for pair in ((900, 5), (64, 6), (34, 7), (2, 8)))
    t = (np.cumsum(t) + 2**34 - 30_000).tolist()
    words = []
    for i in range(150):
        words += [0x80000000 | t[i] >> 6 & 0xFFFFFFF, 0]
        words += [p[i] << 28 | (t[i] & 0x3F) << 22 | x[i] << 11 | y[i], 1 | 1 << (i % 31 + 1)]
    words[150:150] = [0xA0000101, 0]
    return HEADER + struct.pack(f"<{len(words)}I", *words)
