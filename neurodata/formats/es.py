"""Event Stream .es, version 2: DVS events, and the change detections of ATIS events, with times as steps.

After "Event Stream", three bytes of version, the type of stream, and width and height (u16) follow bytes in idle
state: a reset (skipped), overflows (the next event is 127 us later each; ATIS: 63 us times the lowest two bits),
or the first of the five bytes of an event: step in us and polarity, x (u16), y (u16); all little-endian. The
first event's step is from time 0.

Source: https://github.com/neuromorphic-paris/event_stream (README). It does not say which corner is the origin,
and writers differ: faery takes the lower left one and turns the rows when it reads; here they are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import CURSOR, BlockRecording, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, write_parts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

MAGIC = b"Event Stream"
HEADER = struct.Struct("<12s4B2H")  # magic, version, type of stream, width, height
GENERIC, DVS, ATIS, DISPLAY, COLOR = range(5)
NAMES = ("generic", "dvs", "atis", "display", "color")
EVENT_BYTES = 5
LONGEST_STEP_US = 2**33  # 2.4 hours: 68 MB of overflows


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with the magic words."""
    return None if head.startswith(MAGIC) else f"does not begin with {MAGIC.decode()!r}"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording; coordinates are kept as they stand in the file, times count from the first step's start.

    `findings` counts "resets", and of ATIS streams "exposure measurements", which are no events.

    Raises
    ------
    FormatError
        When the file is truncated, of another version than 2, or a stream of generic, display or color
        events, or an event lies off the sensor.
    """
    with RecordingFile(path) as file:
        head = file.read(HEADER.size)
    kind, width, height = _fields(path, head)
    if sensor is None:
        if width == 0 or height == 0:
            raise FormatError(f"{path}: byte 16: sensor of {width}x{height} pixels; the file is damaged: get it again")
        sensor = Sensor(width, height)
    return open_blocks(path, "es", DVS_DECODING if kind == DVS else ATIS_DECODING, HEADER.size, [sensor], keep)


def _fields(path: Path, head: bytes) -> tuple[int, int, int]:
    """Type of stream, width and height."""
    if (reason := sniff(head, path)) is not None:
        raise FormatError(f"{path}: byte 0: {reason}, so it is no Event Stream")
    if len(head) > 12 and head[12] != 2:
        raise FormatError(f"{path}: byte 12: Event Stream of version {head[12]}; only version 2 is read: convert it")
    if len(head) > 15 and head[15] not in (DVS, ATIS):
        name = NAMES[head[15]] if head[15] < len(NAMES) else "unknown"
        raise FormatError(
            f"{path}: byte 15: a stream of type {head[15]} ({name}) holds no change detections; "
            f"read are {DVS} (dvs) and {ATIS} (atis)"
        )
    if len(head) < HEADER.size:
        raise FormatError(
            f"{path}: {len(head)} bytes where the header has {HEADER.size}; the file is truncated: get it again"
        )
    _, _, _, _, kind, width, height = HEADER.unpack(head)
    return kind, width, height


STATE = np.dtype([*CURSOR, ("time_us", "<i8"), ("resets", "<i8"), ("exposures", "<i8")])
TRUNCATED = 1


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns, *, flag_bits: int) -> None:
    """Events of a stream whose first bytes have so many bits beside the step (DVS 1, ATIS 2); see `Decoding`."""
    _decode(raw, state, *columns, flag_bits)


@kernel
def _decode(
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    flag_bits: int,
) -> None:
    s = state[0]
    time_us = s.time_us
    overflow_us = (1 << (8 - flag_bits)) - 1  # the step that no event has
    n_flags = 1 << flag_bits
    at = 0
    n = 0
    while n < len(t) and at < len(raw):
        first = np.int64(raw[at])
        if first >> flag_bits == overflow_us:
            # The lowest of these bytes is the reset; of a DVS stream the other one is a single overflow.
            n_overflows = first & (n_flags - 1)
            time_us += overflow_us * n_overflows
            s.resets += n_overflows == 0
            at += 1
            continue
        if at + EVENT_BYTES > len(raw):
            if s.bytes_left - at < EVENT_BYTES:
                s.damage = TRUNCATED
            break
        time_us += first >> flag_bits
        if flag_bits == 2 and first & 1:
            s.exposures += 1
        else:
            t[n] = time_us
            x[n] = np.uint16(raw[at + 1]) | np.uint16(raw[at + 2]) << np.uint16(8)
            y[n] = np.uint16(raw[at + 3]) | np.uint16(raw[at + 4]) << np.uint16(8)
            p[n] = first >> (flag_bits - 1) & 1
            n += 1
        at += EVENT_BYTES
    s.time_us = time_us
    s.position = at
    s.n_events = n


def reference(firsts: NDArray[np.uint8], flag_bits: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Times and polarities of all events, exposure measurements left out, from the bytes read in idle state."""
    overflow_us = (1 << 8 - flag_bits) - 1
    steps, flags = (firsts >> flag_bits).astype(np.int64), firsts & (1 << flag_bits) - 1
    is_event = steps < overflow_us
    t = np.cumsum(np.where(is_event, steps, overflow_us * flags.astype(np.int64)))
    is_change = is_event & ((flag_bits == 1) | (flags & 1 == 0))
    return t[is_change], (flags >> flag_bits - 1)[is_change] == 1


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """The only damage that shows: a file that ends within an event."""
    return f"{len(raw)} bytes are left where an event needs {EVENT_BYTES}; the file is truncated: get it again"


