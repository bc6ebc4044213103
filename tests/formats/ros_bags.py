"""Bags and messages of events, built byte by byte from the specifications."""

from __future__ import annotations

import bz2
import sqlite3
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import open_recording
from neurodata.signals import EventArray

DVS = "dvs_msgs/EventArray"
PROPHESEE = "prophesee_event_msgs/EventArray"
PACKET = "event_camera_msgs/EventPacket"
OLD_PACKET = "event_array_msgs/EventArray"
IMU = "sensor_msgs/Imu"
MD5 = {DVS: "5e8beee5a6c107e504c2e78903c224b8", PROPHESEE: "5e8beee5a6c107e504c2e78903c224b8",
       PACKET: "8a6101b351a64529ac77bd8b71074e52", OLD_PACKET: "8a6101b351a64529ac77bd8b71074e52"}  # fmt: skip

Row = tuple[int, int, int, int]  # t [us], x, y, p


class Sent(NamedTuple):
    """A message on a topic."""

    data: bytes
    topic: str = "/dvs/events"
    type_name: str = DVS


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


class Cdr:
    """Fields one after the other, each number at a multiple of its size after the first four bytes."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.body = b""

    def add(self, kinds: str, *values: int) -> Cdr:
        for kind, value in zip(kinds, values, strict=True):
            size = struct.calcsize("=" + kind)
            self.body += bytes(-len(self.body) % size) + struct.pack(self.order + kind, value)
        return self

    def text(self, text: bytes) -> Cdr:
        self.add("I", len(text) + 1)
        self.body += text + b"\0"
        return self

    def message(self) -> bytes:
        return (b"\0\1\0\0" if self.order == "<" else b"\0\0\0\0") + self.body


def cdr_list(events: Sequence[Row], size: tuple[int, int] = (34, 34), frame: bytes = b"cam", order: str = "<") -> bytes:
    """An EventArray of ROS 2."""
    head = Cdr(order).add("iI", 5, 6).text(frame).add("III", size[1], size[0], len(events)).message()
    # x, y at even bytes, seconds and nanoseconds at multiples of four, then a byte: the next event is at 14, not 13.
    layouts = [struct.Struct(f"{order}HHiIBx"), struct.Struct(f"{order}HH2xiIBx")]
    parts = [layouts[k > 0].pack(x, y, t // 10**6, t % 10**6 * 1000, p) for k, (t, x, y, p) in enumerate(events)]
    return head + b"".join(parts)[: -1 if parts else None]


def ros1_list(events: Sequence[Row], size: tuple[int, int] = (34, 34), frame: bytes = b"cam") -> bytes:
    """An EventArray of ROS 1."""
    head = struct.pack("<IIII", 1, 5, 6, len(frame)) + frame + struct.pack("<III", size[1], size[0], len(events))
    return head + b"".join(struct.pack("<HHIIB", x, y, t // 10**6, t % 10**6 * 1000, p) for t, x, y, p in events)


def cdr_packet(
    body: bytes, encoding: str = "evt3", size: tuple[int, int] = (34, 34), seq: int = 0, base_ns: int = 0, big: int = 0
) -> bytes:
    """An EventPacket of ROS 2."""
    message = Cdr().add("iI", 5, 6).text(b"cam").add("IIQQ", size[1], size[0], seq, base_ns).text(encoding.encode())
    return message.add("BI", big, len(body)).message() + body


def ros1_packet(
    body: bytes, encoding: str = "evt3", size: tuple[int, int] = (34, 34), seq: int = 0, base_ns: int = 0, big: int = 0
) -> bytes:
    """An EventPacket of ROS 1."""
    name = encoding.encode()
    head = struct.pack("<IIII3sIIQQI", 1, 5, 6, 3, b"cam", size[1], size[0], seq, base_ns, len(name))
    return head + name + struct.pack("<BI", big, len(body)) + body


def _record(fields: dict[str, bytes], data: bytes) -> bytes:
    parts = [name.encode() + b"=" + value for name, value in fields.items()]
    header = b"".join(struct.pack("<I", len(part)) + part for part in parts)
    return struct.pack("<I", len(header)) + header + struct.pack("<I", len(data)) + data


def peak_of_refusal(path: Path, message: str) -> int:
    """Bytes of memory that it took to refuse a file for this reason."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            open_recording(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _pack(packing: str, content: bytes) -> bytes:
    if packing == "bz2":
        return bz2.compress(content)
    if packing == "lz4":
        return bytes(pytest.importorskip("lz4.frame").compress(content))
    return bytes(pytest.importorskip("zstandard").compress(content)) if packing == "zstd" else content


def ros1_records(sent: Sequence[Sent], known: dict[str, int]) -> bytes:
    """Messages, each connection described before the first one of it."""
    content = b""
    for message in sent:
        if message.topic not in known:
            known[message.topic] = len(known)
            described = {"topic": message.topic, "type": message.type_name, "md5sum": MD5.get(message.type_name, "x")}
            inner = b"".join(
                struct.pack("<I", len(name) + 1 + len(text)) + f"{name}={text}".encode()
                for name, text in described.items()
            )
            conn = struct.pack("<I", known[message.topic])
            content += _record({"op": b"\x07", "conn": conn, "topic": message.topic.encode()}, inner)
        conn = struct.pack("<I", known[message.topic])
        content += _record({"op": b"\x02", "conn": conn, "time": bytes(8)}, message.data)
    return content


