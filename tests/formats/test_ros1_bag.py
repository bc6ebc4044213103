from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import Format, open_recording, read
from neurodata.signals import EventArray, Sensor
from tests.formats.bag_contract import EVENTS, BagContract
from tests.formats.contract import recorded
from tests.formats.ros_bags import (
    IMU,
    Row,
    Sent,
    bag_header,
    lists_of,
    peak_of_refusal,
    ros1_bag,
    ros1_chunk,
    ros1_list,
    ros1_packet,
    ros1_records,
    rows,
)


@pytest.fixture
def format() -> Format:
    found: Format = registry.formats["ros1_bag"]
    return found


class TestRos1Bag(BagContract):
    def save(self, path: Path, sent: Sequence[Sent]) -> None:
        path.write_bytes(ros1_bag(sent))

    def list_message(self, events: Sequence[Row], size: tuple[int, int] = (34, 34)) -> bytes:
        return ros1_list(events, size)

    def packet(self, body: bytes, encoding: str = "evt3", **fields: int) -> bytes:
        return ros1_packet(body, encoding, **fields)


def bag_of(folder: Path, content: bytes) -> Path:
    path = folder / "a.bag"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packing", ["none", "bz2", "lz4"])
@pytest.mark.parametrize("keep", [False, True])
def test_every_compression_is_read(tmp_path: Path, packing: str, keep: bool) -> None:
    events = recorded(3000)
    path = bag_of(tmp_path, ros1_bag(lists_of(events, ros1_list, 100), packing))
    recording = registry.formats["ros1_bag"].open(path, keep=keep)
    assert len(recording.blocks) == 4
    assert recording.events() == events
    assert recording.events(20_000, 30_000) == events.between(20_000, 30_000)
    assert list(recording.packets(1000)) == list(events.packets(1000))


def test_connections_described_in_the_first_chunk_hold_for_all(tmp_path: Path) -> None:
    """Slices read a later chunk without the first one."""
    path = bag_of(tmp_path, ros1_bag([Sent(b"", "/imu", IMU), *lists_of(recorded(3000), ros1_list, 100)], per_chunk=2))
    assert open_recording(path).events(40_000, 41_000) == recorded(3000).between(40_000, 41_000)


def test_a_bag_that_was_never_closed_is_read_up_to_its_last_record(tmp_path: Path) -> None:
    chunk = ros1_chunk(ros1_records([Sent(ros1_list(EVENTS))], {}))
    path = bag_of(tmp_path, bag_header(0, index_at=0) + chunk)
    assert rows(read(path)) == [(t, x, y, p == 1) for t, x, y, p in EVENTS]
    assert open_recording(path).findings == {"without index": 1}


def test_messages_may_stand_in_no_chunk(tmp_path: Path) -> None:
    path = bag_of(tmp_path, bag_header(0) + ros1_records([Sent(ros1_list([event])) for event in EVENTS], {}))
    assert open_recording(path).events().x.tolist() == [x for _, x, _, _ in EVENTS]


