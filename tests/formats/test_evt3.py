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
from neurodata.formats._evt3_words import DECODING, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.formats.prophesee import decoded, equal, rows

HEADER = b"% evt 3.0\n% format EVT3;height=720;width=1280\n% geometry 1280x720\n% end\n"
TRIGGER, OTHERS, CONTINUED_4, CONTINUED_12, RESERVED = 0xA001, 0xE014, 0x7001, 0xF001, 0x9000
START = [0x8000, 0x0000]


def time_high(value: int) -> int:
    return 0x8000 | value


def time_low(value: int) -> int:
    return 0x6000 | value


def row(y: int) -> int:
    return y


def single(x: int, p: int = 0) -> int:
    return 0x2000 | p << 11 | x


def base(x: int, p: int = 0) -> int:
    return 0x3000 | p << 11 | x


def vect_12(bits: int) -> int:
    return 0x4000 | bits


def vect_8(bits: int) -> int:
    return 0x5000 | bits


def recording_of(
    folder: Path, words: list[int], header: bytes = HEADER, sensor: Sensor | None = None, keep: bool = False
) -> BlockRecording:
    path = folder / "recording.raw"
    path.write_bytes(header + struct.pack(f"<{len(words)}H", *words))
    found: BlockRecording = registry.formats["evt3"].open(path, sensor, keep)
    return found


def test_single_events_take_time_and_row_from_the_words_before(tmp_path: Path) -> None:
    words = [time_high(2), time_low(5), row(7), single(1, 1), single(3), row(8), time_low(6), single(1279)]
    t = 2 << 12
    assert rows(recording_of(tmp_path, words).events()) == [
        (t + 5, 1, 7, 1), (t + 5, 3, 7, 0), (t + 6, 1279, 8, 0),
    ]  # fmt: skip


def test_vectors_count_from_the_base_and_move_it_on(tmp_path: Path) -> None:
    words = [
        time_high(0),
        time_low(9),
        row(4),
        base(100, 1),
        vect_12(0b1000_0000_0001),
        vect_12(0),
        vect_8(0b1000_0010),
    ]
    words += [single(5), vect_12(1), base(7), vect_8(0xF01)]  # the upper bits of a VECT_8 mean nothing
    assert rows(recording_of(tmp_path, words).events()) == [
        (9, 100, 4, 1), (9, 111, 4, 1), (9, 125, 4, 1), (9, 131, 4, 1), (9, 5, 4, 0), (9, 132, 4, 1), (9, 7, 4, 0),
    ]  # fmt: skip


def test_the_bit_of_a_second_camera_is_no_part_of_the_row(tmp_path: Path) -> None:
    assert rows(recording_of(tmp_path, [time_high(0), 0x0800 | 3, single(1)]).events()) == [(0, 1, 3, 0)]


def test_a_new_time_high_sets_the_low_part_to_zero_and_the_same_again_does_not(tmp_path: Path) -> None:
    words = [*START, time_low(9), time_high(0), single(1), time_high(1), single(2), time_low(3), single(3)]
    assert recording_of(tmp_path, words).events().t.tolist() == [9, 4096, 4099]


def test_every_wrap_of_the_high_part_counts_2_to_the_24_us(tmp_path: Path) -> None:
    words = [time_high(4095), row(0), time_low(4095), single(0)]
    words += [time_high(0), single(0), time_high(2047), time_high(4094), time_high(1), single(0)]
    assert recording_of(tmp_path, words).events().t.tolist() == [2**24 - 1, 2**24, 2 * 2**24 + 4096]


def test_a_high_part_that_falls_by_less_than_half_its_range_is_late_and_no_wrap(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, [time_high(2048), row(0), single(1), time_high(1), single(2)])
    assert [(t, x) for t, x, _, _ in rows(recording.events())] == [(4096, 2), (2048 << 12, 1)]
    assert recording.findings == {"late": 1}


def test_events_without_a_time_or_a_row_are_left_out_and_counted(tmp_path: Path) -> None:
    words = [time_low(77), row(5), single(1), base(2), vect_12(0b111), vect_8(0xF01), time_high(0), single(2)]
    words += [TRIGGER, row(6), single(3)]
    recording = recording_of(tmp_path, words)
    assert rows(recording.events()) == [(0, 3, 6, 0)]
    assert recording.findings == {"before the first time and row": 6, "external triggers": 1}


def test_words_that_are_no_events_are_skipped_and_counted(tmp_path: Path) -> None:
    words = [*START, TRIGGER, OTHERS, CONTINUED_12, CONTINUED_12, CONTINUED_4, single(3), RESERVED, 0x1001, 0xD000]
    recording = recording_of(tmp_path, words)
    assert rows(recording.events()) == [(0, 3, 0, 0)]
    assert recording.findings == {"external triggers": 1, "other words": 4, "reserved words": 3}


