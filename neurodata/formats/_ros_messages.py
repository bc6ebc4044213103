"""Messages of events in ROS: from the bytes of one, as ROS 1 or CDR (ROS 2) lay them out, to events.

`dvs_msgs/EventArray` and `prophesee_event_msgs/EventArray` list events one by one, each with the seconds and
nanoseconds of its own time: ROS time, since 1970 unless the driver says otherwise. They are kept, in microseconds.

`event_camera_msgs/EventPacket` (once `event_array_msgs/EventArray`) holds bytes in an encoding that it names:

- evt3: words of EVT 3.0 as the camera gave them, state running on from message to message. Times are the camera's own,
  as in `evt3`; `time_base` is undefined, and the ROS time of the header is not used.
- mono: words of 64 bits: ON 1 (bit 63), y 15 (48-62), x 16 (32-47), ns after `time_base` 32 (0-31).
- libcaer: words of 32 bits in pairs: x 15 (17-31), y 15 (2-16), ON 1 (bit 1), valid 1 (bit 0, which drivers do not
  use and readers do not look at); microseconds after `time_base` (31 bits; a fall by half of that is a wrap).
- trigger: no events; left out and counted.
- libcaer_cmp, which is told by the sources of its decoder alone, is not read.

`time_base` is in nanoseconds; times in it are cut to whole microseconds, as all nanoseconds here.

ROS 1 packs fields without gaps, little-endian. CDR is XCDR1: four bytes that tell the byte order, then every number
at a multiple of its size from there.

Sources: the messages' definitions and README (https://github.com/ros-event-camera/event_camera_msgs,
https://github.com/uzh-rpg/rpg_dvs_ros), decoders of https://github.com/ros-event-camera/event_camera_codecs by their
behaviour; http://wiki.ros.org/msg; OMG DDSI-RTPS 2.3, section 10 and CORBA 3.4, section 9.3 (CDR).
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.formats import _evt3_words
from neurodata.formats._blocks import Columns

LISTED = ("dvs_msgs/EventArray", "prophesee_event_msgs/EventArray")
PACKED = ("event_camera_msgs/EventPacket", "event_array_msgs/EventArray")
# What ROS 1 calls a definition by, so that another one of the same name is not read as this.
DEFINITIONS = dict.fromkeys(LISTED, "5e8beee5a6c107e504c2e78903c224b8") | dict.fromkeys(
    PACKED, "8a6101b351a64529ac77bd8b71074e52"
)
TRIGGER = "trigger"
ROS1_EVENT_BYTES, CDR_EVENT_BYTES = 13, 16  # CDR: between the times of two events; after the last polarity is nothing
CDR_PADDING_BYTES = 4  # that middleware may leave behind a message
U31 = 1 << 31
MOST_EVENTS = 1 << 26  # in a message or a chunk: 12 events of EVT 3.0 stand in two bytes, and those pack well
GET_AGAIN = "the file is truncated or damaged: get it again"


class MessageError(ValueError):
    """A message is not what its type says; names the byte of it, and the way out."""

    def __init__(self, at: int, text: str, way_out: str = GET_AGAIN) -> None:
        super().__init__(f"byte {at}: {text}; {way_out}")


def plain_type_name(name: str) -> str:
    """A type as ROS 1 writes it: dvs_msgs/EventArray for ROS 2's dvs_msgs/msg/EventArray."""
    return name.replace("/msg/", "/")


class Listed(NamedTuple):
    """A message that lists its events."""

    width: int
    height: int
    n_events: int
    is_cdr: bool
    order: str
    body: NDArray[np.uint8]  # from the first event on
    body_at: int


class Packed(NamedTuple):
    """A message of encoded events."""

    width: int
    height: int
    seq: int
    time_base_ns: int
    encoding: str
    is_big_endian: bool
    body: NDArray[np.uint8]
    body_at: int


