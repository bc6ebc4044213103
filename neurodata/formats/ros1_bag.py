"""ROS 1 bags (.bag, version 2.0) with a topic of events: dvs_msgs, prophesee_event_msgs, event_camera_msgs.

After a line of text come records: length and fields of a header (`name=value`, each after its length), then length and
bytes of the data; lengths are u32, little-endian. Chunks hold messages and the connections (topic, type) that they
belong to, perhaps packed by bz2 or LZ4; index records are passed over, since every message is checked anyway, so that
a bag that was never closed is read as well ("without index" in the findings) if its last record is whole.

The record order of a bag is the order in which messages arrived. Types, encodings and clocks: `_ros_messages`.
Source: http://wiki.ros.org/Bags/Format/2.0. Versions before 2.0 are not read: `rosbag migrate`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from neurodata.errors import FormatError
from neurodata.formats._contract import Format
from neurodata.formats._file import RecordingFile
from neurodata.formats._ros import (
    LARGEST_CHUNK_BYTES,
    BagRecording,
    Message,
    Topic,
    add_topic,
    open_bag,
    unpacked,
)
from neurodata.formats._ros_messages import GET_AGAIN
from neurodata.signals import Sensor

MAGIC = b"#ROSBAG V2.0\n"
MESSAGE, BAG_HEADER, INDEX, CHUNK, CHUNK_INFO, CONNECTION = range(2, 8)
LONGEST_HEADER_BYTES = 1 << 16
LONGEST_CONNECTION_BYTES = 1 << 24  # with the text of the message definition


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with the line of version 2.0."""
    return None if head.startswith(MAGIC) else f"does not begin with {MAGIC.decode().strip()!r}"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BagRecording:
    """A recording of the only topic with events; the sensor is the one stated, else the one that messages tell.

    `findings` counts "messages of other topics" (frames, IMU) and "trigger messages", which are left out, "lost
    messages" by the gaps in their numbers, bags "without index", what `evt3` counts, and events whose time goes back
    ("late").

    Raises
    ------
    FormatError
        When the bag is damaged or of another version, holds no topic of events or several, a message is of another
        definition or encoding than those read, or an event lies off the sensor.
    MissingExtraError
        When a chunk is packed with LZ4 and the extra `ros` is not installed.
    """
    return open_bag(path, "ros1_bag", Ros1Bag(path), sensor, keep)


@dataclass(frozen=True, slots=True)
class Ros1Bag:
    """A `Bag`."""

    path: Path
    topics: Mapping[int, Topic] = field(default_factory=dict)

    def knowing(self, topics: Mapping[int, Topic]) -> Ros1Bag:
        """The same, for readers that begin in the middle."""
        return Ros1Bag(self.path, dict(topics))

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[_OpenBag]:
        """The bag, open."""
        with RecordingFile(self.path, fingerprint) as file:
            yield _OpenBag(file, self.topics)


class _Record(NamedTuple):
    """Where a record stands in what is read from, and its header."""

    kind: int
    fields: dict[bytes, bytes]
    data_at: int
    stop: int


