"""300 events with an overflow marker in the middle."""

from __future__ import annotations

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "5e89a5125b5bbb7e"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = np.cumsum(t).tolist()
    records = [(x[i], y[i], p[i] << 23 | t[i] % 2**23) for i in range(300)]
    records[150:150] = [(0, 240, 0)]
    return b"".join(bytes((a, b)) + c.to_bytes(3, "big") for a, b, c in records)
