"""MCAP (.mcap) with a topic of events, as ROS 2 records and `mcap convert` makes of ROS 1 bags.

Records are a kind (one byte), a length (u64) and that many bytes; all numbers are little-endian. Schemas name types,
channels name topics, messages belong to channels. Chunks hold them, perhaps packed by LZ4 or Zstandard, with a CRC-32,
which is checked; recordings made for speed hold messages without chunks. Indexes are passed over, since every message
is checked anyway. Types, encodings and clocks: `_ros_messages`.

Source: https://mcap.dev/spec. A file that was never closed has no footer and is refused: `mcap recover` mends it.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from neurodata.errors import FormatError
from neurodata.formats._blocks import BLOCK_BYTES
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
from neurodata.formats._ros_messages import GET_AGAIN, plain_type_name
from neurodata.signals import Sensor

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = range(1, 7)
RECORD = struct.Struct("<BQ")  # kind, length
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, number, times of arrival and of sending
CHUNK_HEAD = struct.Struct("<QQQI")  # first and last time, length when unpacked and CRC-32 of that
LONGEST_DESCRIPTION_BYTES = 1 << 24  # of schemas, channels
LAYOUTS = {"cdr": True, "ros1": False}  # encodings of messages, and whether each is CDR


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins as MCAP."""
    return None if head.startswith(MAGIC) else "does not begin as MCAP"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BagRecording:
    """A recording of the only topic with events; the sensor is the one stated, else the one that messages tell.

    `findings` counts as those of `ros1_bag`.

    Raises
    ------
    FormatError
        When the file is damaged or unfinished, holds no topic of events or several, a message is of another encoding
        than those read, or an event lies off the sensor.
    MissingExtraError
        When a chunk is packed and the extra `ros` is not installed.
    """
    return open_bag(path, "ros2_mcap", Mcap(path), sensor, keep)


@dataclass(frozen=True, slots=True)
class Mcap:
    """A `Bag`."""

    path: Path
    topics: Mapping[int, Topic] = field(default_factory=dict)

    def knowing(self, topics: Mapping[int, Topic]) -> Mcap:
        """The same, for readers that begin in the middle."""
        return Mcap(self.path, dict(topics))

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[_OpenMcap]:
        """The file, open."""
        with RecordingFile(self.path, fingerprint) as file:
            yield _OpenMcap(file, self.topics)


class _Record(NamedTuple):
    """Where a record stands in what is read from."""

    kind: int
    data_at: int
    stop: int


