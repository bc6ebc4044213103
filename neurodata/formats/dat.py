"""DAT (.dat of Prophesee and ATIS cameras): decoded events of eight bytes each; the form of N-CARS and Gen1.

After a text header stand two bytes, the type of event (0 "2d", 12 "CD") and its size (8). An event is two
little-endian words of 32 bits: time in us; then, in version 2, x 14 bits (0-13), y 14 (14-27), polarity (bit 28),
in version 1, x 9 bits (0-8), y 8 (9-16), polarity (bit 17). Source: DAT file format,
https://docs.prophesee.ai/stable/data/file_formats/dat.html; version 1 as other readers have it. The specification
leaves open what follows 2^32 us (71 minutes): no wrap is guessed, such events are late.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import CURSOR, BlockRecording, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._prophesee import GET_AGAIN, parse_header, read_header, stated_sensor
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

EVENT_BYTES = 8
TYPES = {0: "2d", 12: "CD"}
BITS = {"1": (9, 8), "2": (14, 14)}  # of x and y, by version
U1 = np.uint32(1)  # in a kernel, Python's integers would widen 32-bit words to 64 bits


def sniff(head: bytes, path: Path) -> str | None:
    """None for a header with a version and no raw encoding, before events of a known type and size."""
    header = parse_header(head)
    if header.n_bytes == 0:
        return "does not begin with a header line '% key value'"
    if header.encoding is not None:
        return f"its header names the encoding {header.encoding}"
    if header.values.get("version") not in BITS:
        return "its header names neither version 1 nor 2"
    kind = head[header.n_bytes : header.n_bytes + 2]
    if len(kind) < 2 or kind[0] not in TYPES or kind[1] != EVENT_BYTES:
        return f"the bytes after its header are {kind.hex(' ')}, no type and size of CD events"
    return None


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording; the sensor is the one stated, else the header's `% Width` and `% Height`.

    Headers without them (N-CARS) are refused, because a guess from the coordinates would change the shape of
    frames from file to file. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the header is damaged, of another version or names no sensor, the events are of another type, the
        file ends within one, or one lies off the sensor.
    """
    with RecordingFile(path) as file:
        header = read_header(file)
        kind = file.read(2, header.n_bytes)
    version = header.values.get("version")
    if version not in BITS:
        raise FormatError(f"{path}: byte 0: the header says version {version}; DAT has the versions {', '.join(BITS)}")
    if len(kind) < 2 or kind[0] not in TYPES or kind[1] != EVENT_BYTES:
        raise FormatError(
            f"{path}: byte {header.n_bytes}: events of type and size {list(kind)}; "
            f"read are the types {TYPES} of {EVENT_BYTES} bytes: if it should be one, the file is damaged"
        )
    sensors = [sensor or stated_sensor(path, header)]
    return open_blocks(path, "dat", DECODINGS[version], header.n_bytes + 2, sensors, keep)


STATE = np.dtype(CURSOR)
TRUNCATED = 1


def decode(x_bits: int, y_bits: int, raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of eight bytes each; see `Decoding`."""
    n = min(len(raw) // EVENT_BYTES, len(columns.t))
    _unpack(np.frombuffer(raw, "<u4", 2 * n), np.uint32(x_bits), np.uint32(y_bits), *columns)
    state["position"] = EVENT_BYTES * n
    state["n_events"] = n
    if 0 < state["bytes_left"][0] - EVENT_BYTES * n < EVENT_BYTES:
        state["damage"] = TRUNCATED


@kernel
def _unpack(
    words: NDArray[np.uint32],
    x_bits: np.uint32,
    y_bits: np.uint32,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    x_mask, y_mask = (U1 << x_bits) - U1, (U1 << y_bits) - U1
    for i in range(len(words) // 2):
        address = words[2 * i + 1]
        t[i] = words[2 * i]
        x[i] = address & x_mask
        y[i] = (address >> x_bits) & y_mask
        p[i] = (address >> (x_bits + y_bits)) & U1


def reference(words: NDArray[np.uint32], x_bits: int, y_bits: int) -> Columns:
    """The events of words, u32 [2 n]."""
    address = words[1::2].astype(np.int64)
    x, y = address % (1 << x_bits), (address >> x_bits) % (1 << y_bits)
    p = (address >> (x_bits + y_bits)) % 2 == 1
    return Columns(words[0::2].astype(np.int64), x.astype(np.uint16), y.astype(np.uint16), p)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """The only damage that shows: a file that ends within an event."""
    return f"{len(raw)} bytes left where an event needs {EVENT_BYTES}; {GET_AGAIN}"


DECODINGS = {
    version: Decoding(decode=partial(decode, *bits), state=STATE, event_bytes=EVENT_BYTES, explain=explain, counted={})
    for version, bits in BITS.items()
}


def write_file(events: Stream, path: Path) -> None:
    """Version 2, events of type CD.

    Raises
    ------
    FormatError
        When a time is negative or from 2^32 us on, or a coordinate needs more than 14 bits.
    """
    require_times(events, path, "DAT", (1 << 32) - 1)
    sensor = events.sensor
    header = f"% Data file containing CD events\n% Version 2\n% Width {sensor.width}\n% Height {sensor.height}\n"
    kind = bytes([12, EVENT_BYTES])
    write_parts(path, header.encode() + kind, map(_records, pieces(events, path, "DAT", 14)))


def _records(events: EventArray) -> bytes:
    x, y, p = (column.astype(np.uint32) for column in (events.x, events.y, events.p))
    return np.stack([events.t.astype("<u4"), p << 28 | y << 14 | x], axis=1, dtype="<u4").tobytes()


FORMAT = Format(
    name="dat",
    version=1,
    title="DAT: decoded events of Prophesee and ATIS cameras, N-CARS, Gen1",
    extensions=(".dat",),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
