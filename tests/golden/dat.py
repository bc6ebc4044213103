"""300 events of the type "2d"."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "dbacba50959b237b"}
HEADER = b"% Data file containing Event2d events.\n% Version 2\n% Date 2017-10-31 11:29:21\n\x00\x08"


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = np.cumsum(t).tolist()
    return HEADER + b"".join(struct.pack("<II", t[i], p[i] << 28 | y[i] << 14 | x[i]) for i in range(300))