class _Fields:
    """Takes one field after another from a message; what does not fit into it is a MessageError."""

    def __init__(self, message: memoryview, is_cdr: bool) -> None:
        self.message = message
        self.is_cdr = is_cdr
        self.order = "<"
        self.at = 0
        if is_cdr:
            head = bytes(message[:4])
            if len(head) < 4 or head[:2] not in (b"\0\0", b"\0\1"):
                raise MessageError(0, f"begins with {head.hex(' ') or 'nothing'}, which is no plain CDR")
            self.order = "<" if head[1] else ">"
            self.at = 4

    def number(self, kind: str) -> int:
        """An integer, by its letter in `struct`."""
        n_bytes = struct.calcsize("=" + kind)
        if self.is_cdr:
            self.at += -(self.at - 4) % n_bytes
        return int(struct.unpack(self.order + kind, self.take(n_bytes))[0])

    def take(self, n_bytes: int) -> memoryview:
        left = len(self.message) - self.at
        if n_bytes > left:
            raise MessageError(self.at, f"a field of {n_bytes} bytes, but {max(left, 0)} are left")
        self.at += n_bytes
        return self.message[self.at - n_bytes : self.at]

    def text(self) -> bytes:
        return bytes(self.take(self.number("I"))).rstrip(b"\0")

    def end(self) -> None:
        left = len(self.message) - self.at
        if left > (CDR_PADDING_BYTES if self.is_cdr else 0):
            raise MessageError(self.at, f"{left} bytes are left after the last field")


def parsed(message: memoryview, type_name: str, is_cdr: bool) -> Listed | Packed:
    """A message of one of the types of `DEFINITIONS`; its events are not decoded yet.

    Raises
    ------
    MessageError
        When a field does not fit into the message, or something is left over.
    """
    fields = _Fields(message, is_cdr)
    for _ in range(2 if is_cdr else 3):  # header: ROS 1 counts messages in it; seconds, nanoseconds
        fields.number("I")
    fields.text()  # frame_id
    height, width = fields.number("I"), fields.number("I")
    return _listed(fields, width, height) if type_name in LISTED else _packed(fields, width, height)


def _listed(fields: _Fields, width: int, height: int) -> Listed:
    n_events = fields.number("I")
    at = fields.at
    n_bytes = n_events * ROS1_EVENT_BYTES
    if fields.is_cdr and n_events:
        n_bytes = n_events * CDR_EVENT_BYTES - 3
    try:
        body = fields.take(n_bytes)
    except MessageError as error:
        left = len(fields.message) - at
        raise MessageError(at, f"{n_events} events need {n_bytes} bytes, but {left} are left") from error
    fields.end()
    return Listed(width, height, n_events, fields.is_cdr, fields.order, np.frombuffer(body, np.uint8), at)


def _packed(fields: _Fields, width: int, height: int) -> Packed:
    seq, time_base_ns = fields.number("Q"), fields.number("Q")
    encoding = fields.text().decode("utf-8", "replace")
    is_big_endian = fields.number("B") != 0
    n_bytes = fields.number("I")
    at = fields.at
    body = np.frombuffer(fields.take(n_bytes), np.uint8).copy()  # a copy, so that words in it are aligned
    fields.end()
    return Packed(width, height, seq, time_base_ns, encoding, is_big_endian, body, at)


def columns_of(message: Listed | Packed, state: NDArray[Any]) -> Columns:
    """Events of a message; state is of `_evt3_words.STATE`, as the message before left it.

    Raises
    ------
    MessageError
        When the encoding is not known, or its bytes are damaged.
    """
    if isinstance(message, Listed):
        return _from_list(message)
    if message.encoding == "evt3":
        _require_little_endian(message)
        return _from_evt3(message, state)
    if message.encoding == "mono":
        return _from_mono(message)
    if message.encoding == "libcaer":
        _require_little_endian(message)
        return _from_libcaer(message)
    raise MessageError(
        message.body_at,
        f"events in the encoding {message.encoding[:40]!r}",
        "read are evt3, mono and libcaer: republish it in one of these",
    )