class _OpenBag:
    """An `OpenBag`; stretches are offset and length of a record."""

    def __init__(self, file: RecordingFile, topics: Mapping[int, Topic]) -> None:
        self.file = file
        self.topics = dict(topics)
        self.findings: Counter[str] = Counter()

    def stretches(self) -> Iterator[tuple[int, int]]:
        file = self.file
        if file.read(len(MAGIC)) != MAGIC:
            raise FormatError(f"{file.path}: byte 0: does not begin with {MAGIC.decode().strip()!r}, so is no such bag")
        header = self._record(self._from_file, len(MAGIC), file.size_bytes, 0)
        if header.kind != BAG_HEADER:
            raise FormatError(f"{file.path}: byte {len(MAGIC)}: a record that is not the header of a bag; {GET_AGAIN}")
        if header.fields.get(b"encryptor"):
            raise FormatError(f"{file.path}: byte {len(MAGIC)}: an encrypted bag: `rosbag decrypt` makes it plain")
        n_chunks, at = 0, header.stop
        while at < file.size_bytes:
            record = self._record(self._from_file, at, file.size_bytes, 0)
            if record.kind in (CHUNK, MESSAGE):
                yield at, record.stop - at
            elif record.kind == CONNECTION:
                self._learn(record, self._from_file, at)
            n_chunks += record.kind == CHUNK
            at = record.stop
        self._compare_index(header, n_chunks)

    def _compare_index(self, header: _Record, n_chunks: int) -> None:
        index_at = self._number(header, b"index_pos", "<Q", len(MAGIC))
        expected = self._number(header, b"chunk_count", "<I", len(MAGIC))
        if index_at == 0:
            self.findings["without index"] += 1
        elif index_at > self.file.size_bytes or expected != n_chunks:
            raise FormatError(
                f"{self.file.path}: byte {len(MAGIC)}: the bag says {expected} chunks and an index at byte {index_at}, "
                f"but {n_chunks} chunks are in {self.file.size_bytes} bytes; {GET_AGAIN}"
            )

    def messages(self, first: int, second: int) -> Iterator[Message]:
        path = self.file.path
        if second > LARGEST_CHUNK_BYTES:
            raise FormatError(
                f"{path}: byte {first}: a record of {second} bytes; read are those below {LARGEST_CHUNK_BYTES}: "
                "rewrite the bag with smaller chunks"
            )
        raw = memoryview(self.file.read(second, first))
        record = self._record(_from(raw), 0, len(raw), first)
        if record.kind == MESSAGE:
            yield self._message(record, raw, first, f"byte {first + record.data_at}")
            return
        packing = record.fields.get(b"compression", b"none").decode("latin-1")
        packing = "" if packing == "none" else packing
        n_bytes = self._number(record, b"size", "<I", first)
        content = unpacked(path, first, raw[record.data_at : record.stop], packing, n_bytes)
        start = first + (0 if packing else record.data_at)
        at = 0
        while at < len(content):
            # In a packed chunk, places are those of the chunk: bytes within it say nothing to who looks at the file.
            where = first if packing else start + at
            record = self._record(_from(content), at, len(content), where - at)
            if record.kind == MESSAGE:
                place = f"byte {first}" if packing else f"byte {start + record.data_at}"
                yield self._message(record, content, where, place)
            elif record.kind == CONNECTION:
                self._learn(record, _from(content), where)
            at = record.stop

    def _message(self, record: _Record, content: memoryview, at: int, place: str) -> Message:
        channel = self._number(record, b"conn", "<I", at)
        if channel not in self.topics:
            raise FormatError(
                f"{self.file.path}: byte {at}: a message of connection {channel}, which no record before it "
                f"describes; {GET_AGAIN}"
            )
        return Message(channel, content[record.data_at : record.stop], place)

    def _learn(self, record: _Record, read: Callable[[int, int], bytes], at: int) -> None:
        """Topic and type of a connection."""
        n_bytes = record.stop - record.data_at
        if n_bytes > LONGEST_CONNECTION_BYTES:
            raise FormatError(f"{self.file.path}: byte {at}: a connection described in {n_bytes} bytes; {GET_AGAIN}")
        described = self._fields(read(record.data_at, n_bytes), at)
        name, type_name, definition = (
            fields.get(key, b"").decode("utf-8", "replace")
            for fields, key in ((record.fields, b"topic"), (described, b"type"), (described, b"md5sum"))
        )
        channel = self._number(record, b"conn", "<I", at)
        add_topic(self.topics, channel, Topic(name, type_name, False, definition), self.file.path, f"byte {at}")

    def _from_file(self, at: int, n_bytes: int) -> bytes:
        return self.file.read(n_bytes, at)

    def _record(self, read: Callable[[int, int], bytes], at: int, stop: int, base: int) -> _Record:
        """The record at a byte of what is read from, whose byte 0 is at `base` in the file."""
        n_header = self._length(read, at, stop, base, "header", LONGEST_HEADER_BYTES)
        fields = self._fields(read(at + 4, n_header), base + at)
        n_data = self._length(read, at + 4 + n_header, stop, base, "data", stop)
        kind = fields.get(b"op", b"")
        if len(kind) != 1:
            raise FormatError(f"{self.file.path}: byte {base + at}: a record without its kind (op); {GET_AGAIN}")
        data_at = at + 8 + n_header
        return _Record(kind[0], fields, data_at, data_at + n_data)

    def _length(self, read: Callable[[int, int], bytes], at: int, stop: int, base: int, what: str, most: int) -> int:
        left = stop - at - 4
        if left < 0:
            raise FormatError(
                f"{self.file.path}: byte {base + at}: {left + 4} bytes left where a record goes on; {GET_AGAIN}"
            )
        (n_bytes,) = struct.unpack("<I", read(at, 4))
        if n_bytes > min(left, most):
            raise FormatError(
                f"{self.file.path}: byte {base + at}: {what} of {n_bytes} bytes in a record, but {left} are left; "
                f"{GET_AGAIN}"
            )
        return int(n_bytes)

    def _fields(self, raw: bytes, at: int) -> dict[bytes, bytes]:
        """Fields of a header that stands in the record at a byte of the file."""
        fields: dict[bytes, bytes] = {}
        position = 0
        while position < len(raw):
            n_bytes = int.from_bytes(raw[position : position + 4], "little")
            part = raw[position + 4 : position + 4 + n_bytes]
            name, separator, value = part.partition(b"=")
            if len(part) < n_bytes or not separator:
                raise FormatError(
                    f"{self.file.path}: byte {at}: a field of a record that is no name=value; {GET_AGAIN}"
                )
            fields[name] = value
            position += 4 + n_bytes
        return fields

    def _number(self, record: _Record, name: bytes, kind: str, at: int) -> int:
        value = record.fields.get(name, b"")
        if len(value) != struct.calcsize(kind):
            raise FormatError(f"{self.file.path}: byte {at}: a record without its field {name.decode()}; {GET_AGAIN}")
        return int(struct.unpack(kind, value)[0])


def _from(content: memoryview) -> Callable[[int, int], bytes]:
    return lambda at, n_bytes: bytes(content[at : at + n_bytes])


FORMAT = Format(
    name="ros1_bag",
    version=1,
    title="ROS 1 .bag of events: dvs_msgs, prophesee_event_msgs, event_camera_msgs",
    extensions=(".bag",),
    sniff=sniff,
    open=open_file,
)
