"""300 events, every third one in a vector of two; the time wraps in the middle; a trigger stands between them."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "64ba2e97a4620789"}
HEADER = b"% evt 3.0\n% format EVT3;height=128;width=128\n% end\n"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(200, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = (np.cumsum(t) + 2**24 - 40_000).tolist()
    words = []
    for i in range(200):
        words += [0x8000 | t[i] >> 12 & 0xFFF, 0x6000 | t[i] & 0xFFF, 0x0000 | y[i]]
        if i % 4 < 2:
            words += [0x2000 | p[i] << 11 | x[i]]
        else:
            words += [0x3000 | p[i] << 11 | x[i], 0x4000 | 0x801, 0xA101] if i % 4 == 2 else [0x5000 | 0x42]
    return HEADER + struct.pack(f"<{len(words)}H", *words)