GOOD = ros1_records([Sent(ros1_list(EVENTS))], {})
KNOWN = {"/dvs/events": 0}
MESSAGE_ALONE = ros1_records([Sent(ros1_list(EVENTS))], KNOWN)
AT = len(bag_header(1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#ROSBAG V1.2\n", r"byte 0: does not begin with '#ROSBAG V2\.0'"),
        (bag_header(0)[:13], "byte 13: 0 bytes left where a record goes on"),
        (bag_header(2) + ros1_chunk(GOOD), "the bag says 2 chunks and an index at byte 1, but 1 chunks are in"),
        (bag_header(1, index_at=10**9) + ros1_chunk(GOOD), "an index at byte 1000000000, but 1 chunks"),
        (bag_header(0, encryptor=b"rosbag/AesCbcEncryptor"), "byte 13: an encrypted bag"),
        (b"#ROSBAG V2.0\n" + ros1_chunk(GOOD), "byte 13: a record that is not the header of a bag"),
        (bag_header(1) + b"\xff" * 99, f"byte {AT}: header of 4294967295 bytes in a record, but 95 are left"),
        (bag_header(1) + b"\x05\0\0\0\x09\0\0\0=" + bytes(9), f"byte {AT}: a field of a record that is no name=value"),
        (bag_header(1) + bytes(8), f"byte {AT}: a record without its kind"),
        (bag_header(1) + ros1_chunk(GOOD)[:-1], f"data of {len(GOOD)} bytes in a record, but {len(GOOD) - 1} are left"),
        (bag_header(1) + ros1_chunk(GOOD, "zip"), f"byte {AT}: a chunk packed with 'zip'; read are lz4, zstd, bz2"),
        (bag_header(1) + ros1_chunk(GOOD, "bz2").replace(b"BZh9", b"BZh0"), f"byte {AT}: the chunk does not unpack"),
        (bag_header(1) + ros1_chunk(GOOD[:-1]), r"byte \d+: data of \d+ bytes in a record, but \d+ are left"),
        (bag_header(1) + ros1_chunk(MESSAGE_ALONE), "a message of connection 0, which no record"),
        (bag_header(1) + ros1_chunk(GOOD.replace(b"5e8bee", b"5e8bef")), "another definition of dvs_msgs/EventArray"),
        (bag_header(2) + ros1_chunk(GOOD) + ros1_chunk(GOOD.replace(b"/dvs/events", b"/dvs/Events")),
         r"channel 0 carries /dvs/Events \(dvs_msgs/EventArray\), but /dvs/events"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        open_recording(bag_of(tmp_path, content), "ros1_bag")


@pytest.mark.parametrize("packing", ["bz2", "lz4"])
@pytest.mark.parametrize(
    ("content", "size", "message"),
    [
        (bytes(1 << 26), 100, "the chunk unpacks to more than 100 bytes"),
        (bytes(1 << 20), 1 << 28, r"a chunk of \d+ bytes is to become 268435456"),
        (GOOD, len(GOOD) + 1, f"a chunk says {len(GOOD) + 1} bytes but unpacks to {len(GOOD)}"),
    ],
)
def test_a_chunk_is_not_unpacked_past_what_it_says(
    tmp_path: Path, packing: str, content: bytes, size: int, message: str
) -> None:
    path = bag_of(tmp_path, bag_header(1) + ros1_chunk(content, packing, size))
    assert peak_of_refusal(path, message) < 1 << 22


def test_a_chunk_that_is_too_long_to_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.formats.ros1_bag.LARGEST_CHUNK_BYTES", 100)
    with pytest.raises(FormatError, match=r"a record of \d+ bytes; read are those below 100: rewrite the bag"):
        open_recording(bag_of(tmp_path, bag_header(1) + ros1_chunk(GOOD)))


def test_an_absent_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bag_of(tmp_path, bag_header(1) + ros1_chunk(GOOD, "lz4"))
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingExtraError, match=r"needs lz4: pip install neurodata-pipeline\[ros\]"):
        open_recording(path)
    assert open_recording(bag_of(tmp_path, bag_header(1) + ros1_chunk(GOOD))).n_events == 20


def rosbags_bag(path: Path, packing: str, events: EventArray) -> None:
    """What rosbags writes: an EventArray of every 100 events, an IMU topic between them."""
    rosbag1, types = pytest.importorskip("rosbags.rosbag1"), pytest.importorskip("rosbags.typesys")
    store = types.get_typestore(types.Stores.ROS1_NOETIC)
    store.register(types.get_types_from_msg("uint16 x\nuint16 y\ntime ts\nbool polarity\n", "dvs_msgs/msg/Event"))
    text = "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events\n"
    store.register(types.get_types_from_msg(text, "dvs_msgs/msg/EventArray"))
    kinds = store.types
    stamp = kinds["builtin_interfaces/msg/Time"](1, 2)
    header = kinds["std_msgs/msg/Header"](seq=0, stamp=stamp, frame_id="camera")
    writer = rosbag1.Writer(path)
    if packing != "none":
        writer.set_compression(getattr(rosbag1.Writer.CompressionFormat, packing.upper()))
    with writer:
        connection = writer.add_connection("/dvs/events", "dvs_msgs/msg/EventArray", typestore=store)
        other = writer.add_connection("/note", "std_msgs/msg/String", typestore=store)
        for k, part in enumerate(events.packets(100)):
            listed = [
                kinds["dvs_msgs/msg/Event"](x, y, kinds["builtin_interfaces/msg/Time"](t // 10**6, t % 10**6 * 1000), p)
                for t, x, y, p in rows(part)
            ]
            message = kinds["dvs_msgs/msg/EventArray"](header, events.sensor.height, events.sensor.width, listed)
            writer.write(connection, k, store.serialize_ros1(message, "dvs_msgs/msg/EventArray"))
            note = kinds["std_msgs/msg/String"]("hello")
            writer.write(other, k, store.serialize_ros1(note, "std_msgs/msg/String"))


@pytest.mark.parametrize("packing", ["none", "bz2", "lz4"])
def test_we_read_what_rosbags_writes(tmp_path: Path, packing: str) -> None:
    shifted = recorded(3000)
    events = EventArray(shifted.t + 1_600_000_000_123_456, shifted.x, shifted.y, shifted.p, shifted.sensor)
    rosbags_bag(tmp_path / "a.bag", packing, events)
    recording = open_recording(tmp_path / "a.bag")
    assert recording.events() == events
    assert recording.findings == {"messages of other topics": 30}


def test_importrosbag_does_not_run_with_numpy_2() -> None:
    """It multiplies single bytes by 256, and adds up times in fractions of seconds since 1970: no oracle."""
    peer = pytest.importorskip("importRosbag.messageTypes.dvs_msgs_EventArray")
    with pytest.raises(OverflowError):
        peer.importTopic([{"data": ros1_list(EVENTS)}], disable_bar=True)


def test_the_real_recording_equals_rosbags_and_evt3(recordings: Path, tmp_path: Path) -> None:
    rosbag1, types = pytest.importorskip("rosbags.rosbag1"), pytest.importorskip("rosbags.typesys")
    evt3 = pytest.importorskip("evt3")
    path = recordings / "event" / "ros" / "test_events_1.bag"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events) == ("ros1_bag", Sensor(640, 480), 343_474)
    assert recording.findings == {"external triggers": 4157, "other words": 1800}
    store = types.get_typestore(types.Stores.ROS1_NOETIC)
    raw = tmp_path / "a.raw"
    with rosbag1.Reader(path) as reader, raw.open("wb") as file:
        file.write(b"% evt 3.0\n% geometry 640x480\n% end\n")
        for connection in reader.connections:
            store.register(types.get_types_from_msg(connection.msgdef.data, connection.msgtype))
        for connection, _, content in reader.messages():
            file.write(store.deserialize_ros1(content, connection.msgtype).events.tobytes())
    expected = evt3.decode_file(str(raw))
    events = recording.events()
    assert np.array_equal(events.t, expected.timestamp)
    assert np.array_equal(events.x, expected.x)
    assert np.array_equal(events.y, expected.y)
    assert np.array_equal(events.p, expected.polarity == 1)
    assert read(raw) == events == read(path)
    assert sum(len(part) for part in recording.packets(10_000)) == 343_474
