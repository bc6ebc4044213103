"""300 rows below a header with the columns in an order of their own."""

from __future__ import annotations

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "d02bed06d0d6e90a"}


def columns() -> tuple[list[int], ...]:
    """t, x, y, p of the events that all text goldens hold."""
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 9), (34, 10), (34, 11), (2, 12)))
    return np.cumsum(t).tolist(), x.tolist(), y.tolist(), p.tolist()


def content() -> bytes:
    """The file."""
    rows = [f"{y}, {p}, {t}.000, {x}, 7\r\n" for t, x, y, p in zip(*columns(), strict=True)]
    return "".join(["y,polarity,timestamp[us],x,id\r\n", *rows]).encode()