def stream_words() -> st.SearchStrategy[list[int]]:
    word = st.one_of(
        st.builds(row, st.integers(0, 2047)),
        st.builds(single, st.integers(0, 2047), st.integers(0, 1)),
        st.builds(base, st.integers(0, 1500), st.integers(0, 1)),
        st.builds(vect_12, st.sampled_from([0, 1, 0x800, 0xFFF, 0x5A5])),
        st.builds(vect_8, st.integers(0, 0xFFF)),
        st.builds(time_low, st.integers(0, 4095)),
        st.builds(time_high, st.integers(0, 4095)),
        st.sampled_from([TRIGGER, OTHERS, CONTINUED_4, CONTINUED_12, RESERVED]),
    )
    return st.lists(word, max_size=40).map(lambda words: [*START, base(0), *words])


@given(stream_words(), st.lists(st.integers(2, 30), min_size=1, max_size=5), st.integers(1, 30))
def test_the_kernel_equals_its_reference_wherever_it_stops(words: list[int], cuts: list[int], room: int) -> None:
    raw = np.frombuffer(struct.pack(f"<{len(words)}H", *words), np.uint8)
    expected = reference(np.array(words, np.uint16))
    assert equal(decoded(DECODING, raw, [len(raw)], 12 * len(words))[0], expected)
    assert equal(decoded(DECODING, raw, cuts, room)[0], expected)


@pytest.mark.parametrize("seed", range(5))
def test_long_stretches_without_a_new_time_high_equal_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(np.array([0x0, 0x2, 0x3, 0x4, 0x5, 0x6], np.uint16), 20_000)
    words = kinds << 12 | rng.integers(0, 1 << 12, len(kinds)).astype(np.uint16)
    words[kinds == 3] &= 0x3BFF  # vectors end before the last column, after any six of them
    words[::6] = base(int(rng.integers(0, 1024)), 1)
    words[:3] = time_high(0), row(0), base(0)
    assert equal(decoded(DECODING, words.view(np.uint8), [2 * len(words)], 12 * len(words))[0], reference(words))


@pytest.mark.parametrize("keep", [False, True])
def test_vectors_denser_than_an_event_a_word_are_read_whole_and_in_parts(
    tmp_path: Path, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 20)
    words = [*START, base(0), *[vect_12(0xFFF)] * 100]
    recording = recording_of(tmp_path, words, keep=keep)
    events = recording.events()
    assert events.x.tolist() == list(range(1200))
    assert np.concatenate([part.x for part in recording.packets(7)]).tolist() == list(range(1200))


