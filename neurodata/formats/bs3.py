"""SLAYER .bs3: 56-bit events without a header, for sensors that N-MNIST's 40 bits do not hold.

An event is seven bytes, big-endian: x 12 bits, y 12, channel 8 (0 is OFF, 1 is ON; others are refused), time 24 (us).
There are no markers: a recording ends before 2^24 us.

Source: the docstrings of slayerPytorch's `spikeFileIO.read3Dspikes` and `encode3Dspikes` (whose encoder loses the
upper bits of y; here they are written).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, BlockRecording, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.formats.bs1 import TRUNCATED
from neurodata.formats.bs1 import explain as explain_truncated
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

EVENT_BYTES = 7
LAST_TIME_US = (1 << 24) - 1
EXTENSION = ".bs3"
FEWEST_TO_TELL = 20
# N-MNIST, DVS128, DAVIS240, DAVIS346, 640x480, 1280x720, and all that 12 bits can address.
SENSORS = tuple(
    Sensor(*size) for size in ((34, 34), (128, 128), (240, 180), (346, 260), (640, 480), (1280, 720), (4096, 4096))
)


def sniff(head: bytes, path: Path) -> str | None:
    """None for bytes that make sense as events: channels are 0 or 1, times go up, not all the same.

    A headerless file of a few events proves nothing; there the extension decides.
    """
    size_bytes = path.stat().st_size
    if size_bytes % EVENT_BYTES:
        return f"{size_bytes} bytes are not a multiple of {EVENT_BYTES}"
    records = np.frombuffer(head, np.uint8, len(head) // EVENT_BYTES * EVENT_BYTES).reshape(-1, EVENT_BYTES)
    if len(records) < FEWEST_TO_TELL and path.suffix.lower() != EXTENSION:
        return f"{len(records)} events are too few to tell without the extension {EXTENSION}"
    channel = int(records[:, 3].max(initial=0))
    if channel > 1:
        return f"a channel {channel}, neither 0 nor 1"
    t = reference(records).t
    if np.count_nonzero(np.diff(t) < 0) > 0.02 * len(t):
        return "times go back in more than one event of fifty"
    if len(records) > 1 and (records == records[0]).all():
        return "all events are the same"
    return None


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording. The container does not say which sensor it is from: state it where it is known.

    Otherwise it is the first of 34x34, 128x128, 240x180, 346x260, 640x480, 1280x720 and 4096x4096 that holds every
    event of this file. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the length of the file is not a multiple of 7, a channel is neither 0 nor 1, or an event lies off the
        stated sensor.
    """
    return open_blocks(path, "bs3", DECODING, 0, SENSORS if sensor is None else [sensor], keep)


STATE = np.dtype(CURSOR)
CHANNEL = 2


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of seven bytes each; see `Decoding`."""
    _decode(raw, state, *columns)


@kernel
def _decode(
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    room = min(len(t), len(raw) // EVENT_BYTES)
    n = 0
    while n < room and raw[EVENT_BYTES * n + 3] < 2:
        n += 1
    for i in range(n):
        k = EVENT_BYTES * i
        t[i] = np.int64(raw[k + 4]) << 16 | np.int64(raw[k + 5]) << 8 | np.int64(raw[k + 6])
        middle = np.uint16(raw[k + 1])
        x[i] = np.uint16(raw[k]) << np.uint16(4) | middle >> np.uint16(4)
        y[i] = (middle & np.uint16(15)) << np.uint16(8) | np.uint16(raw[k + 2])
        p[i] = raw[k + 3]
    if n < room:
        s.damage = CHANNEL
    elif n < len(t) and 0 < s.bytes_left - EVENT_BYTES * n < EVENT_BYTES:
        s.damage = TRUNCATED
    s.position = EVENT_BYTES * n
    s.n_events = n


def reference(records: NDArray[np.uint8]) -> Columns:
    """The events of records, uint8 [n, 7], whose channels are 0 or 1."""
    first, second, third, channel, high, middle, low = records.T.astype(np.int64)
    x, y = first << 4 | second >> 4, (second & 15) << 8 | third
    return Columns(high << 16 | middle << 8 | low, x.astype(np.uint16), y.astype(np.uint16), channel == 1)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """A channel that is no polarity, or a file that ends within an event."""
    if state["damage"][0] == CHANNEL:
        return f"channel {raw[3]}; events have 0 (OFF) and 1 (ON): the file is damaged, or of another format"
    return explain_truncated(raw, offset, state, EVENT_BYTES)


DECODING = Decoding(decode=decode, state=STATE, event_bytes=EVENT_BYTES, explain=explain, counted={})


def write_file(events: Stream, path: Path) -> None:
    """All events.

    Raises
    ------
    FormatError
        When a time is negative or from 2^24 us on, or a coordinate needs more than 12 bits.
    """
    require_times(events, path, ".bs3", LAST_TIME_US)
    write_parts(path, b"", map(_records, pieces(events, path, ".bs3", 12)))


def _records(events: EventArray) -> bytes:
    t, x, y = events.t, events.x, events.y
    columns = [x >> 4, (x & 15) << 4 | y >> 8, y & 0xFF, events.p, t >> 16, t >> 8 & 0xFF, t & 0xFF]
    return np.stack([column.astype(np.uint8) for column in columns], axis=1).tobytes()


FORMAT = Format(
    name="bs3",
    version=1,
    title="SLAYER .bs3: 56-bit events of large sensors",
    extensions=(EXTENSION,),
    sniff=sniff,
    open=open_file,
    write=write_file,
    tells_sensor=False,
)
