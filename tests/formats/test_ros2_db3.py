from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Format, open_recording, read
from neurodata.formats._detect import detect
from neurodata.signals import Sensor
from tests.formats.bag_contract import EVENTS, BagContract
from tests.formats.contract import recorded
from tests.formats.ros_bags import Row, Sent, cdr_list, cdr_packet, lists_of, ros2_db3, rows


@pytest.fixture
def format() -> Format:
    found: Format = registry.formats["ros2_db3"]
    return found


class TestRos2Db3(BagContract):
    def save(self, path: Path, sent: Sequence[Sent]) -> None:
        ros2_db3(path, sent)

    def list_message(self, events: Sequence[Row], size: tuple[int, int] = (34, 34)) -> bytes:
        return cdr_list(events, size)

    def packet(self, body: bytes, encoding: str = "evt3", **fields: int) -> bytes:
        return cdr_packet(body, encoding, **fields)

    def test_an_event_off_the_stated_sensor_is_named_with_its_byte(self, format: Format, written: Path) -> None:
        """With the id of its row, that is: the bytes of a row stand all over the file."""
        with pytest.raises(
            FormatError, match=r"message 1: event at x=\d+, y=\d+ lies off the sensor 30x34x2, number \d"
        ):
            format.open(written, Sensor(30, 34))


def db3_of(folder: Path, *commands: str) -> Path:
    """A bag with some commands run on it."""
    path = folder / "a.db3"
    ros2_db3(path, lists_of(recorded(300), cdr_list, 100))
    with sqlite3.connect(path) as connection:
        for command in commands:
            connection.execute(command)
    connection.close()
    return path