def _require_little_endian(message: Packed) -> None:
    if message.is_big_endian:
        raise MessageError(message.body_at, f"big-endian {message.encoding}", "no driver is known to write it: swap it")


def _from_list(message: Listed) -> Columns:
    n, order = message.n_events, message.order
    if n == 0:
        return Columns.empty(0)

    def column(kind: str, at: int, n: int = n) -> NDArray[Any]:
        stride = CDR_EVENT_BYTES if message.is_cdr else ROS1_EVENT_BYTES
        return np.ndarray((n,), order + kind, message.body, at, (stride,))

    if message.is_cdr:
        # x, y of all events but the first stand two bytes earlier: these need even places, times multiples of four.
        x, y = np.empty(n, np.uint16), np.empty(n, np.uint16)
        x[:1], y[:1] = column("u2", 0, 1), column("u2", 2, 1)
        if n > 1:
            x[1:], y[1:] = column("u2", 14, n - 1), column("u2", 16, n - 1)
    else:
        x, y = column("u2", 0), column("u2", 2)
    seconds = column("i4" if message.is_cdr else "u4", 4)
    nanoseconds = column("u4", 8)
    if (most := int(nanoseconds.max())) >= 10**9:
        k = int(nanoseconds.argmax())
        raise MessageError(message.body_at, f"event {k} of the message has {most} nanoseconds; expected less than 10^9")
    t = seconds.astype(np.int64) * 1_000_000 + nanoseconds // 1000
    return Columns(t, x.astype(np.uint16), y.astype(np.uint16), column("u1", 12) != 0)


def _from_evt3(message: Packed, state: NDArray[Any]) -> Columns:
    parts = [Columns.empty(0)]
    at, n_events, n_bytes = 0, 0, len(message.body)
    while at < n_bytes:
        columns = Columns.empty(n_bytes // _evt3_words.WORD_BYTES + 1)
        state["bytes_left"] = n_bytes - at
        _evt3_words.decode(message.body[at:], state, columns)
        parts.append(columns.part(0, int(state["n_events"][0])))
        n_events += len(parts[-1].t)
        if n_events > MOST_EVENTS:
            raise MessageError(message.body_at, f"more than {MOST_EVENTS} events in a message", "send smaller ones")
        at += int(state["position"][0])
        if state["damage"][0]:
            found = _evt3_words.explain(message.body[at:], at, state)
            raise MessageError(message.body_at + at, found.removesuffix(f"; {GET_AGAIN}"))
    return Columns.joined(parts[1:] or parts)


def _from_mono(message: Packed) -> Columns:
    words = _words(message, ">u8" if message.is_big_endian else "<u8")
    after_us = (words & np.uint64(0xFFFFFFFF)).astype(np.int64) + message.time_base_ns % 1000
    return Columns(
        after_us // 1000 + message.time_base_ns // 1000,
        (words >> np.uint64(32)).astype(np.uint16),
        (words >> np.uint64(48)).astype(np.uint16) & np.uint16(0x7FFF),
        words >> np.uint64(63) == 1,
    )


def _from_libcaer(message: Packed) -> Columns:
    pairs = _words(message, "<u8").view("<u4").reshape(-1, 2)
    data, low_us = pairs[:, 0], (pairs[:, 1] & np.uint32(U31 - 1)).astype(np.int64)
    wraps = np.cumsum(np.diff(low_us, prepend=low_us[:1]) <= -U31 // 2)
    return Columns(
        message.time_base_ns // 1000 + low_us + wraps * U31,
        (data >> np.uint32(17)).astype(np.uint16),
        (data >> np.uint32(2)).astype(np.uint16) & np.uint16(0x7FFF),
        data >> np.uint32(1) & np.uint32(1) == 1,
    )


def _words(message: Packed, dtype: str) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    if len(message.body) % size:
        raise MessageError(
            message.body_at, f"{len(message.body)} bytes of {message.encoding}, which come in words of {size}"
        )
    return message.body.view(dtype)
