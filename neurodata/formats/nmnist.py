"""N-MNIST .bin (ATIS): 40-bit events without a header; the form of N-MNIST, N-Caltech101 and SLAYER's .bs2.

An event is five bytes, big-endian: x 8 bits, y 8, polarity 1, time 23 (us). One with y = 240 is a marker: it and
all that follow are 2^13 us later. Source: Orchard et al., "Converting static image datasets to spiking
neuromorphic datasets using saccades", Front. Neurosci. 9:437, 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import CURSOR, BlockRecording, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.formats.bs1 import are_neurons
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

EVENT_BYTES = 5
MARKER_Y = 240
MARKER_US = 1 << 13
TIME_BITS = 23
LAST_TIME_US = (1 << 36) - 1  # 19 hours: a marker every 8 ms makes 42 MB of them

EXTENSIONS = (".bin", ".bs2")
# N-MNIST, DVS128, N-Caltech101 (240x180), and all that 8 bits can address.
SENSORS = (Sensor(34, 34), Sensor(128, 128), Sensor(240, 180), Sensor(256, 256))


def sniff(head: bytes, path: Path) -> str | None:
    """None for bytes that make sense as events: times go up, rows are below 240, not all the same.

    A headerless file of a few events proves nothing, and .bs1 is laid out alike; there the extension decides.
    """
    size_bytes = path.stat().st_size
    if size_bytes % EVENT_BYTES:
        return f"{size_bytes} bytes are not a multiple of {EVENT_BYTES}"
    records = np.frombuffer(head, np.uint8, len(head) // EVENT_BYTES * EVENT_BYTES).reshape(-1, EVENT_BYTES)
    if len(records) < 20 and path.suffix.lower() not in EXTENSIONS:
        return f"{len(records)} events are too few to tell without the extension {' or '.join(EXTENSIONS)}"
    events = reference(records, 0)
    if len(records) and events.y.max(initial=0) > MARKER_Y:
        return f"a row {events.y.max()}, above the {MARKER_Y} of the marker"
    if np.count_nonzero(np.diff(events.t) < 0) > 0.02 * len(events.t):
        return "times go back in more than one event of fifty"
    if len(records) > 1 and (records == records[0]).all():
        return "all events are the same"
    if path.suffix.lower() not in EXTENSIONS and are_neurons(records):
        return "looks like events of numbered neurons"
    return None


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording. The container does not say which sensor it is from: state it where it is known.

    Otherwise it is the first of 34x34 (N-MNIST), 128x128 (DVS128), 240x180 (N-Caltech101) and 256x256 that
    holds every event of this file. `findings` counts "overflow markers", which are no events, and events
    whose time goes back ("late").

    Raises
    ------
    FormatError
        When the length of the file is not a multiple of 5, or an event lies off the stated sensor.
    """
    return open_blocks(path, "nmnist", DECODING, 0, SENSORS if sensor is None else [sensor], keep)


