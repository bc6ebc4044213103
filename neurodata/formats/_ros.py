"""Bags of ROS: recordings of the messages of many topics, of which one holds the events.

What is common to all containers is here: which topic is read, that every message of it is sound, and an index by time.
A container (`Bag`) tells its topics and gives the messages of one stretch of the file after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats import _evt3_words, _ros_messages
from neurodata.formats._blocks import BLOCK, Columns, Decode, IndexedRecording
from neurodata.formats._columns import not_told
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import survey
from neurodata.formats._ros_messages import (
    DEFINITIONS,
    GET_AGAIN,
    TRIGGER,
    Listed,
    MessageError,
    Packed,
    columns_of,
    parsed,
)
from neurodata.formats._unpack import UNPACKERS, UnpackError
from neurodata.signals import Sensor

EXTRA = "ros"
LARGEST_CHUNK_BYTES = 1 << 28
# Events never pack so well; what does is made to fill memory.
MOST_PACKED = 250
SMALL_BYTES = 1 << 22


class Topic(NamedTuple):
    """What a channel of a bag carries.

    Parameters
    ----------
    name
        Of the topic.
    type_name
        Of its messages, as "dvs_msgs/EventArray".
    is_cdr
        Whether they are in CDR, as in ROS 2.
    definition
        Hash that ROS 1 gives the definition of the type; "*" where there is none.
    """

    name: str
    type_name: str
    is_cdr: bool
    definition: str = "*"


class Message(NamedTuple):
    """A message as it stands in the file."""

    channel: int
    data: memoryview
    place: str  # of its first byte, such as "byte 4117"


class OpenBag(Protocol):
    """A bag that is being read."""

    @property
    def file(self) -> RecordingFile:
        """The file."""
        ...

    @property
    def topics(self) -> Mapping[int, Topic]:
        """By channel; those that have been met so far."""
        ...

    @property
    def findings(self) -> Counter[str]:
        """What is odd about the container, by reason."""
        ...

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Where messages stand, in the order of the file: pairs that `messages` understands."""
        ...

    def messages(self, first: int, second: int) -> Iterator[Message]:
        """Messages of one stretch; raises FormatError."""
        ...


