"""Binary PLY elements with lists: walked through one by one, since no two need be of the same length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel

# Columns of a plan, a row for each property.
ITEM_BYTES, COUNT_BYTES, IS_SIGNED = 0, 1, 2  # COUNT_BYTES 0: no list
TRUNCATED, NEGATIVE = 1, 2


@kernel
def walk(
    raw: NDArray[np.uint8], at: int, n: int, plan: NDArray[np.int64], is_big: bool, scalars: NDArray[np.uint8]
) -> tuple[int, int]:
    """Pass over n elements, copying what is no list into the rows of scalars, uint8 [n, bytes] (or [0, 0]: nothing).

    Returns the byte after the last whole element, and what is wrong there.
    """
    for i in range(n):
        start, to = at, 0
        for k in range(len(plan)):
            n_bytes = plan[k, ITEM_BYTES]
            n_count = plan[k, COUNT_BYTES]
            if n_count:
                if at + n_count > len(raw):
                    return start, TRUNCATED
                count = np.int64(0)
                for j in range(n_count):
                    count |= np.int64(raw[at + j]) << 8 * (n_count - 1 - j if is_big else j)
                if plan[k, IS_SIGNED] and count >> (8 * n_count - 1):
                    return start, NEGATIVE
                at += n_count
                n_bytes *= count
            if n_bytes > len(raw) - at:
                return start, TRUNCATED
            if not n_count and len(scalars):
                for j in range(n_bytes):
                    scalars[i, to + j] = raw[at + j]
                to += n_bytes
            at += n_bytes
    return at, 0


def reference(raw: bytes, at: int, n: int, plan: NDArray[np.int64], is_big: bool) -> tuple[int, bytes]:
    """What `walk` gives for sound elements: the byte after them, and the scalars of all."""
    scalars = b""
    for item_bytes, count_bytes, _ in plan.tolist() * n:
        if count_bytes:
            at += count_bytes + item_bytes * int.from_bytes(raw[at : at + count_bytes], "big" if is_big else "little")
        else:
            scalars, at = scalars + raw[at : at + item_bytes], at + item_bytes
    return at, scalars