STATE = np.dtype([*CURSOR, ("markers", "<i8")])
TRUNCATED = 1


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of five bytes each; see `Decoding`."""
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
    at = 0
    n = 0
    while True:
        m = min(len(t) - n, (len(raw) - at) // EVENT_BYTES)  # all fit, and markers leave room for more
        if m == 0:
            break
        records = raw[at : at + EVENT_BYTES * m]
        n_markers = _count_markers(records)
        if n_markers:
            _unpack_between_markers(records, s.markers, t[n:], x[n:], y[n:], p[n:])
        else:
            _unpack(records, MARKER_US * s.markers, t[n:], x[n:], y[n:], p[n:])
        s.markers += n_markers
        n += m - n_markers
        at += EVENT_BYTES * m
    if 0 < s.bytes_left - at < EVENT_BYTES:
        s.damage = TRUNCATED
    s.position = at
    s.n_events = n


@kernel
def _count_markers(records: NDArray[np.uint8]) -> int:
    n = 0
    for i in range(len(records) // EVENT_BYTES):
        n += records[EVENT_BYTES * i + 1] == MARKER_Y
    return n


@kernel
def _unpack(
    records: NDArray[np.uint8],
    base_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    """Records without a marker: what `_unpack_between_markers` does, free of the order that keeps it from SIMD."""
    for i in range(len(records) // EVENT_BYTES):
        k = EVENT_BYTES * i
        high, middle, low = np.int64(records[k + 2]), np.int64(records[k + 3]), np.int64(records[k + 4])
        t[i] = base_us + ((high & 0x7F) << 16 | middle << 8 | low)
        x[i] = records[k]
        y[i] = records[k + 1]
        p[i] = high >> 7


@kernel
def _unpack_between_markers(
    records: NDArray[np.uint8],
    markers: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    n = 0
    for i in range(len(records) // EVENT_BYTES):
        k = EVENT_BYTES * i
        if records[k + 1] == MARKER_Y:
            markers += 1
            continue
        high, middle, low = np.int64(records[k + 2]), np.int64(records[k + 3]), np.int64(records[k + 4])
        t[n] = MARKER_US * markers + ((high & 0x7F) << 16 | middle << 8 | low)
        x[n] = records[k]
        y[n] = records[k + 1]
        p[n] = high >> 7
        n += 1


def reference(records: NDArray[np.uint8], markers: int) -> Columns:
    """The events among records, uint8 [n, 5], that come after so many markers."""
    x, y, high, middle, low = records.T.astype(np.int64)
    t = MARKER_US * (markers + np.cumsum(y == MARKER_Y)) + ((high & 0x7F) << 16 | middle << 8 | low)
    is_event = y != MARKER_Y
    return Columns(t[is_event], x[is_event].astype(np.uint16), y[is_event].astype(np.uint16), high[is_event] > 0x7F)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """The only damage that shows: a file that ends within an event."""
    return (
        f"{len(raw)} bytes are left where an event needs {EVENT_BYTES}; "
        "the file is truncated or of another format: get it again"
    )


DECODING = Decoding(
    decode=decode, state=STATE, event_bytes=EVENT_BYTES, explain=explain, counted={"overflow markers": "markers"}
)


def write_file(events: Stream, path: Path) -> None:
    """All events, with a marker wherever the time leaves the 23 bits that the markers before it allow.

    Raises
    ------
    FormatError
        When a time is negative or from 2^36 us on, a coordinate needs more than 8 bits, or a row is 240.
    """
    require_times(events, path, "N-MNIST", LAST_TIME_US)
    write_parts(path, b"", _records(pieces(events, path, "N-MNIST", 8), path))


def _records(parts: Iterator[EventArray], path: Path) -> Iterator[bytes]:
    """Events and markers of each part."""
    markers = 0
    for events in parts:
        if (events.y == MARKER_Y).any():
            raise FormatError(f"{path}: an event in row {MARKER_Y} would read as an overflow marker: crop the sensor")
        # Smallest number of markers that leaves 23 bits; times go up, so it does too.
        needed = np.maximum(markers, -(-(events.t - ((1 << TIME_BITS) - 1)) // MARKER_US))
        time = events.t - MARKER_US * needed
        records = np.zeros((len(events) + int(needed[-1]) - markers, EVENT_BYTES), np.uint8)
        records[:, 1] = MARKER_Y
        records[np.arange(len(events)) + needed - markers] = np.stack(
            [events.x, events.y, events.p.astype(np.int64) << 7 | time >> 16, time >> 8 & 0xFF, time & 0xFF], axis=1
        ).astype(np.uint8)
        markers = int(needed[-1])
        yield records.tobytes()


FORMAT = Format(
    name="nmnist",
    version=1,
    title="N-MNIST .bin: 40-bit events of N-MNIST, N-Caltech101 and SLAYER .bs2",
    extensions=EXTENSIONS,
    sniff=sniff,
    open=open_file,
    write=write_file,
    tells_sensor=False,
)
