"""AEDAT 4 packets: finding them, and from the bytes of one to its events and back.

A packet is the number of its stream and its size in bytes (two i32), then a flatbuffer, compressed by itself. That of
an event packet holds a vector of structs of 16 bytes: time (i64, us), x, y (i16), polarity (u8), three unused.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.formats._flatbuffer import FlatbufferError, Table
from neurodata.formats._unpack import UnpackError, from_lz4, from_zstd, library
from neurodata.kernel import kernel
from neurodata.signals import EventArray

PACKET_HEADER = struct.Struct("<ii")
EVENT = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("on", "u1"), ("unused", "V3")])
EVENTS_TYPE = b"EVTS"
NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH = range(5)
U16 = np.uint32(16)  # a shift by Python's integer would widen a word in a kernel
LARGEST_PACKET_BYTES = 1 << 28  # when unpacked: 16 million events
EXTRA = "aedat"
GET_AGAIN = "the file is truncated or damaged: get it again"

STATE = np.dtype(CURSOR)
DAMAGED = 1


class PacketError(ValueError):
    """The content of a packet does not make sense."""


def decoding(compression: int) -> Decoding:
    """How one event packet, without its header, becomes events."""
    return Decoding(
        decode=partial(decode, compression=compression),
        state=STATE,
        event_bytes=EVENT.itemsize,
        explain=explain,
        counted={},
    )


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns, *, compression: int) -> None:
    """Events of one packet; see `Decoding`."""
    try:
        words = unpacked(raw, compression)
    except PacketError:
        state["damage"] = DAMAGED
        return
    state["n_events"] = len(words) // 4
    if len(words) == 4 * len(columns.t):
        fill(words, *columns)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """What is wrong with a packet that was sound when the file was opened."""
    return f"a damaged packet; {GET_AGAIN}"


def unpacked(raw: NDArray[np.uint8], compression: int) -> NDArray[np.uint32]:
    """The structs of one event packet as words [4 n], a view of its (unpacked) bytes where they are aligned."""
    body = _decompressed(raw, compression)
    try:
        at, n = Table(body, EVENTS_TYPE).vector(0, EVENT.itemsize)
    except FlatbufferError as error:
        raise PacketError(f"is no packet of events ({error})") from error
    words = np.frombuffer(body, "<u4", 4 * n, at)
    return words if words.flags.aligned else words.copy()


@kernel
def fill(
    words: NDArray[np.uint32],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    """Write the events of words [4 n] into columns of length n."""
    for i in range(len(t)):
        k = 4 * i
        t[i] = np.int64(words[k + 1]) << 32 | np.int64(words[k])
        x[i] = np.uint16(words[k + 2])
        y[i] = words[k + 2] >> U16
        p[i] = np.uint8(words[k + 3]) != 0


def reference(words: NDArray[np.uint32]) -> Columns:
    """What `fill` writes."""
    events = words.view(EVENT)
    return Columns(events["t"], events["x"], events["y"], events["on"] != 0)


def _decompressed(raw: NDArray[np.uint8], compression: int) -> bytes | memoryview:
    if compression == NONE:
        return raw.data
    unpack = from_lz4 if compression in (LZ4, LZ4_HIGH) else from_zstd
    try:
        return unpack(raw.data, LARGEST_PACKET_BYTES, EXTRA)
    except UnpackError as error:
        raise PacketError(str(error)) from error


def packet(events: EventArray, stream: int, compression: int) -> bytes:
    """One packet of events, compressed with LZ4 or not at all."""
    structs = np.zeros(len(events), EVENT)
    structs["t"], structs["x"], structs["y"], structs["on"] = events.t, events.x, events.y, events.p
    # Root offset, type, two bytes of padding, vtable, table: one field, the vector, which follows.
    head = struct.pack("<I4s2x3HiII", 16, EVENTS_TYPE, 6, 8, 4, 6, 4, len(events))
    body = struct.pack("<I", len(head) + structs.nbytes) + head + structs.tobytes()
    if compression == LZ4:
        body = library("lz4.frame", EXTRA).compress(body, store_size=False)
    return PACKET_HEADER.pack(stream, len(body)) + body
