"""AEDAT 1.0 and 2.0 records: an address and a time in us, both big-endian; bytes to events, and events to bytes.

The bits of an address depend on the chip (`Layout`). The 32 bits of the time are unsigned and wrap: an event more
than 2^31 us before the one ahead of it comes after a wrap, one as much later comes from before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.formats._blocks import CURSOR, Columns, Decoding
from neurodata.kernel import kernel
from neurodata.signals import EventArray

CLOCK_US = 1 << 32
# Shifts of 32-bit words by Python's integers would widen them to 64 bits in a kernel.
U8, U24, MIDDLE = np.uint32(8), np.uint32(24), np.uint32(0xFF00)
HALF_CLOCK_US = 1 << 31


class Layout(NamedTuple):
    """Where an address has the coordinates: x = x_first + x_step * (address >> x_shift & x_mask), y likewise."""

    skip_mask: int  # a record with any of these bits is no event
    frame_bit: int  # the one of them that tells APS and IMU samples from external events; 0 where there are none
    x_shift: int
    x_mask: int
    x_first: int
    x_step: int
    y_shift: int
    y_mask: int
    y_first: int
    y_step: int
    p_shift: int
    on: int  # the polarity bit of ON


# The DVS128 numbers pixels from the lower right; both axes are turned, so that (0, 0) is at the top left.
DVS128 = Layout(0xFFFF8000, 0, 1, 0x7F, 127, -1, 8, 0x7F, 127, -1, 0, 0)
CIFAR10DVS = DVS128._replace(x_shift=8, y_shift=1)
# Channel, from the high frequencies on, and ear. A record with other bits is a tick every 2^15 us, or of the ADC.
COCHLEA_LP = Layout(0xFFFFFF00, 0, 2, 0x3F, 0, 1, 1, 1, 0, 1, 0, 0)


def davis(width: int, height: int) -> Layout:
    """Addresses of a DAVIS, whose pixel (0, 0) is at the lower right: both axes are turned."""
    return Layout(0x80000400, 0x80000000, 12, 0x3FF, width - 1, -1, 22, 0x1FF, height - 1, -1, 11, 1)


STATE = np.dtype(
    [
        *CURSOR,
        ("previous", "<i8"),  # 32-bit time of the last event
        ("wraps", "<i8"),
        ("external", "<i8"),
        ("aps", "<i8"),
        ("imu", "<i8"),
    ]
)
TRUNCATED = 1
COUNTED: Mapping[str, str] = {
    "clock wraps": "wraps",
    "external events": "external",
    "APS samples": "aps",
    "IMU samples": "imu",
}


def decoding(layout: Layout, record_bytes: int) -> Decoding:
    """How records of 6 bytes (AEDAT 1.0) or 8 (AEDAT 2.0) become events."""
    return Decoding(
        decode=partial(decode, layout=layout, record_bytes=record_bytes),
        state=STATE,
        event_bytes=record_bytes,
        explain=partial(explain, record_bytes=record_bytes),
        counted=COUNTED,
    )


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns, *, layout: Layout, record_bytes: int) -> None:
    """Events of whole records; see `Decoding`."""
    words = _words(raw[: len(raw) // record_bytes * record_bytes], record_bytes)
    _decode(words, state, *columns, layout)
    state["position"] *= record_bytes
    if 0 < state["bytes_left"][0] - state["position"][0] < record_bytes:
        state["damage"] = TRUNCATED


def _words(raw: NDArray[np.uint8], record_bytes: int) -> NDArray[np.uint32]:
    """Whole records as words [n, (address, time)], still big-endian: a view where the address has four bytes."""
    if record_bytes == 8:
        return raw.view("<u4").reshape(-1, 2)
    wide = np.zeros((len(raw) // record_bytes, 8), np.uint8)
    wide[:, 8 - record_bytes :] = raw.reshape(-1, record_bytes)
    return wide.view("<u4")


@kernel
def _swapped(word: np.uint32) -> np.int64:
    """The number that a big-endian word stands for."""
    return np.int64(np.uint32(word >> U24 | (word >> U8 & MIDDLE) | (word & MIDDLE) << U8 | word << U24))


@kernel
def _decode(
    words: NDArray[np.uint32],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    layout: Layout,
) -> None:
    """Events of words [n, 2], big-endian; `position` is in records."""
    s = state[0]
    at = 0
    n = 0
    while True:
        m = min(len(t) - n, len(words) - at)  # all fit, and other records leave room for more
        if m == 0:
            break
        body = words[at : at + m]
        if s.wraps == 0 and _is_plain(body, s.previous, layout.skip_mask):
            _unpack(body, t[n:], x[n:], y[n:], p[n:], layout)
            s.previous = _swapped(body[m - 1, 1])
            n += m
        else:
            n += _unpack_events(body, state, t[n:], x[n:], y[n:], p[n:], layout)
        at += m
    s.position = at
    s.n_events = n


@kernel
def _is_plain(body: NDArray[np.uint32], previous: int, skip_mask: int) -> bool:
    """Whether all records of a body are events, and none is earlier than the one before it."""
    bits = np.uint32(0)
    steps_back = _swapped(body[0, 1]) < previous
    for i in range(len(body)):
        bits |= body[i, 0]
    for i in range(1, len(body)):
        steps_back |= _swapped(body[i, 1]) < _swapped(body[i - 1, 1])
    return _swapped(bits) & skip_mask == 0 and not steps_back


@kernel
def _unpack(
    body: NDArray[np.uint32],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    layout: Layout,
) -> None:
    """A plain body before the first wrap: what `_unpack_events` does, free of the order that keeps it from SIMD."""
    for i in range(len(body)):
        address = _swapped(body[i, 0])
        t[i] = _swapped(body[i, 1])
        x[i] = layout.x_first + layout.x_step * (address >> layout.x_shift & layout.x_mask)
        y[i] = layout.y_first + layout.y_step * (address >> layout.y_shift & layout.y_mask)
        p[i] = (address >> layout.p_shift & 1) == layout.on


@kernel
def _unpack_events(
    body: NDArray[np.uint32],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    layout: Layout,
) -> int:
    """The events of a body; returns how many, and counts wraps and other records in state."""
    s = state[0]
    n = 0
    for i in range(len(body)):
        address, time = _swapped(body[i, 0]), _swapped(body[i, 1])
        if address & layout.skip_mask:
            if address & layout.frame_bit == 0:
                s.external += 1
            elif address >> 10 & 3 == 3:
                s.imu += 1
            else:
                s.aps += 1
            continue
        if s.previous - time > HALF_CLOCK_US:
            s.wraps += 1
        elif time - s.previous > HALF_CLOCK_US and s.wraps > 0:
            s.wraps -= 1
        s.previous = time
        t[n] = CLOCK_US * s.wraps + time
        x[n] = layout.x_first + layout.x_step * (address >> layout.x_shift & layout.x_mask)
        y[n] = layout.y_first + layout.y_step * (address >> layout.y_shift & layout.y_mask)
        p[n] = (address >> layout.p_shift & 1) == layout.on
        n += 1
    return n


def reference(words: NDArray[np.uint32], layout: Layout) -> Columns:
    """The events among records, u32 [n, (address, time)]."""
    a, t = words[words[:, 0] & np.uint32(layout.skip_mask) == 0].astype(np.int64).T
    wraps = 0
    for i in range(1, len(t)):
        step_us = t[i] + CLOCK_US * wraps - t[i - 1]
        wraps += -1 if step_us > HALF_CLOCK_US and wraps else int(step_us < -HALF_CLOCK_US)
        t[i] += CLOCK_US * wraps
    x = layout.x_first + layout.x_step * (a >> layout.x_shift & layout.x_mask)
    y = layout.y_first + layout.y_step * (a >> layout.y_shift & layout.y_mask)
    return Columns(t, x.astype(np.uint16), y.astype(np.uint16), (a >> layout.p_shift & 1) == layout.on)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any], *, record_bytes: int) -> str:
    """The only damage that shows: a file that ends within a record."""
    return (
        f"{len(raw)} bytes are left where a record needs {record_bytes}; the file is truncated or damaged: get it again"
    )


def records(events: EventArray) -> bytes:
    """AEDAT 2.0 records of events of a DVS128."""
    words = np.empty((len(events), 2), ">u4")  # [n, (address, time)]
    x, y = events.x.astype(np.int64), events.y.astype(np.int64)
    words[:, 0] = (127 - y) << 8 | (127 - x) << 1 | ~events.p
    words[:, 1] = events.t & 0xFFFFFFFF
    return words.tobytes()
