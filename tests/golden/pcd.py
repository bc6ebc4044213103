"""Binary, organised, with padding, packed colours, a field of two numbers, and points without a return."""

from __future__ import annotations

import struct

from tests.golden.clouds import golden_points

DIGESTS = {1: "99dab11eb6952dfa"}
HEADER = b"""# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z _ rgba ring moment
SIZE 4 4 4 1 4 2 8
TYPE F F F U F U F
COUNT 1 1 1 4 1 1 2
WIDTH 20
HEIGHT 5
VIEWPOINT 0 0 0 1 0 0 0
POINTS 100
DATA binary
"""


def content() -> bytes:
    """The file."""
    points = [
        struct.pack("<3f4xIH2d", *(row[:3] if k % 7 else (float("nan"),) * 3), 2654435761 * k % 2**32, k, *row[3:])
        for k, row in enumerate(golden_points(100, 5, 80))
    ]
    return HEADER + b"".join(points)
