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
from neurodata.formats.evt2 import DECODING, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.formats.prophesee import decoded, equal, expelliarmus_events, rows, save_with_expelliarmus

HEADER = b"% evt 2.0\n% format EVT2;height=480;width=640\n% geometry 640x480\n% end\n"
TRIGGER, OTHERS, CONTINUED, RESERVED = 0xA0000101, 0xE0000000, 0xF0000000, 0x20000000


def time_high(value: int) -> int:
    return 0x80000000 | value


def event(low: int, x: int, y: int, p: int = 0) -> int:
    return p << 28 | low << 22 | x << 11 | y


def recording_of(folder: Path, words: list[int], header: bytes = HEADER, tail: bytes = b"") -> BlockRecording:
    path = folder / "recording.raw"
    path.write_bytes(header + struct.pack(f"<{len(words)}I", *words) + tail)
    found: BlockRecording = registry.formats["evt2"].open(path)
    return found


def test_the_bits_of_an_event_are_where_the_specification_says(tmp_path: Path) -> None:
    body = bytes([3, 0, 0, 0x80, 0xDF, 0xF9, 0x53, 0x12])  # 0x1253F9DF: ON, time 9, x 639, y 479
    path = tmp_path / "a.raw"
    path.write_bytes(HEADER + body)
    assert rows(read(path)) == [(3 * 64 + 9, 639, 479, 1)]


def test_every_wrap_of_the_high_part_counts_2_to_the_34_us(tmp_path: Path) -> None:
    top = 2**28 - 1
    words = [
        time_high(top),
        event(63, 0, 0),
        time_high(0),
        event(0, 0, 0),
        time_high(2**27),
        time_high(1),
        event(0, 0, 0),
    ]
    words[5:5] = [time_high(top)]
    assert recording_of(tmp_path, words).events().t.tolist() == [2**34 - 1, 2**34, 2 * 2**34 + 64]


def test_a_high_part_that_falls_by_less_than_half_its_range_is_late_and_no_wrap(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, [time_high(2**27), event(0, 1, 0), time_high(1), event(0, 2, 0)])
    assert [(t, x) for t, x, _, _ in rows(recording.events())] == [(64, 2), (2**33, 1)]
    assert recording.findings == {"late": 1}


def test_what_is_no_event_or_has_no_time_is_left_out_and_counted(tmp_path: Path) -> None:
    words = [event(1, 1, 1), event(2, 1, 1), TRIGGER, time_high(0), OTHERS, CONTINUED, event(3, 4, 5, 1), RESERVED]
    recording = recording_of(tmp_path, words)
    assert rows(recording.events()) == [(3, 4, 5, 1)]
    assert recording.findings == {
        "before the first time": 2, "external triggers": 1, "other words": 2, "reserved words": 1,
    }  # fmt: skip


stream_words = st.lists(
    st.one_of(
        st.builds(event, st.integers(0, 63), st.integers(0, 2047), st.integers(0, 2047), st.integers(0, 1)),
        st.builds(time_high, st.integers(0, 2**28 - 1)),
        st.sampled_from([TRIGGER, OTHERS, CONTINUED, RESERVED]),
    ),
    max_size=40,
).map(lambda words: [time_high(7), *words])


@given(stream_words, st.lists(st.integers(4, 40), min_size=1, max_size=5), st.integers(1, 30))
def test_the_kernel_equals_its_reference_wherever_it_stops(words: list[int], cuts: list[int], room: int) -> None:
    raw = np.frombuffer(struct.pack(f"<{len(words)}I", *words), np.uint8)
    expected = reference(np.array(words, np.uint32))
    assert equal(decoded(DECODING, raw, [len(raw)], len(words))[0], expected)
    assert equal(decoded(DECODING, raw, cuts, room)[0], expected)


@pytest.mark.parametrize(
    ("words", "tail", "message"),
    [
        (
            [time_high(0), event(1, 1, 1)],
            b"\x00\x01\x02",
            rf"byte {len(HEADER) + 8}: 3 bytes left where a word needs 4",
        ),
        ([time_high(0), event(1, 640, 1)], b"", rf"byte {len(HEADER) + 4}: event at x=640, y=1 lies off"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, words: list[int], tail: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"recording\.raw: .*{message}"):
        recording_of(tmp_path, words, tail=tail)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"% evt 2.0\n", "names no size; state the sensor"),
        (b"% evt 3.0\n% geometry 640x480\n% end\n", "names the encoding EVT3, so it is not EVT2"),
        (b"", r"byte 0: no header line"),
    ],
)
def test_a_header_that_does_not_serve_is_refused(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        recording_of(tmp_path, [time_high(0), event(1, 1, 1)], header)


@pytest.mark.parametrize("gap_us", [63, 64, 2**33 - 64, 2**33, 2**34 - 1, 2**34, 2**40 + 12345, 2**48 - 200_000])
def test_long_gaps_come_back_with_every_wrap(tmp_path: Path, gap_us: int) -> None:
    events = recorded(3000)
    moved = EventArray(
        events.t + np.where(np.arange(3000) < 1500, 0, gap_us), events.x, events.y, events.p, events.sensor
    )
    write(moved, tmp_path / "a.raw", "evt2")
    assert read(tmp_path / "a.raw") == moved


@pytest.mark.parametrize(("t", "x", "message"), [(2**48, 0, "is written from 0 to"), (0, 2048, "holds 11 bits")])
def test_what_the_words_cannot_hold_is_refused(tmp_path: Path, t: int, x: int, message: str) -> None:
    one = np.zeros(1, np.uint16)
    with pytest.raises(FormatError, match=message):
        write(EventArray(np.array([t]), one + np.uint16(x), one, one > 0, Sensor(4096, 1)), tmp_path / "a.raw", "evt2")


def test_the_real_recording_equals_expelliarmus_on_every_event(recordings: Path) -> None:
    path = recordings / "event" / "evt2" / "expelliarmus_evt2_sample.raw"
    events = read(path, sensor=Sensor(640, 480))
    assert len(events) == 539_481
    assert equal(expelliarmus_events("evt2", path), (events.t, events.x, events.y, events.p))


def test_expelliarmus_and_this_format_read_what_the_other_writes(tmp_path: Path) -> None:
    events = recorded(20_000)
    write(events, tmp_path / "ours.raw", "evt2")
    assert equal(expelliarmus_events("evt2", tmp_path / "ours.raw"), (events.t, events.x, events.y, events.p))
    save_with_expelliarmus("evt2", events, tmp_path / "theirs.raw")
    body = (tmp_path / "theirs.raw").read_bytes()
    (tmp_path / "theirs.raw").write_bytes(body if body.startswith(b"%") else HEADER + body)
    assert read(tmp_path / "theirs.raw", format="evt2", sensor=events.sensor) == events


def test_the_encoding_is_found_from_the_header_alone(tmp_path: Path) -> None:
    for name in ("evt2", "evt3"):
        write(recorded(50), tmp_path / "a.raw", name)
        assert open_recording(tmp_path / "a.raw").format == name
