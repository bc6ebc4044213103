"""LZF, the packing of PCD's binary_compressed: literal runs and references back.

A control byte below 32 begins a run of that many bytes and one more. Another one holds a length in its upper three
bits (7: a byte follows that is added to it) and the upper bits of a distance in its lower five, whose lower byte
follows: length + 2 bytes are repeated from distance + 1 bytes back. Source: Lehmann, liblzf 3.6, `lzf_d.c` (the
format; no code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel

MOST_PACKED = 88  # 264 bytes in three


@kernel
def unpack(packed: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """Fill out; returns how many bytes of packed were used, or -1 - that when they do not give exactly out."""
    at, n = 0, 0
    while at < len(packed):
        start = at
        control = int(np.int64(packed[at]))
        at += 1
        if control < 32:
            length, source = control + 1, -1
            if at + length > len(packed):
                return -1 - start
        else:
            length = control >> 5
            if at + 1 + (length == 7) > len(packed):
                return -1 - start
            if length == 7:
                length += int(np.int64(packed[at]))
                at += 1
            length += 2
            source = n - 1 - ((control & 31) << 8 | int(np.int64(packed[at])))
            at += 1
            if source < 0:
                return -1 - start
        if n + length > len(out):
            return -1 - start
        if source < 0:
            for k in range(length):
                out[n + k] = packed[at + k]
            at += length
        else:
            for k in range(length):  # may repeat what it has just written
                out[n + k] = out[source + k]
        n += length
    return at if n == len(out) else -1 - at


def reference(packed: bytes) -> bytes:
    """What sound bytes are unpacked to."""
    rest, out = list(packed), bytearray()
    while rest:
        control = rest.pop(0)
        if control < 32:
            out += bytes(rest.pop(0) for _ in range(control + 1))
        else:
            length = (control >> 5) + (rest.pop(0) if control >> 5 == 7 else 0) + 2
            distance = ((control & 31) << 8) + rest.pop(0) + 1
            for _ in range(length):
                out.append(out[-distance])
    return bytes(out)