DVS_DECODING = Decoding(
    decode=partial(decode, flag_bits=1),
    state=STATE,
    event_bytes=EVENT_BYTES,
    explain=explain,
    counted={"resets": "resets"},
)
ATIS_DECODING = Decoding(
    decode=partial(decode, flag_bits=2),
    state=STATE,
    event_bytes=EVENT_BYTES,
    explain=explain,
    counted={"resets": "resets", "exposure measurements": "exposures"},
)


def write_file(events: Stream, path: Path) -> None:
    """A stream of DVS events, version 2.0.0.

    Raises
    ------
    FormatError
        When the sensor has 65536 columns or rows, a time is negative, or a step is longer than 2^33 us.
    """
    if max(events.sensor.width, events.sensor.height) > 65535:
        raise FormatError(f"{path}: the sensor is {events.sensor}; Event Stream holds at most 65535: crop the events")
    if events.start_us < 0:
        raise _not_held(events, path, 0)
    header = HEADER.pack(MAGIC, 2, 0, 0, DVS, events.sensor.width, events.sensor.height)
    write_parts(path, header, _parts(events, path))


def _parts(events: Stream, path: Path) -> Iterator[bytes]:
    """The stream of each piece."""
    before_us = 0
    for piece in pieces(events, path, "Event Stream"):
        steps_us = np.diff(piece.t, prepend=before_us)  # [n]
        if steps_us.max() > LONGEST_STEP_US:
            raise _not_held(events, path, int(steps_us.max()))
        before_us = int(piece.t[-1])
        # Where events are rare their overflows fill memory: no part has those of much more than one long step.
        bounds = np.flatnonzero(np.diff((np.cumsum(steps_us) - steps_us) // LONGEST_STEP_US)) + 1
        for first, last in pairwise([0, *bounds.tolist(), len(piece)]):
            yield _stream(piece[first:last], steps_us[first:last])


def _not_held(events: Stream, path: Path, step_us: int) -> FormatError:
    return FormatError(
        f"{path}: times begin at {events.start_us} us, the longest step is {step_us} us; "
        f"Event Stream begins at 0 or later, with steps of at most {LONGEST_STEP_US}: shift them"
    )


def _stream(events: EventArray, steps_us: NDArray[np.int64]) -> bytes:
    """Overflows and the five bytes of each event."""
    n_overflows, rest_us = np.divmod(steps_us, 127)
    stops = np.cumsum(n_overflows + EVENT_BYTES)
    stream = np.full(int(stops[-1]), 0xFF, np.uint8)
    firsts = stops - EVENT_BYTES
    stream[firsts] = rest_us << 1 | events.p
    for column, at in ((events.x, 1), (events.y, 3)):
        stream[firsts + at] = column & 0xFF
        stream[firsts + at + 1] = column >> 8
    return stream.tobytes()


FORMAT = Format(
    name="es",
    version=1,
    title="Event Stream .es: DVS and ATIS recordings (version 2)",
    extensions=(".es",),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