def ros1_chunk(content: bytes, packing: str = "none", size: int | None = None) -> bytes:
    """A chunk that says it is of this size when unpacked; None: of its own."""
    told = struct.pack("<I", len(content) if size is None else size)
    fields = {"op": b"\x05", "compression": packing.encode(), "size": told}
    return _record(fields, _pack(packing, content))


def bag_header(n_chunks: int, index_at: int = 1, **more: bytes) -> bytes:
    counts = {"index_pos": struct.pack("<Q", index_at), "chunk_count": struct.pack("<I", n_chunks)}
    return b"#ROSBAG V2.0\n" + _record({"op": b"\x03", "conn_count": bytes(4), **counts, **more}, b" " * 20)


def ros1_bag(sent: Sequence[Sent], packing: str = "none", per_chunk: int = 8) -> bytes:
    known: dict[str, int] = {}
    chunks = [
        ros1_chunk(ros1_records(sent[first : first + per_chunk], known), packing)
        for first in range(0, len(sent), per_chunk)
    ]
    index = _record({"op": b"\x04", "ver": b"\1\0\0\0", "conn": bytes(4), "count": bytes(4)}, b"")
    return bag_header(len(chunks)) + b"".join(chunk + index for chunk in chunks)


def ros2_db3(path: Path, sent: Sequence[Sent], layout: str = "cdr") -> None:
    path.unlink(missing_ok=True)
    names = list(dict.fromkeys((message.topic, message.type_name) for message in sent))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
            "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL)"
        )
        connection.execute(
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, "
            "data BLOB NOT NULL)"
        )
        connection.executemany(
            "INSERT INTO topics VALUES (?, ?, ?, ?, '')",
            [(k, name, kind.replace("/", "/msg/"), layout) for k, (name, kind) in enumerate(names, 1)],
        )
        connection.executemany(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)",
            [(names.index((m.topic, m.type_name)) + 1, 1000 + k, m.data) for k, m in enumerate(sent)],
        )
    connection.close()


def mcap_record(kind: int, data: bytes) -> bytes:
    return struct.pack("<BQ", kind, len(data)) + data


def _text(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def mcap_records(sent: Sequence[Sent], known: dict[str, int], layout: bytes = b"cdr") -> bytes:
    """Messages, each schema and channel described before the first one of it."""
    content = b""
    for k, message in enumerate(sent):
        if message.topic not in known:
            number = known[message.topic] = len(known) + 1
            kind = message.type_name.replace("/", "/msg/").encode()
            content += mcap_record(3, struct.pack("<H", number) + _text(kind) + _text(b"ros2msg") + _text(b"text"))
            content += mcap_record(
                4, struct.pack("<HH", number, number) + _text(message.topic.encode()) + _text(layout) + _text(b"")
            )
        content += mcap_record(5, struct.pack("<HIQQ", known[message.topic], k, 7, 7) + message.data)
    return content


def mcap_chunk(content: bytes, packing: str = "", checksum: int | None = None, size: int | None = None) -> bytes:
    """A chunk that says it has this checksum and size when unpacked; None: its own."""
    crc = zlib.crc32(content) if checksum is None else checksum
    packed = _pack(packing, content)
    head = struct.pack("<QQQI", 0, 9, len(content) if size is None else size, crc) + _text(packing.encode())
    return mcap_record(6, head + struct.pack("<Q", len(packed)) + packed)


MCAP_START = b"\x89MCAP0\r\n" + mcap_record(1, _text(b"ros2") + _text(b""))
MCAP_END = mcap_record(15, bytes(4)) + mcap_record(2, bytes(20)) + b"\x89MCAP0\r\n"


def mcap(sent: Sequence[Sent], packing: str | None = "", per_chunk: int = 8) -> bytes:
    """With messages in chunks, or (packing None) in none."""
    known: dict[str, int] = {}
    if packing is None:
        return MCAP_START + mcap_records(sent, known) + MCAP_END
    return (
        MCAP_START
        + b"".join(
            mcap_chunk(mcap_records(sent[first : first + per_chunk], known), packing)
            for first in range(0, len(sent), per_chunk)
        )
        + MCAP_END
    )


def lists_of(
    events: EventArray, message: Callable[[Sequence[Row], tuple[int, int]], bytes], per_message: int
) -> list[Sent]:
    """Messages of some events each; one without any for no events."""
    size = (events.sensor.width, events.sensor.height)
    t, x, y, p = (getattr(events, name).astype(np.int64).tolist() for name in "txyp")
    found = list(zip(t, x, y, p, strict=True))
    starts = range(0, max(1, len(found)), per_message)
    return [Sent(message(found[first : first + per_message], size)) for first in starts]