def test_rows_are_read_in_stretches(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    ros2_db3(path, lists_of(recorded(60_000), cdr_list, 1000))
    recording = registry.formats["ros2_db3"].open(path)
    assert len(recording.blocks) == 4
    assert recording.events() == recorded(60_000)
    assert recording.events(500_000, 600_000) == recorded(60_000).between(500_000, 600_000)


def test_nothing_is_written_beside_the_file_or_into_it(tmp_path: Path) -> None:
    path = db3_of(tmp_path, "PRAGMA user_version = 3")
    before = path.read_bytes()
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert read(path) == recorded(300)
    finally:
        tmp_path.chmod(0o700)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_hold_what_addresses_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "50% ? # é"
    folder.mkdir()
    assert read(db3_of(folder)) == recorded(300)


def test_another_database_is_no_bag(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE topics (id INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(FormatError, match=r"ros2_db3: SQLite without a plain table topics \(id, name, type, "):
        detect(path)


LOOP = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (["DROP TABLE messages"], "without a plain table messages"),
        (["DROP TABLE messages", f"CREATE VIEW messages AS {LOOP} SELECT i AS id, 1 AS topic_id, 'a' AS data FROM n"],
         "without a plain table messages"),
        (["DROP TABLE messages", "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, "
          "data BLOB GENERATED ALWAYS AS (zeroblob(1000000000)))"], "without a plain table messages"),
        (["UPDATE messages SET data = 7 WHERE id = 2"], "message 2: bytes of no topic, or a topic without"),
        (["UPDATE messages SET topic_id = 7 WHERE id = 2"], "message 2: bytes of no topic, or a topic without"),
        (["UPDATE topics SET type = X'00'"], "a row of topics that holds no names"),
        (["UPDATE messages SET data = X'28B52FFD00' WHERE id = 2"], "message 2: messages are packed one by one"),
        (["UPDATE topics SET serialization_format = 'cbor'"], r"no topic of events .*dvs_msgs/EventArray in 'cbor'"),
        (["UPDATE messages SET data = CAST(X'00030000' || data AS BLOB) WHERE id = 1"],
         "byte 0: begins with 00 03 00 00, which is no"),
    ],
)  # fmt: skip
def test_what_is_no_plain_bag_is_refused(tmp_path: Path, commands: list[str], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        open_recording(db3_of(tmp_path, *commands), "ros2_db3")


def messages_page(path: Path) -> int:
    """Byte at which the first page of the table of messages begins."""
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()
    connection.close()
    return int(number - 1) * 512


def test_rows_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Pages that follow a row may be pointed to by all rows: together they would be larger than the file."""
    path = tmp_path / "a.db3"
    ros2_db3(path, [Sent(bytes(39 + 20 * 508 - 9))] * 5)  # 9: what describes the columns; 39 bytes stand in the row
    content, page = bytearray(path.read_bytes()), messages_page(path)
    cells = struct.unpack_from(">5H", content, page + 8)
    next_pages = [page + cell + 2 + 1 + 39 for cell in cells]  # behind length, id and those 39 bytes
    first_next = content[next_pages[0] : next_pages[0] + 4]
    for at in next_pages:
        content[at : at + 4] = first_next
    n_pages = int.from_bytes(first_next, "big") + 19
    content[28:32] = n_pages.to_bytes(4, "big")
    path.write_bytes(content[: n_pages * 512])
    with pytest.raises(
        FormatError, match=r"message 2: messages up to there hold 20380 bytes, and it 10190, in a file of"
    ):
        open_recording(path)


def test_a_row_that_comes_twice_is_refused(tmp_path: Path) -> None:
    """Pages may also point to others more than once: such a table goes on for ever."""
    path = tmp_path / "a.db3"
    ros2_db3(path, lists_of(recorded(300), cdr_list, 10))
    content, page = bytearray(path.read_bytes()), messages_page(path)
    assert content[page] == 5  # a page of pages
    first_cell = page + int.from_bytes(content[page + 12 : page + 14], "big")
    content[page + 8 : page + 12] = content[first_cell : first_cell + 4]
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"message 1: a row without bytes, or twice|SQLite cannot be read"):
        open_recording(path)


def test_a_log_beside_the_file_is_not_passed_over(tmp_path: Path) -> None:
    """Recorders that write ahead leave what came last in it, when they are killed."""
    path = tmp_path / "a.db3"
    ros2_db3(path, lists_of(recorded(300), cdr_list, 100))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("DELETE FROM messages WHERE id = 3")
    connection.commit()
    with pytest.raises(FormatError, match=r"what was recorded last is still in a\.db3-wal; put it into the file"):
        open_recording(path)
    connection.close()
    assert open_recording(path).n_events == 200


@pytest.mark.parametrize("frame", [b"", b"a", b"ab", b"abc", b"abcd"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("n", [0, 1, 2, 20])
def test_fields_are_aligned_whatever_stands_before_them(tmp_path: Path, frame: bytes, order: str, n: int) -> None:
    path = tmp_path / "a.db3"
    ros2_db3(path, [Sent(cdr_list(EVENTS[:n], frame=frame, order=order))])
    assert rows(read(path)) == [(t, x, y, p == 1) for t, x, y, p in EVENTS[:n]]


def test_padding_behind_a_message_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    ros2_db3(path, [Sent(cdr_list(EVENTS) + bytes(3))])
    assert open_recording(path).n_events == 20


def test_times_before_1970_are_negative(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    ros2_db3(path, [Sent(cdr_list([(-1_500_000, 1, 2, 1)]))])
    assert rows(read(path)) == [(-1_500_000, 1, 2, True)]


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_we_read_what_rosbags_writes(tmp_path: Path, storage: str) -> None:
    rosbag2, types = pytest.importorskip("rosbags.rosbag2"), pytest.importorskip("rosbags.typesys")
    store = types.get_typestore(types.Stores.ROS2_HUMBLE)
    stamp = "builtin_interfaces/msg/Time"
    store.register(types.get_types_from_msg(f"uint16 x\nuint16 y\n{stamp} ts\nbool polarity\n", "dvs_msgs/msg/Event"))
    text = "std_msgs/msg/Header header\nuint32 height\nuint32 width\ndvs_msgs/msg/Event[] events\n"
    store.register(types.get_types_from_msg(text, "dvs_msgs/msg/EventArray"))
    text = (
        "std_msgs/msg/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\nstring encoding\n"
        "bool is_bigendian\nuint8[] events\n"
    )
    store.register(types.get_types_from_msg(text, "event_camera_msgs/msg/EventPacket"))
    kinds = store.types
    time, events = kinds[stamp], recorded(1000)
    header = kinds["std_msgs/msg/Header"](stamp=time(1, 2), frame_id="camera")
    folder = tmp_path / "bag"
    with rosbag2.Writer(folder, version=9, storage_plugin=getattr(rosbag2.StoragePlugin, storage.upper())) as writer:
        connection = writer.add_connection("/e", "dvs_msgs/msg/EventArray", typestore=store)
        for k, part in enumerate(events.packets(100)):
            listed = [
                kinds["dvs_msgs/msg/Event"](x, y, time(t // 10**6, t % 10**6 * 1000), p) for t, x, y, p in rows(part)
            ]
            message = kinds["dvs_msgs/msg/EventArray"](header, 34, 34, listed)
            content = store.serialize_cdr(message, "dvs_msgs/msg/EventArray")
            assert bytes(content) == cdr_list(
                [(t, x, y, int(p)) for t, x, y, p in rows(part)], frame=b"camera"
            ).replace(b"\5\0\0\0\6\0\0\0", b"\1\0\0\0\2\0\0\0", 1)
            writer.write(connection, k, content)
    (path,) = (file for file in folder.iterdir() if file.suffix != ".yaml")
    recording = open_recording(path)
    assert recording.format == {"sqlite3": "ros2_db3", "mcap": "ros2_mcap"}[storage]
    assert recording.events() == events


def test_the_real_recording_holds_what_its_maker_put_into_it(recordings: Path) -> None:
    """Two messages of 50 events, 1 us apart, along a diagonal from the middle, polarity in turn."""
    types = pytest.importorskip("rosbags.typesys")
    path = recordings / "event" / "ros" / "codecs_mono_cd_0.db3"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.findings) == ("ros2_db3", Sensor(640, 480), {})
    expected = [(k, 320 + k % 50, 240 + k % 50, k % 2 == 1) for k in range(100)]
    assert rows(recording.events()) == rows(read(path)) == expected
    store = types.get_typestore(types.Stores.ROS2_HUMBLE)
    text = (
        "std_msgs/msg/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\nstring encoding\n"
        "bool is_bigendian\nuint8[] events\n"
    )
    store.register(types.get_types_from_msg(text, "event_array_msgs/msg/EventArray"))
    found = []
    with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as connection:
        for (content,) in connection.execute("SELECT data FROM messages ORDER BY timestamp"):
            message = store.deserialize_cdr(content, "event_array_msgs/msg/EventArray")
            for word in message.events.view("<u8").tolist():
                t_us = (message.time_base + (word & 0xFFFFFFFF)) // 1000
                found.append((t_us, word >> 32 & 0xFFFF, word >> 48 & 0x7FFF, word >> 63 == 1))
    connection.close()
    assert found == expected
