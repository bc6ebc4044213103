from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import Format, open_recording, read
from tests.formats.bag_contract import EVENTS, BagContract
from tests.formats.contract import recorded
from tests.formats.ros_bags import (
    IMU,
    MCAP_END,
    MCAP_START,
    Row,
    Sent,
    cdr_list,
    cdr_packet,
    lists_of,
    mcap,
    mcap_chunk,
    mcap_record,
    mcap_records,
    peak_of_refusal,
    ros1_list,
    rows,
)


@pytest.fixture
def format() -> Format:
    found: Format = registry.formats["ros2_mcap"]
    return found


class TestMcap(BagContract):
    packing: str | None = ""

    def save(self, path: Path, sent: Sequence[Sent]) -> None:
        path.write_bytes(mcap(sent, self.packing))

    def list_message(self, events: Sequence[Row], size: tuple[int, int] = (34, 34)) -> bytes:
        return cdr_list(events, size)

    def packet(self, body: bytes, encoding: str = "evt3", **fields: int) -> bytes:
        return cdr_packet(body, encoding, **fields)


class TestMcapWithoutChunks(TestMcap):
    packing = None


def mcap_of(folder: Path, content: bytes) -> Path:
    path = folder / "a.mcap"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packing", [None, "", "lz4", "zstd"])
@pytest.mark.parametrize("keep", [False, True])
def test_every_compression_is_read(tmp_path: Path, packing: str | None, keep: bool) -> None:
    events = recorded(60_000)
    path = mcap_of(tmp_path, mcap([Sent(b"", "/imu", IMU), *lists_of(events, cdr_list, 1000)], packing))
    recording = registry.formats["ros2_mcap"].open(path, keep=keep)
    assert len(recording.blocks) == (4 if packing is None else 8)
    assert recording.events() == events
    assert recording.events(800_000, 900_000) == events.between(800_000, 900_000)
    assert list(recording.packets(7000)) == list(events.packets(7000))


def test_messages_of_ros1_may_stand_in_it(tmp_path: Path) -> None:
    records = mcap_records([Sent(ros1_list(EVENTS))], {}, b"ros1")
    assert rows(read(mcap_of(tmp_path, MCAP_START + mcap_chunk(records) + MCAP_END)))[0][1:] == (0, 0, False)


def test_a_checksum_of_0_is_none(tmp_path: Path) -> None:
    records = mcap_records([Sent(cdr_list(EVENTS))], {})
    content = MCAP_START + mcap_chunk(records, checksum=0) + MCAP_END
    assert open_recording(mcap_of(tmp_path, content)).n_events == 20


GOOD = mcap_records([Sent(cdr_list(EVENTS))], {})
AT = len(MCAP_START)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#", "byte 0: does not begin as MCAP"),
        (MCAP_START, f"byte {AT}: a record needs 9 bytes, but 0 are left; .*`mcap recover`"),
        (MCAP_START + mcap_chunk(GOOD), r"byte \d+: a record needs 9 bytes, but 0 are left"),
        (MCAP_START + mcap_chunk(GOOD) + MCAP_END[:-1], r"byte \d+: the file does not end as MCAP"),
        (MCAP_START + b"\x06" + b"\xff" * 8 + bytes(9), f"byte {AT}: a record needs 18446744073709551624 bytes"),
        (MCAP_START + mcap_record(6, bytes(20)) + MCAP_END, f"byte {AT}: text of 0 bytes past its record"),
        (MCAP_START + mcap_chunk(GOOD, checksum=5) + MCAP_END, f"byte {AT}: the chunk does not have its checksum"),
        (MCAP_START + mcap_chunk(GOOD, "zip") + MCAP_END, "a chunk packed with 'zip'; read are lz4, zstd, bz2"),
        (MCAP_START + mcap_chunk(GOOD[:-1]) + MCAP_END, r"byte \d+: a record needs \d+ bytes, but \d+ are left"),
        (MCAP_START + mcap_record(6, bytes(32)) + MCAP_END, f"byte {AT}: a chunk of 32 bytes"),
        (MCAP_START + mcap_record(6, bytes(40) + b"a") + MCAP_END, f"byte {AT}: a chunk says 0 bytes and holds 1"),
        (MCAP_START + mcap_chunk(bytes(900)) + MCAP_END, r"byte \d+: a record of kind 0, which none is"),
        (MCAP_START + mcap_record(5, bytes(21)) + MCAP_END, f"byte {AT}: a message of 21 bytes"),
        (MCAP_START + mcap_record(5, bytes(22)) + MCAP_END, f"byte {AT}: a message of channel 0, which no record"),
        (MCAP_START + mcap_record(4, b"abc") + MCAP_END, f"byte {AT}: a description of 3 bytes"),
        (MCAP_START + mcap_record(4, bytes(4) + b"\xff" * 4) + MCAP_END, f"byte {AT}: text of 4294967295 bytes past"),
        (MCAP_START + GOOD + GOOD.replace(b"/dvs/events", b"/dvs/Events") + MCAP_END, "channel 1 carries /dvs/Events"),
        (MCAP_START + mcap_records([Sent(b"{}")], {}, b"json") + MCAP_END,
         r"no topic of events .* the bag has /dvs/events \(dvs_msgs/EventArray in 'json'\)"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        open_recording(mcap_of(tmp_path, content), "ros2_mcap")


def test_the_byte_that_is_named_is_that_of_the_message(tmp_path: Path) -> None:
    message = cdr_list([(5, 34, 0, 0)])
    for packing in (None, ""):
        content = mcap([Sent(message)], packing)
        with pytest.raises(FormatError, match=rf"byte {content.index(message)}: event at x=34, y=0 lies off"):
            open_recording(mcap_of(tmp_path, content))
    with pytest.raises(FormatError, match=f"byte {AT}: event at x=34, y=0 lies off"):
        open_recording(mcap_of(tmp_path, mcap([Sent(message)], "zstd")))


@pytest.mark.parametrize("packing", ["lz4", "zstd"])
@pytest.mark.parametrize(
    ("size", "message"),
    [
        (100, "the chunk unpacks to more than 100 bytes"),
        (1 << 62, r"a chunk of \d+ bytes is to become 4611686018427387904"),
        ((1 << 24) + 1, r"a chunk says 16777217 bytes but unpacks to 16777216|is to become 16777217"),
    ],
)
def test_a_chunk_is_not_unpacked_past_what_it_says(tmp_path: Path, packing: str, size: int, message: str) -> None:
    path = mcap_of(tmp_path, MCAP_START + mcap_chunk(bytes(1 << 24), packing, size=size) + MCAP_END)
    assert peak_of_refusal(path, message) < 3 << 24


@pytest.mark.parametrize(("packing", "library"), [("lz4", "lz4.frame"), ("zstd", "zstandard")])
def test_an_absent_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str, library: str
) -> None:
    path = mcap_of(tmp_path, mcap([Sent(cdr_list(EVENTS))], packing))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install neurodata-pipeline\[ros\]"):
        open_recording(path)
