"""Binary big-endian, faces before the vertices, x, y, z out of order and of several types, a list in each vertex."""

from __future__ import annotations

import struct

from tests.golden.clouds import golden_points

DIGESTS = {1: "62bd34e6f7f13e47"}
HEADER = b"""ply
format binary_big_endian 1.0
comment made by arithmetic
obj_info of no object
element face 2
property list uchar int vertex_indices
property uchar flags
element vertex 100
property uchar red
property double z
property list ushort short neighbours
property float x
property short y
end_header
"""


def content() -> bytes:
    """The file."""
    faces = struct.pack(">BiiiB", 3, 0, 1, 2, 9) + struct.pack(">BiiiiB", 4, 0, 1, 2, 3, 9)
    vertices = [
        struct.pack(f">BdH{k % 3}hfh", k, z, k % 3, *range(k % 3), x, int(128 * y))
        for k, (x, y, z) in enumerate(golden_points(100, 3, 60))
    ]
    return HEADER + faces + b"".join(vertices)
