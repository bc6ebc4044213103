"""300 events of 128x128 pixels."""

from __future__ import annotations

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "e04593ef62051fa9"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 84), (128, 85), (128, 86), (2, 87)))
    t = np.cumsum(t).tolist()
    return b"".join((x[i] << 44 | y[i] << 32 | p[i] << 24 | t[i]).to_bytes(7, "big") for i in range(300))
