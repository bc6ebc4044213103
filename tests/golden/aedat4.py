"""300 events in two uncompressed packets, the second without its size in front; a frame packet between them."""

from __future__ import annotations

import struct

import numpy as np

from tests.golden.numbers import golden_numbers

DIGESTS = {1: "b67e38819abdcc02"}
XML = b"""<dv version="2.0"><node name="outInfo">
<node name="0"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info">
<attr key="sizeX" type="int">128</attr><attr key="sizeY" type="int">128</attr></node></node>
<node name="1"><attr key="typeIdentifier" type="string">FRME</attr></node></node></dv>"""


def header() -> bytes:
    """Version line and IOHeader: no compression and no table of contents, both by leaving the fields out."""
    table = struct.pack("<I4s5H2xiI", 20, b"IOHE", 10, 8, 0, 0, 4, 12, 4) + struct.pack("<I", len(XML)) + XML
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(table)) + table


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = (np.cumsum(t) + 1_600_000_000_000_000).tolist()
    events = [struct.pack("<qHHB3x", t[i], x[i], y[i], p[i]) for i in range(300)]
    buffers = [
        struct.pack("<I4sHHH2xiII", 16, b"EVTS", 6, 8, 4, 8, 4, len(part)) + b"".join(part)
        for part in (events[:100], events[100:])
    ]
    bodies = [struct.pack("<I", len(buffers[0])) + buffers[0], b"a frame", buffers[1]]
    return header() + b"".join(
        struct.pack("<ii", stream, len(body)) + body for stream, body in zip((0, 1, 0), bodies, strict=True)
    )