class Bag(Protocol):
    """How to open a bag again; pickles, and holds nothing open."""

    def knowing(self, topics: Mapping[int, Topic]) -> Bag:
        """The same, for readers that begin in the middle: what channels carry may be told at the beginning only."""
        ...

    def opened(self, fingerprint: tuple[int, int] | None = None) -> AbstractContextManager[OpenBag]:
        """The bag, open; raises FormatError when its size and modification time are others."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BagRecording(IndexedRecording):
    """A `Recording` on the messages of one topic; its blocks are stretches of the bag."""

    bag: Bag
    topic_name: str | None  # of the events; None where there are none

    @contextmanager
    def _opened(self) -> Iterator[Decode]:
        with self.bag.opened(self.fingerprint) as reader:
            yield partial(self._read, reader)

    def _read(self, reader: OpenBag, wanted: NDArray[np.intp]) -> Columns:
        columns = Columns.empty(int(self.blocks["n_events"][wanted].sum()))
        first = 0
        for k in wanted:
            state = self.states[k : k + 1].copy()
            for message in reader.messages(int(self.blocks["offset"][k]), int(self.blocks["n_bytes"][k])):
                topic = reader.topics[message.channel]
                if topic.name != self.topic_name or topic.type_name not in DEFINITIONS:
                    continue
                with _damage_named(self.path, message, topic):
                    found = parsed(message.data, topic.type_name, topic.is_cdr)
                    events = Columns.empty(0) if _is_trigger(found) else columns_of(found, state)
                last = first + len(events.t)
                if last > len(columns.t):
                    raise self._changed()
                columns.part(first, last).fill_from(events)
                first = last
        if first != len(columns.t):
            raise self._changed()
        return self._as_indexed(columns, self.blocks[wanted])


@contextmanager
def _damage_named(path: Path, message: Message, topic: Topic) -> Iterator[None]:
    """Turns a MessageError into a FormatError that names the file, the message and its topic."""
    try:
        yield
    except MessageError as error:
        raise FormatError(
            f"{path}: {message.place}: a message of {topic.type_name}, topic {topic.name}: {error}"
        ) from error


def open_bag(path: Path, format: str, bag: Bag, sensor: Sensor | None, keep: bool) -> BagRecording:
    """Check every message of the topic of events, and index them by time.

    Raises
    ------
    FormatError
        When the bag is damaged, holds no topic of events or several, or does not tell the sensor where none is
        stated, or an event lies off it.
    """
    with RecordingFile(path) as file:
        fingerprint = file.fingerprint
    with bag.opened(fingerprint) as reader:
        index = _Index(path, reader, sensor, keep)
        for stretch in reader.stretches():
            index.add(*stretch)
        index.require_topic()
        findings = index.findings + reader.findings
    if index.sensor is None:
        raise not_told(path)
    counted = _evt3_words.DECODING.counted
    findings += Counter({reason: int(index.state[field][0]) for reason, field in counted.items()})
    return BagRecording(
        path=path,
        format=format,
        sensor=index.sensor,
        findings=+findings,
        fingerprint=fingerprint,
        blocks=np.array(index.blocks, BLOCK),
        states=np.concatenate(index.states) if index.states else np.zeros(0, _evt3_words.STATE),
        held=Columns.joined(index.held or [Columns.empty(0)]) if keep else None,
        bag=bag.knowing(reader.topics),
        topic_name=index.topic_name,
    )


class _Index:
    """What is known of a bag after some of its stretches."""

    def __init__(self, path: Path, reader: OpenBag, sensor: Sensor | None, keep: bool) -> None:
        self.path, self.reader, self.sensor, self.keep = path, reader, sensor, keep
        self.is_stated = sensor is not None
        self.topic_name: str | None = None
        self.findings: Counter[str] = Counter()
        self.blocks: list[tuple[int, int, int, int, int]] = []
        self.states: list[NDArray[Any]] = []
        self.held: list[Columns] = []
        self.state = np.zeros(1, _evt3_words.STATE)
        self.latest_us = int(np.iinfo(np.int64).min)
        self.next_seq: int | None = None

    def add(self, first: int, second: int) -> None:
        """Take in the next stretch."""
        before = self.state.copy()
        parts = []
        limits: list[int] = []
        n_events = 0
        for message in self.reader.messages(first, second):
            topic = self.reader.topics[message.channel]
            if topic.type_name not in DEFINITIONS:
                self.findings["messages of other topics"] += 1
                continue
            events = self._events(message, topic)
            if len(events.t):
                limits += self._survey(message, events)
                parts.append(events)
                n_events += len(events.t)
            if n_events > _ros_messages.MOST_EVENTS:
                raise FormatError(
                    f"{self.path}: {message.place}: more than {_ros_messages.MOST_EVENTS} events in a chunk up to "
                    "there; the file is damaged, or made to fill memory: if neither, rewrite it with smaller chunks"
                )
        if parts:
            self.blocks.append((first, second, n_events, min(limits), max(limits)))
            self.states.append(before)
        if self.keep:
            self.held += parts

    def _events(self, message: Message, topic: Topic) -> Columns:
        if topic.definition not in ("*", DEFINITIONS[topic.type_name]):
            raise FormatError(
                f"{self.path}: {message.place}: topic {topic.name} has another definition of {topic.type_name} "
                f"(MD5 {topic.definition}, read is {DEFINITIONS[topic.type_name]}): convert it"
            )
        with _damage_named(self.path, message, topic):
            found = parsed(message.data, topic.type_name, topic.is_cdr)
            if _is_trigger(found):
                self.findings["trigger messages"] += 1
                return Columns.empty(0)
            self._require_one_topic(topic)
            self._learn_sensor(found)
            events = columns_of(found, self.state)
        if isinstance(found, Packed):
            if self.next_seq is not None and found.seq > self.next_seq:
                self.findings["lost messages"] += found.seq - self.next_seq
            self.next_seq = found.seq + 1
        return events

    def _require_one_topic(self, topic: Topic) -> None:
        if self.topic_name in (None, topic.name):
            self.topic_name = topic.name
            return
        names = sorted({known.name for known in self.reader.topics.values() if known.type_name in DEFINITIONS})
        raise FormatError(
            f"{self.path}: events of several topics ({', '.join(names)}), as of a stereo rig; write each to a bag of "
            "its own: ROS 1 `rosbag filter in.bag out.bag \"topic == '/name'\"`, ROS 2 `ros2 bag convert`"
        )

    def _learn_sensor(self, found: Listed | Packed) -> None:
        if self.is_stated or (found.width, found.height) == (0, 0):
            return
        if not (1 <= found.width <= 65536 and 1 <= found.height <= 65536):
            raise MessageError(0, f"a sensor of {found.width}x{found.height} pixels")
        told = Sensor(found.width, found.height)
        if self.sensor not in (None, told):
            raise MessageError(0, f"a sensor {told} after {self.sensor}", "if both are one, state it with sensor=")
        self.sensor = told

    def _survey(self, message: Message, events: Columns) -> tuple[int, int]:
        """First and last time, after a check that all events lie on the sensor."""
        min_us, max_us, n_late, x_max, y_max = survey(events.t, events.x, events.y, self.latest_us)
        self.findings["late"] += n_late
        self.latest_us = max(self.latest_us, max_us)
        if self.sensor is None:
            raise not_told(self.path)
        if x_max >= self.sensor.width or y_max >= self.sensor.height:
            k = int(np.argmax((events.x >= self.sensor.width) | (events.y >= self.sensor.height)))
            raise FormatError(
                f"{self.path}: {message.place}: event at x={events.x[k]}, y={events.y[k]} lies off the sensor "
                f"{self.sensor}, number {k} of the message there; the file is damaged, or from another sensor: state "
                "it with sensor="
            )
        return min_us, max_us

    def require_topic(self) -> None:
        """FormatError when the bag has no topic of events at all."""
        topics = self.reader.topics.values()
        if not any(topic.type_name in DEFINITIONS for topic in topics):
            held = ", ".join(sorted({f"{topic.name} ({topic.type_name})" for topic in topics})) or "no topic"
            raise FormatError(f"{self.path}: no topic of events ({', '.join(DEFINITIONS)}); the bag has {held}")


def add_topic(topics: dict[int, Topic], channel: int, topic: Topic, path: Path, place: str) -> None:
    """Take in what a channel carries; FormatError when it carried something else before."""
    if topics.setdefault(channel, topic) != topic:
        raise FormatError(
            f"{path}: {place}: channel {channel} carries {topic.name} ({topic.type_name}), but "
            f"{topics[channel].name} ({topics[channel].type_name}) before; {GET_AGAIN}"
        )


def _is_trigger(message: Listed | Packed) -> bool:
    return isinstance(message, Packed) and message.encoding == TRIGGER


def unpacked(path: Path, at: int, packed: memoryview, packing: str, n_bytes: int) -> memoryview:
    """A chunk that stands at a byte of a file, unpacked; packing is lz4, bz2, zstd, or "" for none.

    Raises
    ------
    FormatError
        When it does not unpack to n_bytes, or that is too much.
    MissingExtraError
        When the extra `ros` is not installed, for lz4 and zstd.
    """
    if packing and packing not in UNPACKERS:
        raise FormatError(f"{path}: byte {at}: a chunk packed with {packing[:40]!r}; read are {', '.join(UNPACKERS)}")
    if n_bytes > LARGEST_CHUNK_BYTES or n_bytes > max(SMALL_BYTES, MOST_PACKED * len(packed)):
        raise FormatError(
            f"{path}: byte {at}: a chunk of {len(packed)} bytes is to become {n_bytes}; the file is damaged, or made "
            f"to fill memory; if it is neither, rewrite it with chunks below {LARGEST_CHUNK_BYTES} bytes"
        )
    try:
        content = memoryview(UNPACKERS[packing](packed, n_bytes, EXTRA)) if packing else packed
    except UnpackError as error:
        raise FormatError(f"{path}: byte {at}: the chunk {error}; {GET_AGAIN}") from error
    if len(content) != n_bytes:
        raise FormatError(f"{path}: byte {at}: a chunk says {n_bytes} bytes but unpacks to {len(content)}; {GET_AGAIN}")
    return content
