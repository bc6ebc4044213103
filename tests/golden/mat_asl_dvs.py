"""300 events as rows of a big-endian file of level 5."""

from __future__ import annotations

import numpy as np

from tests.formats.matlab import level5, variable
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "74eb83999f19e06a"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 35), (128, 36), (128, 37), (2, 38)))
    columns = {"x": x.astype("f8"), "y": y.astype("u2"), "pol": p.astype("u1"), "ts": np.cumsum(t).astype("f8")}
    return level5(*(variable(name, values, ">") for name, values in columns.items()), order=">")
