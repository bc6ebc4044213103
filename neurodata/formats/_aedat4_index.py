"""The first pass over an AEDAT 4 file: every packet of events becomes a block of a `BlockRecording`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._aedat4_packets import (
    GET_AGAIN,
    PACKET_HEADER,
    STATE,
    PacketError,
    decoding,
    fill,
    unpacked,
)
from neurodata.formats._blocks import BLOCK, BlockRecording, Columns
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import survey
from neurodata.signals import LAST_TIME_US, Sensor

EXPECTED_EVENT_BYTES = 4  # on disk: events are rarely packed tighter, and room that stays unused costs nothing
COUNTED_AS = {"FRME": "frame packets", "IMUS": "IMU packets", "TRIG": "trigger packets"}


def index_packets(
    file: RecordingFile,
    first: int,
    stop: int,
    types: Mapping[int, str],
    compression: int,
    sensor: Sensor,
    keep: bool,
) -> BlockRecording:
    """Index and check the packets between two offsets of a file.

    Parameters
    ----------
    types
        Type of each stream, by its number: "EVTS" for events.
    keep
        Hold the events.

    Raises
    ------
    FormatError
        When a packet is damaged, an event lies off the sensor, or two streams hold events.
    """
    findings: Counter[str] = Counter()
    rows = []
    columns, n_kept = Columns.empty(0), 0
    stream_read: int | None = None
    latest_us = np.iinfo(np.int64).min
    buffer = np.empty(0, np.uint8)
    at = first
    while at < stop:
        stream, n_bytes = _packet_header(file, at, stop, types)
        body_at, at = at + PACKET_HEADER.size, at + PACKET_HEADER.size + n_bytes
        if types[stream] != "EVTS":
            findings[COUNTED_AS.get(types[stream], "packets of other types")] += 1
            continue
        if len(buffer) < n_bytes:
            buffer = np.empty(n_bytes, np.uint8)
        words = _words(file, body_at, buffer[:n_bytes], compression)
        if len(words) == 0:
            continue
        expected = (stop - first) // EXPECTED_EVENT_BYTES if keep else 0
        columns = columns.with_room(n_kept + len(words) // 4, n_kept, expected)
        here = columns.part(n_kept, n_kept + len(words) // 4)
        fill(words, *here)
        if stream_read not in (None, stream):
            raise FormatError(
                f"{file.path}: byte {body_at}: events of stream {stream} after those of stream {stream_read}: "
                "a recording of two cameras; write each to a file of its own"
            )
        stream_read = stream
        min_us, max_us, n_late, x_max, y_max = survey(here.t, here.x, here.y, latest_us)
        if x_max >= sensor.width or y_max >= sensor.height:
            raise _off_sensor(file, body_at, here, sensor)
        if min_us < -LAST_TIME_US - 1 or max_us > LAST_TIME_US:
            raise FormatError(
                f"{file.path}: byte {body_at}: times from {min_us} to {max_us} us in a packet, "
                f"expected -2^62 to 2^62 - 1; {GET_AGAIN}"
            )
        rows.append((body_at, n_bytes, len(here.t), min_us, max_us))
        findings["late"] += n_late
        latest_us = max(latest_us, max_us)
        n_kept += len(here.t) if keep else 0
    return BlockRecording(
        path=file.path,
        format="aedat4",
        sensor=sensor,
        findings=+findings,
        decoding=decoding(compression),
        fingerprint=file.fingerprint,
        blocks=np.array(rows, BLOCK),
        states=np.zeros(len(rows), STATE),
        held=columns.part(0, n_kept) if keep else None,
    )


def _packet_header(file: RecordingFile, at: int, stop: int, types: Mapping[int, str]) -> tuple[int, int]:
    """Stream and size of the packet at an offset."""
    head = file.read(min(PACKET_HEADER.size, stop - at), at)
    if len(head) < PACKET_HEADER.size:
        raise FormatError(
            f"{file.path}: byte {at}: {len(head)} bytes left where a packet header needs {PACKET_HEADER.size}; "
            f"{GET_AGAIN}"
        )
    stream, n_bytes = PACKET_HEADER.unpack(head)
    left = stop - at - PACKET_HEADER.size
    if not 0 <= n_bytes <= left:
        raise FormatError(
            f"{file.path}: byte {at}: packet says {n_bytes} bytes but {left} are left before byte {stop}; {GET_AGAIN}"
        )
    if stream not in types:
        known = ", ".join(map(str, types))
        raise FormatError(f"{file.path}: byte {at}: packet of stream {stream}, the header names {known}; {GET_AGAIN}")
    return stream, n_bytes


def _words(file: RecordingFile, at: int, buffer: NDArray[np.uint8], compression: int) -> NDArray[np.uint32]:
    try:
        return unpacked(file.read_into(buffer, at), compression)
    except PacketError as error:
        raise FormatError(f"{file.path}: byte {at}: the packet {error}; {GET_AGAIN}") from error


def _off_sensor(file: RecordingFile, at: int, columns: Columns, sensor: Sensor) -> FormatError:
    k = int(np.argmax((columns.x >= sensor.width) | (columns.y >= sensor.height)))
    return FormatError(
        f"{file.path}: byte {at}: event at x={columns.x[k]}, y={columns.y[k]} lies off the sensor {sensor}, "
        f"number {k} of the packet there; the file is damaged, or from another sensor: state it with sensor="
    )
