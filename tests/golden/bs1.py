"""300 spikes of 128 neurons."""

from __future__ import annotations

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "10701f45838aa8c1"}


def content() -> bytes:
    """The file."""
    t, x, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 81), (128, 82), (2, 83)))
    t = np.cumsum(t).tolist()
    return b"".join(x[i].to_bytes(2, "big") + (p[i] << 23 | t[i]).to_bytes(3, "big") for i in range(300))
