"""300 DVS events with steps of up to seven overflows, and a reset in the middle."""

from __future__ import annotations

import struct

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "1804b60fc59fa195"}
HEADER = b"Event Stream" + bytes([2, 0, 0, 1]) + struct.pack("<HH", 128, 128)


def content() -> bytes:
    """The file."""
    step, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (128, 6), (128, 7), (2, 8)))
    events = [
        b"\xff" * (step[i] // 127) + struct.pack("<BHH", step[i] % 127 << 1 | p[i], x[i], y[i]) for i in range(300)
    ]
    return HEADER + b"".join(events[:150]) + b"\xfe" * 5 + b"".join(events[150:])
