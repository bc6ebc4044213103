"""A .npy of 100 points in Fortran order, float64."""

from __future__ import annotations

import struct

from tests.golden.clouds import golden_points

DIGESTS = {1: "483193598b01152f"}


def content() -> bytes:
    """The file."""
    header = "{'descr': '<f8', 'fortran_order': True, 'shape': (100, 6), }".ljust(117) + "\n"
    columns = zip(*golden_points(100, 6, 90), strict=True)
    body = b"".join(struct.pack("<100d", *column) for column in columns)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body
