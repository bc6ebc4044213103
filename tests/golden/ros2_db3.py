"""300 events of event_camera_msgs in words of EVT 3.0, cut into messages at uneven places."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.formats.ros_bags import PACKET, Sent, cdr_packet, ros2_db3
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "dbacba50959b237b"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair) for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = np.cumsum(t)
    words = np.stack((0x8000 | t >> 12, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x), axis=1).astype("<u2").tobytes()
    cuts = [0, 6, 500, 502, 1700, len(words)]
    parts = [words[first:stop] for first, stop in pairwise(cuts)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db3"
        ros2_db3(path, [Sent(cdr_packet(part, seq=k), "/e", PACKET) for k, part in enumerate(parts)])
        return path.read_bytes()
