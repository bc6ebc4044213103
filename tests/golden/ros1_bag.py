"""300 events of dvs_msgs in three chunks, one of them packed by bz2; a message of another topic."""

from __future__ import annotations

import numpy as np

from tests.formats.ros_bags import IMU, Sent, bag_header, ros1_chunk, ros1_list, ros1_records
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "b67e38819abdcc02"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).tolist() for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    t = (np.cumsum(t) + 1_600_000_000_000_000).tolist()
    events = list(zip(t, x, y, p, strict=True))
    sent = [Sent(ros1_list(events[first : first + 50], (128, 128))) for first in range(0, 300, 50)]
    known: dict[str, int] = {}
    parts = [ros1_records(part, known) for part in ([Sent(b"", "/imu", IMU), *sent[:2]], sent[2:5], sent[5:])]
    return bag_header(3) + ros1_chunk(parts[0]) + ros1_chunk(parts[1], "bz2") + ros1_chunk(parts[2])
