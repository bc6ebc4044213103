"""AEDAT 3.1 packets of polarity events: bytes to events, and events to bytes.

A packet is a header of 28 bytes (`PACKET_HEADER`) and room for `capacity` events, of which the first
`number` are used. A polarity event is two little-endian words of 32 bits: bit 0 valid, bit 1 polarity,
bits 2-16 y, bits 17-31 x; then 31 bits of time in us, to which the packet's overflow adds bits 31 and up.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.kernel import kernel
from neurodata.signals import EventArray

# type, source: u16; bytes of an event, offset of the time in it, overflow, capacity, number, valid: u32
PACKET_HEADER = struct.Struct("<HHIIIIII")
POLARITY = 1  # type of packet
COMPRESSED = 0x8000  # flag in the type
EVENT_BYTES = 8
LAST_OVERFLOW = 2**31 - 1  # times stay below 2^62
# Shifts of 32-bit words by Python's integers would widen them to 64 bits in a kernel.
U1, U2, U17, U31, Y_MASK = np.uint32(1), np.uint32(2), np.uint32(17), np.uint32(31), np.uint32(0x7FFF)

STATE = np.dtype(
    [
        *CURSOR,
        ("in_packets", "<i8"),  # polarity packets begun
        ("source", "<i8"),  # of the first of them
        ("slots_left", "<i8"),  # events of the current packet still to come
        ("skip_bytes", "<i8"),  # unused capacity after them
        ("base_us", "<i8"),
        ("invalid", "<i8"),
        ("other_packets", "<i8"),
    ]
)
BAD_HEADER, BAD_TIME = 1, 2  # damage
GET_AGAIN = "the file is truncated or damaged: get it again"


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns) -> None:
    """Events of whole or partial packets; see `Decoding`."""
    _decode(np.frombuffer(raw, "<u4", len(raw) // 4), state, *columns)


@kernel
def _decode(
    words: NDArray[np.uint32],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    s = state[0]
    at = 0  # bytes
    n = 0
    while n < len(t):
        if s.slots_left == 0:
            at += s.skip_bytes
            s.skip_bytes = 0
            left = s.bytes_left - at
            # A packet of odd size puts the next one off the grid of words: the next call begins on it.
            if left == 0 or at % 4 or (left >= 28 and at + 28 > 4 * len(words)):
                break
            if left < 28:
                s.damage = BAD_HEADER
                break
            i = at // 4
            kind, source = np.int64(words[i] & 0xFFFF), np.int64(words[i] >> 16)
            size, overflow = np.int64(words[i + 1]), np.int64(words[i + 3])
            capacity, number, valid = np.int64(words[i + 4]), np.int64(words[i + 5]), np.int64(words[i + 6])
            is_sound = size > 0 and valid <= number <= capacity <= (left - 28) // size and kind < COMPRESSED
            if kind == POLARITY:
                is_sound = is_sound and size == EVENT_BYTES and overflow <= LAST_OVERFLOW
                is_sound = is_sound and (s.in_packets == 0 or source == s.source)
            if not is_sound:
                s.damage = BAD_HEADER
                break
            at += 28
            if kind != POLARITY:
                s.skip_bytes = size * capacity
                s.other_packets += 1
                continue
            s.in_packets += 1
            s.source = source
            s.slots_left = number
            s.skip_bytes = EVENT_BYTES * (capacity - number)
            s.base_us = overflow << 31
        m = min(s.slots_left, (4 * len(words) - at) // EVENT_BYTES, len(t) - n)
        if m == 0 and s.slots_left:
            break
        body = words[at // 4 : at // 4 + 2 * m]
        if _is_plain(body):
            _unpack(body, s.base_us, t[n:], x[n:], y[n:], p[n:])
            n_valid = m
        else:
            n_valid = _unpack_valid(body, s.base_us, t[n:], x[n:], y[n:], p[n:])
        if n_valid < 0:
            s.damage = BAD_TIME
            break
        n += n_valid
        s.invalid += m - n_valid
        s.slots_left -= m
        at += EVENT_BYTES * m
    s.position = at
    s.n_events = n


@kernel
def _is_plain(body: NDArray[np.uint32]) -> bool:
    """Whether all events of a body, u32 [2 n], are valid and all times have 31 bits."""
    events, times = np.uint32(1), np.uint32(0)
    for i in range(len(body) // 2):
        events &= body[2 * i]
        times |= body[2 * i + 1]
    return bool(events == 1 and times >> 31 == 0)


@kernel
def _unpack(
    body: NDArray[np.uint32],
    base_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> None:
    """All events of a plain body: what `_unpack_valid` does, free of the order that keeps it from SIMD."""
    for i in range(len(body) // 2):
        event, time = body[2 * i], body[2 * i + 1]
        t[i] = base_us + time
        x[i] = event >> U17
        y[i] = (event >> U2) & Y_MASK
        p[i] = (event >> U1) & U1


@kernel
def _unpack_valid(
    body: NDArray[np.uint32],
    base_us: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
) -> int:
    """The valid events of a body; returns how many, or -1 when one has a time of more than 31 bits."""
    n = 0
    for i in range(len(body) // 2):
        event, time = body[2 * i], body[2 * i + 1]
        if event & U1:
            if time >> U31:
                return -1
            t[n] = base_us + time
            x[n] = event >> U17
            y[n] = (event >> U2) & Y_MASK
            p[n] = (event >> U1) & U1
            n += 1
    return n


def reference(words: NDArray[np.uint32], base_us: int) -> Columns:
    """The valid events of one polarity packet's body, u32 [2 n]."""
    event, time = words[0::2], words[1::2]
    is_valid = event & 1 == 1
    event, time = event[is_valid], time[is_valid]
    return Columns(
        base_us + time.astype(np.int64),
        (event >> 17).astype(np.uint16),
        ((event >> 2) & 0x7FFF).astype(np.uint16),
        (event >> 1) & 1 == 1,
    )


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any]) -> str:
    """What is wrong with the packet header, or with a time, at the beginning of raw."""
    if state["damage"][0] == BAD_TIME:
        words = np.frombuffer(raw, "<u4", len(raw) // EVENT_BYTES * 2)
        k = int(np.argmax((words[1::2] >> 31) & words[0::2] & 1))
        at = offset + EVENT_BYTES * k
        return f"event at byte {at} has the time {words[2 * k + 1]}, expected 31 bits; {GET_AGAIN}"
    left = int(state["bytes_left"][0] - state["position"][0])
    if left < PACKET_HEADER.size:
        return f"{left} bytes left where a packet header needs {PACKET_HEADER.size}; {GET_AGAIN}"
    kind, source, size, _, overflow, capacity, number, valid = PACKET_HEADER.unpack(raw[: PACKET_HEADER.size].tobytes())
    left -= PACKET_HEADER.size
    if kind >= COMPRESSED:
        return f"packet of type {kind:#x} is compressed; only plain packets are read: save the recording as RAW"
    if size == 0 or (kind == POLARITY and size != EVENT_BYTES):
        return f"packet of type {kind} says {size} bytes an event, a polarity event has {EVENT_BYTES}; {GET_AGAIN}"
    if not valid <= number <= capacity:
        return f"packet says {valid} valid of {number} events, capacity {capacity}: they must not go down; {GET_AGAIN}"
    if capacity * size > left:
        return f"packet says {capacity * size} bytes but the file ends after {left}; {GET_AGAIN}"
    if overflow > LAST_OVERFLOW:
        return f"packet says that its time overflowed {overflow} times, expected at most {LAST_OVERFLOW}; {GET_AGAIN}"
    return (
        f"polarity events of source {source} after those of source {state['source'][0]}: "
        "a recording of two cameras; write each to a file of its own"
    )


DECODING = Decoding(
    decode=decode,
    state=STATE,
    event_bytes=EVENT_BYTES,
    explain=explain,
    counted={"invalid": "invalid", "packets of other types": "other_packets"},
)


def packet(events: EventArray, source: int) -> bytes:
    """One packet of events, all valid and within the same 2^31 us."""
    n = len(events)
    header = PACKET_HEADER.pack(POLARITY, source, EVENT_BYTES, 4, int(events.t[0]) >> 31, n, n, n)
    x, y, p = (column.astype(np.uint32) for column in (events.x, events.y, events.p))
    words = np.empty((n, 2), "<u4")  # [n, (event, time)]
    words[:, 0] = x << 17 | y << 2 | p << 1 | 1
    words[:, 1] = events.t & 0x7FFFFFFF
    return header + words.tobytes()
