"""300 events as columns of a file of level 5: doubles stored as what is smallest, out of order, ts packed."""

from __future__ import annotations

import numpy as np

from tests.formats.matlab import DOUBLE, column, level5, packed, variable
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "a93476838df54a01"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 31), (128, 32), (128, 33), (2, 34)))
    t = np.cumsum(t)
    t[100], t[200] = t[200], t[100]
    return level5(
        packed(variable("ts", column(t, "u4")), level=0),
        variable("x", column(x, "u1"), kind=DOUBLE),
        variable("y", column(y, "f8")),
        variable("pol", column(2 * p - 1, "i1"), kind=DOUBLE),
    )