@pytest.mark.parametrize(
    ("words", "tail", "message"),
    [
        ([*START, single(1)], b"\x00", rf"byte {len(HEADER) + 6}: 1 byte left where a word needs 2; .*truncated"),
        (
            [*START, base(2040), vect_12(0x100)],
            b"",
            rf"byte {len(HEADER) + 6}: vector from column 2040 passes column 2047",
        ),
        ([*START, single(1280)], b"", rf"byte {len(HEADER) + 4}: event at x=1280, y=0 lies off the sensor 1280x720x2"),
        ([time_high(0), row(720), single(1)], b"", r"event at x=1, y=720 lies off"),
        ([*START, base(1279), vect_12(2)], b"", r"event at x=1280, y=0 lies off"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, words: list[int], tail: bytes, message: str) -> None:
    path = tmp_path / "recording.raw"
    path.write_bytes(HEADER + struct.pack(f"<{len(words)}H", *words) + tail)
    with pytest.raises(FormatError, match=rf"recording\.raw: .*{message}"):
        open_recording(path)


def test_many_vectors_without_a_new_base_never_come_round_to_column_0(tmp_path: Path) -> None:
    words = [*START, base(0), *[vect_12(0)] * 6000, vect_12(1)]
    with pytest.raises(FormatError, match="vector from column 72000 passes"):
        recording_of(tmp_path, words, sensor=Sensor(65536, 720))


@pytest.mark.parametrize(
    ("header", "sensor"),
    [
        (b"% evt 3.0\n% geometry 640x480\n", Sensor(640, 480)),
        (b"% format EVT3;width=320;height=240\r\n% end\r\n", Sensor(320, 240)),
        (b"% evt 3.0\n% Width 64\n% Height 48\n% end\n", Sensor(64, 48)),
    ],
)
def test_the_header_tells_the_sensor(tmp_path: Path, header: bytes, sensor: Sensor) -> None:
    assert recording_of(tmp_path, [*START, single(3)], header).sensor == sensor


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"% evt 3.0\n", r"names no size; state the sensor, as in sensor=Sensor\(1280, 720\)"),
        (b"% evt 3.0\n% geometry 0x480\n% end\n", "names no size"),
        (b"% evt 2.0\n% geometry 640x480\n% end\n", "names the encoding EVT2, so it is not EVT3"),
        (b"% format EVT4;height=1;width=1\n% end\n", "names the encoding EVT4, so it is not EVT3"),
        (b"% evt 3.0\n% geometry 640x", "byte 10: a header line that is not text or has no end"),
        (b"", r"byte 0: no header line '% key value'"),
    ],
)
def test_a_header_that_does_not_serve_is_refused(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        recording_of(tmp_path, [*START, single(3)], header)


def test_a_body_that_begins_with_a_percent_sign_is_no_header_line(tmp_path: Path) -> None:
    words = [time_high(0) | 0x25, row(0x25), single(0x25)]
    assert recording_of(tmp_path, words).n_events == 1


def test_a_stated_sensor_makes_up_for_a_header_without(tmp_path: Path) -> None:
    assert recording_of(tmp_path, [*START, single(3)], b"% evt 3.0\n", Sensor(5, 6)).sensor == Sensor(5, 6)


def test_written_words_are_those_of_the_specification(tmp_path: Path) -> None:
    t, x, y = np.array([5, 5, 6, 4096]), np.array([1, 2, 3, 4], np.uint16), np.array([7, 7, 8, 8], np.uint16)
    write(EventArray(t, x, y, np.array([True, False, True, False]), Sensor(1280, 720)), tmp_path / "a.raw", "evt3")
    words = [time_high(0), time_low(5), row(7), single(1, 1), single(2), time_low(6), row(8), single(3, 1)]
    words += [time_high(1), time_low(0), single(4)]
    assert (tmp_path / "a.raw").read_bytes() == HEADER + struct.pack(f"<{len(words)}H", *words)


@pytest.mark.parametrize(
    "gap_us", [2**12, 2**23 - 1, 2**23, 2**24 - 1, 2**24, 2**24 + 1, 2**30 + 12345, 2**40 - 200_000]
)
def test_long_gaps_come_back_with_every_wrap(tmp_path: Path, gap_us: int) -> None:
    events = recorded(3000)
    t = events.t + np.where(np.arange(3000) < 1500, 0, gap_us)
    for moved in (EventArray(t, events.x, events.y, events.p, events.sensor), events):
        write(moved, tmp_path / "a.raw", "evt3")
        assert read(tmp_path / "a.raw") == moved


@pytest.mark.parametrize(("t", "x", "message"), [(2**40, 0, "is written from 0 to"), (0, 2048, "holds 11 bits")])
def test_what_the_words_cannot_hold_is_refused(tmp_path: Path, t: int, x: int, message: str) -> None:
    one = np.zeros(1, np.uint16)
    with pytest.raises(FormatError, match=message):
        write(EventArray(np.array([t]), one + np.uint16(x), one, one > 0, Sensor(4096, 1)), tmp_path / "a.raw", "evt3")


def test_the_real_recording_equals_evt3_on_every_event(recordings: Path) -> None:
    evt3 = pytest.importorskip("evt3", reason="needs evt3")
    path = recordings / "event" / "evt3" / "expelliarmus_evt3_sample.raw"
    recording = open_recording(path, sensor=Sensor(1280, 720))
    events = recording.events()
    assert (len(events), recording.findings) == (219_596, {})
    # The file's words say so: TIME_HIGH goes from 2861 to 2863. expelliarmus is up to a second off.
    assert (int(events.t[0]) >> 12, int(events.t[-1]) >> 12) == (2861, 2863)
    found = evt3.decode_file(str(path))
    for ours, theirs in (
        (events.t, found.timestamp),
        (events.x, found.x),
        (events.y, found.y),
        (events.p, found.polarity),
    ):
        assert np.array_equal(ours, theirs)


def test_written_files_are_read_alike_by_evt3(tmp_path: Path) -> None:
    evt3 = pytest.importorskip("evt3", reason="needs evt3")
    events = recorded(20_000)
    write(events, tmp_path / "a.raw", "evt3")
    found = evt3.decode_file(str(tmp_path / "a.raw"))
    for ours, theirs in (
        (events.t, found.timestamp),
        (events.x, found.x),
        (events.y, found.y),
        (events.p, found.polarity),
    ):
        assert np.array_equal(ours, theirs)
