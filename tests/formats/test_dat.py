from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._blocks import BlockRecording
from neurodata.formats.dat import BITS, DECODINGS, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.formats.prophesee import decoded, equal, expelliarmus_events, rows, save_with_expelliarmus

HEADER = b"% Data file containing CD events\n% Version 2\n% Width 304\n% Height 240\n"
CD, EVENT_2D = b"\x0c\x08", b"\x00\x08"


def recording_of(folder: Path, body: bytes, header: bytes = HEADER, sensor: Sensor | None = None) -> BlockRecording:
    path = folder / "recording.dat"
    path.write_bytes(header + body)
    found: BlockRecording = registry.formats["dat"].open(path, sensor)
    return found


@pytest.mark.parametrize("kind", [CD, EVENT_2D])
def test_the_bits_of_an_event_are_where_the_specification_says(tmp_path: Path, kind: bytes) -> None:
    body = kind + struct.pack("<II", 2**32 - 1, 1 << 28 | 239 << 14 | 303)
    assert rows(recording_of(tmp_path, body).events()) == [(2**32 - 1, 303, 239, 1)]


def test_version_1_has_9_bits_of_x_and_8_of_y(tmp_path: Path) -> None:
    body = EVENT_2D + struct.pack("<IIII", 5, 1 << 17 | 239 << 9 | 303, 6, 200 << 9 | 1)
    assert rows(recording_of(tmp_path, body, HEADER.replace(b"Version 2", b"Version 1")).events()) == [
        (5, 303, 239, 1), (6, 1, 200, 0),
    ]  # fmt: skip


def test_only_the_lowest_bit_of_the_polarity_counts(tmp_path: Path) -> None:
    body = CD + struct.pack("<IIII", 5, 0xF0000000, 6, 0xE0000000)
    assert recording_of(tmp_path, body).events().p.tolist() == [True, False]


def test_late_events_are_sorted_and_counted(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, CD + struct.pack("<IIIIII", 5, 1, 9, 2, 7, 3))
    assert [(t, x) for t, x, _, _ in rows(recording.events())] == [(5, 1), (7, 3), (9, 2)]
    assert recording.findings == {"late": 1}


@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=60).map(lambda words: words[: len(words) // 2 * 2]),
    st.sampled_from(sorted(BITS)),
    st.lists(st.integers(8, 40), min_size=1, max_size=5),
    st.integers(1, 30),
)
def test_the_kernel_equals_its_reference_wherever_it_stops(
    words: list[int], version: str, cuts: list[int], room: int
) -> None:
    raw = np.frombuffer(struct.pack(f"<{len(words)}I", *words), np.uint8)
    expected = reference(np.array(words, np.uint32), *BITS[version])
    assert equal(decoded(DECODINGS[version], raw, cuts, room)[0], expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            CD + bytes(8) + b"\x01\x02\x03",
            rf"byte {len(HEADER) + 10}: 3 bytes left where an event needs 8; .*truncated",
        ),
        (CD + bytes(8) + struct.pack("<II", 1, 304), rf"byte {len(HEADER) + 10}: event at x=304, y=0 lies off"),
        (b"\x0e\x08" + bytes(8), rf"byte {len(HEADER)}: events of type and size \[14, 8\]; read are"),
        (b"\x0c\x05" + bytes(5), rf"byte {len(HEADER)}: events of type and size \[12, 5\]"),
        (b"\x0c", r"type and size \[12\]"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"recording\.dat: .*{message}"):
        recording_of(tmp_path, body)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"% Version 2\n", "names no size; state the sensor"),
        (b"% Width 304\n% Height 240\n", "the header says version None; DAT has the versions 1, 2"),
        (HEADER.replace(b"Version 2", b"Version 3"), "version 3; DAT has"),
        (b"", "byte 0: no header line"),
    ],
)
def test_a_header_that_does_not_serve_is_refused(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        recording_of(tmp_path, CD + bytes(8), header)


@pytest.mark.parametrize(("t", "x", "message"), [(2**32, 0, "DAT is written from 0 to"), (0, 1 << 14, "holds 14 bits")])
def test_what_an_event_cannot_hold_is_refused(tmp_path: Path, t: int, x: int, message: str) -> None:
    one = np.zeros(1, np.uint16)
    with pytest.raises(FormatError, match=message):
        write(EventArray(np.array([t]), one + np.uint16(x), one, one > 0, Sensor(65536, 1)), tmp_path / "a.dat")


def test_the_written_file_is_the_specifications(tmp_path: Path) -> None:
    x, y = np.array([303], np.uint16), np.array([239], np.uint16)
    write(EventArray(np.array([7]), x, y, x > 0, Sensor(304, 240)), tmp_path / "a.dat")
    assert (tmp_path / "a.dat").read_bytes() == HEADER + CD + struct.pack("<II", 7, 1 << 28 | 239 << 14 | 303)


def test_the_real_recording_equals_expelliarmus_on_every_event(recordings: Path) -> None:
    path = recordings / "event" / "dat" / "sample_ncars.dat"
    recording = open_recording(path, sensor=Sensor(304, 240))
    events = recording.events()
    assert (recording.format, len(events), recording.findings) == ("dat", 2009, {})
    assert equal(expelliarmus_events("dat", path), (events.t, events.x, events.y, events.p))


def test_expelliarmus_and_this_format_read_what_the_other_writes(tmp_path: Path) -> None:
    events = recorded(20_000)
    write(events, tmp_path / "ours.dat")
    assert equal(expelliarmus_events("dat", tmp_path / "ours.dat"), (events.t, events.x, events.y, events.p))
    save_with_expelliarmus("dat", events, tmp_path / "theirs.dat")
    assert read(tmp_path / "theirs.dat", sensor=events.sensor) == events


@pytest.mark.parametrize("version", [1, 2])
def test_faery_reads_both_versions_alike(tmp_path: Path, version: int) -> None:
    faery = pytest.importorskip("faery", reason="needs faery")
    events = recorded(3000)
    x_bits, y_bits = BITS[str(version)]
    address = events.p.astype(np.int64) << (x_bits + y_bits) | events.y.astype(np.int64) << x_bits | events.x
    body = CD + np.stack([events.t, address], axis=1).astype("<u4").tobytes()
    header = HEADER.replace(b"Version 2", f"Version {version}".encode())
    ours = recording_of(tmp_path, body, header).events()
    theirs = np.concatenate(list(faery.events_stream_from_file(tmp_path / "recording.dat")))
    found = tuple(theirs[name] for name in ("t", "x", "y", "on"))
    assert equal((ours.t, ours.x, ours.y, ours.p), (events.t, events.x, events.y, events.p))
    assert equal((ours.t, ours.x, ours.y, ours.p), found)
