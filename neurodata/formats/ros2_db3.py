"""ROS 2 bags in SQLite (.db3) with a topic of events: dvs_msgs, prophesee_event_msgs, event_camera_msgs.

A table `topics` (id, name, type, serialization_format) and a table `messages` (id, topic_id, timestamp, data), whose
rows are read in the order of their ids, in which they arrived; data are in CDR. A recording may be split into several
files: each is one here, and metadata.yaml beside them is not needed. Types, encodings and clocks: `_ros_messages`.

The database is opened read-only and unlocked; nothing in it but these two plain tables is looked at. Messages packed
one by one (`compression_mode: MESSAGE`) and files packed whole (.db3.zstd) are not read.
Source: https://github.com/ros2/rosbag2, rosbag2_storage_sqlite3; https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodata.errors import FormatError
from neurodata.formats._blocks import BLOCK_BYTES
from neurodata.formats._contract import Format
from neurodata.formats._file import RecordingFile
from neurodata.formats._ros import LARGEST_CHUNK_BYTES, BagRecording, Message, Topic, open_bag
from neurodata.formats._ros_messages import GET_AGAIN, plain_type_name
from neurodata.signals import Sensor

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
ZSTANDARD_MAGIC = b"\x28\xb5\x2f\xfd"
TABLES = {"topics": ("id", "name", "type", "serialization_format"), "messages": ("id", "topic_id", "data")}


def sniff(head: bytes, path: Path) -> str | None:
    """None for SQLite with these tables."""
    if not head.startswith(MAGIC):
        return "does not begin as SQLite 3"
    try:
        with RecordingFile(path) as file, _connected(file):
            return None
    except FormatError as error:
        return str(error).removeprefix(f"{path}: ")


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BagRecording:
    """A recording of the only topic with events; the sensor is the one stated, else the one that messages tell.

    `findings` counts as those of `ros1_bag`.

    Raises
    ------
    FormatError
        When the database is damaged or unfinished, holds no topic of events or several, a message is of another
        encoding than those read, or an event lies off the sensor.
    """
    return open_bag(path, "ros2_db3", Db3(path), sensor, keep)


@dataclass(frozen=True, slots=True)
class Db3:
    """A `Bag`."""

    path: Path

    def knowing(self, topics: Mapping[int, Topic]) -> Db3:
        """The same: topics stand in a table."""
        return self

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[_OpenDb3]:
        """The database, open."""
        with RecordingFile(self.path, fingerprint) as file, _connected(file) as connection:
            yield _OpenDb3(file, connection)


class _OpenDb3:
    """An `OpenBag`; stretches are the ids of the first and the last row."""

    def __init__(self, file: RecordingFile, connection: sqlite3.Connection) -> None:
        self.file = file
        self.connection = connection
        self.findings: Counter[str] = Counter()
        self.topics: dict[int, Topic] = {}
        for number, name, type_name, layout in self._rows("SELECT id, name, type, serialization_format FROM topics"):
            if not isinstance(number, int) or not all(isinstance(text, str) for text in (name, type_name, layout)):
                raise FormatError(f"{file.path}: a row of topics that holds no names; {GET_AGAIN}")
            plain = plain_type_name(type_name) + ("" if layout == "cdr" else f" in {layout[:40]!r}")
            self.topics[number] = Topic(name, plain, True)

    def stretches(self) -> Iterator[tuple[int, int]]:
        first, last = None, None
        n_bytes, n_all = 0, 0
        for number, length in self._rows("SELECT id, length(data) FROM messages ORDER BY id"):
            if not isinstance(number, int) or not isinstance(length, int) or (last is not None and number <= last):
                raise FormatError(f"{self.file.path}: message {number}: a row without bytes, or twice; {GET_AGAIN}")
            n_all += length
            if n_all > self.file.size_bytes or length > LARGEST_CHUNK_BYTES:
                raise FormatError(
                    f"{self.file.path}: message {number}: messages up to there hold {n_all} bytes, and it {length}, "
                    f"in a file of {self.file.size_bytes}; {GET_AGAIN}"
                )
            if first is not None and last is not None and n_bytes + length > BLOCK_BYTES:
                yield first, last
                first, n_bytes = None, 0
            first, last = number if first is None else first, number
            n_bytes += length
        if first is not None and last is not None:
            yield first, last

    def messages(self, first: int, second: int) -> Iterator[Message]:
        query = "SELECT id, topic_id, data FROM messages WHERE id BETWEEN ? AND ? ORDER BY id"
        for number, topic, data in self._rows(query, first, second):
            if topic not in self.topics or not isinstance(data, bytes):
                raise FormatError(
                    f"{self.file.path}: message {number}: bytes of no topic, or a topic without; {GET_AGAIN}"
                )
            if data.startswith(ZSTANDARD_MAGIC):
                raise FormatError(
                    f"{self.file.path}: message {number}: messages are packed one by one; unpack them with "
                    "`ros2 bag convert`"
                )
            yield Message(topic, memoryview(data), f"message {number}")

    def _rows(self, query: str, *values: int) -> Iterator[tuple[Any, ...]]:
        with _damage_named(self.file.path):
            yield from self.connection.execute(query, values)


@contextmanager
def _connected(file: RecordingFile) -> Iterator[sqlite3.Connection]:
    """A connection to a database with the tables of a bag."""
    path = file.path
    _require_whole(file)
    beside = path.with_name(path.name + "-wal")
    if beside.is_file() and beside.stat().st_size:
        raise FormatError(
            f"{path}: what was recorded last is still in {beside.name}; put it into the file: "
            "`sqlite3 FILE 'PRAGMA wal_checkpoint(TRUNCATE)'`"
        )
    with _damage_named(path):
        # Not looked at again while it is read: no lock and no file beside it is made. `changed` finds what changes.
        # Packets may be taken in another thread than the one that asked for them.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    with closing(connection):
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(min(file.size_bytes, LARGEST_CHUNK_BYTES), 1 << 16))
        with _damage_named(path):
            connection.execute("PRAGMA trusted_schema = OFF")
            for table, columns in TABLES.items():
                _require_table(path, connection, table, columns)
        yield connection


def _require_whole(file: RecordingFile) -> None:
    """SQLite reads zeros where a file is cut off within a page."""
    head = file.read(HEADER_BYTES)
    if not head.startswith(MAGIC) or len(head) < HEADER_BYTES:
        raise FormatError(f"{file.path}: byte 0: does not begin as SQLite 3")
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 1 << 16 if page_bytes == 1 else page_bytes
    # The number of pages holds when it was written with the last change; old versions do not write it.
    n_pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
    if page_bytes == 0 or file.size_bytes % page_bytes or file.size_bytes < n_pages * page_bytes:
        raise FormatError(
            f"{file.path}: byte 16: {n_pages or 'whole'} pages of {page_bytes} bytes, in a file of {file.size_bytes}; "
            f"{GET_AGAIN}"
        )


def _require_table(path: Path, connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Views, virtual tables and generated columns run what a file says: they are not read."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    made = [text for (text,) in connection.execute(query, (table,))]
    plain = {name for _, name, *_, hidden in connection.execute(f"PRAGMA table_xinfo({table})") if hidden == 0}
    if len(made) != 1 or not str(made[0]).upper().startswith("CREATE TABLE") or not plain.issuperset(columns):
        raise FormatError(f"{path}: SQLite without a plain table {table} ({', '.join(columns)}), so no bag of ROS 2")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turns what SQLite raises on damaged files into a FormatError."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: SQLite cannot be read ({error}); {GET_AGAIN}") from error


FORMAT = Format(
    name="ros2_db3",
    version=1,
    title="ROS 2 .db3 of events: dvs_msgs, prophesee_event_msgs, event_camera_msgs",
    extensions=(".db3",),
    sniff=sniff,
    open=open_file,
)
