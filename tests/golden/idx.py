"""Three pictures of 5x4 pixels, without labels: those are in another file."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "29fcf171ce880db5"}


def content() -> bytes:
    """The file."""
    values = np.array(golden_numbers(60, 256, 77), np.uint8)
    return struct.pack(">4B3I", 0, 0, 8, 3, 3, 4, 5) + values.tobytes()
