"""300 events of event_camera_msgs in words called mono: the first half in a chunk, the others in none."""

from __future__ import annotations

import numpy as np

from tests.formats.ros_bags import MCAP_END, MCAP_START, PACKET, Sent, cdr_packet, mcap_chunk, mcap_records
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "780cdba861aeb65d"}


def content() -> bytes:
    """The file."""
    t, x, y, p = (golden_numbers(300, *pair).astype(np.uint64) for pair in ((900, 5), (34, 6), (34, 7), (2, 8)))
    after_ns = np.cumsum(t) * np.uint64(1000) + t
    words = after_ns | x << np.uint64(32) | y << np.uint64(48) | p << np.uint64(63)
    sent = [
        Sent(cdr_packet(part.astype("<u8").tobytes(), "mono", seq=k, base_ns=1_600_000_000_000_000_123), "/e", PACKET)
        for k, part in enumerate(np.split(words, [70, 150, 151, 290]))
    ]
    known: dict[str, int] = {}
    return MCAP_START + mcap_chunk(mcap_records(sent[:2], known)) + mcap_records(sent[2:], known) + MCAP_END