class _OpenMcap:
    """An `OpenBag`; stretches are offset and length of a chunk, or of some messages that stand in none."""

    def __init__(self, file: RecordingFile, topics: Mapping[int, Topic]) -> None:
        self.file = file
        self.types: dict[int, str] = {}  # by schema
        self.topics = dict(topics)
        self.findings: Counter[str] = Counter()

    def stretches(self) -> Iterator[tuple[int, int]]:
        file = self.file
        if file.read(len(MAGIC)) != MAGIC:
            raise FormatError(f"{file.path}: byte 0: does not begin as MCAP")
        at, kind = len(MAGIC), 0
        first = last = at  # of messages that stand in no chunk and are not given yet
        while kind != FOOTER:
            kind, data_at, stop = self._record(self._from_file, at, file.size_bytes, 0)
            if last > first and (kind in (CHUNK, FOOTER) or stop - first > BLOCK_BYTES):
                yield first, last - first
                first = last
            if kind == CHUNK:
                yield at, stop - at
            elif kind == MESSAGE:
                first, last = first if last > first else at, stop
            elif kind in (SCHEMA, CHANNEL):
                self._learn(kind, self._from_file, data_at, stop, at)
            at = stop
        if file.read(len(MAGIC), at) != MAGIC:
            raise FormatError(f"{file.path}: byte {at}: the file does not end as MCAP; {GET_AGAIN}")

    def messages(self, first: int, second: int) -> Iterator[Message]:
        if second > LARGEST_CHUNK_BYTES:
            raise FormatError(
                f"{self.file.path}: byte {first}: a record of {second} bytes; read are those below "
                f"{LARGEST_CHUNK_BYTES}: rewrite the file with smaller chunks"
            )
        raw = memoryview(self.file.read(second, first))
        record = self._record(_from(raw), 0, len(raw), first)
        if record.kind == CHUNK:
            yield from self._of_chunk(raw[record.data_at : record.stop], first, first + record.data_at)
        else:
            yield from self._within(raw, lambda at: first + at)

    def _of_chunk(self, chunk: memoryview, at: int, data_at: int) -> Iterator[Message]:
        path = self.file.path
        place = CHUNK_HEAD.size
        packing = self._text(chunk, place, at)
        place += 4 + len(packing)
        if len(chunk) < place + 8:
            raise FormatError(f"{path}: byte {at}: a chunk of {len(chunk)} bytes; {GET_AGAIN}")
        _, _, n_bytes, checksum = CHUNK_HEAD.unpack_from(chunk)
        (n_packed,) = struct.unpack_from("<Q", chunk, place)
        packed = chunk[place + 8 :]
        if n_packed != len(packed):
            raise FormatError(f"{path}: byte {at}: a chunk says {n_packed} bytes and holds {len(packed)}; {GET_AGAIN}")
        content = unpacked(path, at, packed, packing.decode("latin-1"), n_bytes)
        if checksum and zlib.crc32(content) != checksum:
            raise FormatError(f"{path}: byte {at}: the chunk does not have its checksum; {GET_AGAIN}")
        # In a packed chunk, places are those of the chunk: bytes within it say nothing to who looks at the file.
        yield from self._within(content, lambda inside: at if packing else data_at + place + 8 + inside)

    def _within(self, content: memoryview, where: Callable[[int], int]) -> Iterator[Message]:
        """Messages of records; where tells the byte of the file for one of the content."""
        at = 0
        while at < len(content):
            kind, data_at, stop = self._record(_from(content), at, len(content), where(at) - at)
            if kind == MESSAGE:
                yield self._message(content[data_at:stop], where(at), where(data_at))
            elif kind in (SCHEMA, CHANNEL):
                self._learn(kind, _from(content), data_at, stop, where(at))
            elif kind == 0:
                raise FormatError(f"{self.file.path}: byte {where(at)}: a record of kind 0, which none is; {GET_AGAIN}")
            at = stop

    def _message(self, record: memoryview, at: int, data_at: int) -> Message:
        if len(record) < MESSAGE_HEAD.size:
            raise FormatError(f"{self.file.path}: byte {at}: a message of {len(record)} bytes; {GET_AGAIN}")
        channel = MESSAGE_HEAD.unpack_from(record)[0]
        if channel not in self.topics:
            raise FormatError(
                f"{self.file.path}: byte {at}: a message of channel {channel}, which no record before it describes; "
                f"{GET_AGAIN}"
            )
        place = data_at if data_at == at else data_at + MESSAGE_HEAD.size
        return Message(channel, record[MESSAGE_HEAD.size :], f"byte {place}")

    def _learn(self, kind: int, read: Callable[[int, int], bytes], data_at: int, stop: int, at: int) -> None:
        """Type of a schema, topic and type of a channel."""
        if stop - data_at > LONGEST_DESCRIPTION_BYTES:
            raise FormatError(
                f"{self.file.path}: byte {at}: a channel described in {stop - data_at} bytes; {GET_AGAIN}"
            )
        record = memoryview(read(data_at, stop - data_at))
        if len(record) < 4:
            raise FormatError(f"{self.file.path}: byte {at}: a description of {len(record)} bytes; {GET_AGAIN}")
        number, schema = struct.unpack_from("<HH", record)
        if kind == SCHEMA:
            self.types[number] = plain_type_name(self._text(record, 2, at).decode("utf-8", "replace"))
            return
        name = self._text(record, 4, at)
        layout = self._text(record, 8 + len(name), at).decode("latin-1")
        type_name = self.types.get(schema, "of no schema")
        if layout not in LAYOUTS:
            type_name = f"{type_name} in {layout[:40]!r}"  # so that no message of it is taken for one that is read
        topic = Topic(name.decode("utf-8", "replace"), type_name, LAYOUTS.get(layout, True))
        add_topic(self.topics, number, topic, self.file.path, f"byte {at}")

    def _text(self, record: memoryview, at: int, where: int) -> bytes:
        n_bytes = int.from_bytes(record[at : at + 4], "little")
        if at + 4 + n_bytes > len(record):
            raise FormatError(f"{self.file.path}: byte {where}: text of {n_bytes} bytes past its record; {GET_AGAIN}")
        return bytes(record[at + 4 : at + 4 + n_bytes])

    def _from_file(self, at: int, n_bytes: int) -> bytes:
        return self.file.read(n_bytes, at)

    def _record(self, read: Callable[[int, int], bytes], at: int, stop: int, base: int) -> _Record:
        """The record at a byte of what is read from, whose byte 0 is at `base` in the file."""
        left = stop - at - RECORD.size
        kind, n_bytes = RECORD.unpack(read(at, RECORD.size)) if left >= 0 else (0, 0)
        if n_bytes > left:
            raise FormatError(
                f"{self.file.path}: byte {base + at}: a record needs {n_bytes + RECORD.size} bytes, but "
                f"{left + RECORD.size} are left; the file is truncated, damaged or unfinished: get it again, or try "
                "`mcap recover`"
            )
        return _Record(kind, at + RECORD.size, at + RECORD.size + n_bytes)


def _from(content: memoryview) -> Callable[[int, int], bytes]:
    return lambda at, n_bytes: bytes(content[at : at + n_bytes])


FORMAT = Format(
    name="ros2_mcap",
    version=1,
    title="MCAP of events: ROS 2 recordings with dvs_msgs, event_camera_msgs",
    extensions=(".mcap",),
    sniff=sniff,
    open=open_file,
)
