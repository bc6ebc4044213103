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
from neurodata.formats.evt21 import DECODINGS, UPPER_HALF, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.formats.prophesee import decoded, equal, rows

LITTLE = b"% evt 2.1\n% format EVT21;height=480;width=640\n% geometry 640x480\n% endianness little\n% end\n"
LEGACY = b"% format EVT21;endianness=legacy;height=480;width=640\n% end\n"
TRIGGER, OTHERS, CONTINUED, RESERVED = (kind << 60 for kind in (0xA, 0xE, 0xF, 0x5))


def time_high(value: int) -> int:
    return 0x8 << 60 | value << 32


def event(low: int, x: int, y: int, p: int = 0, valid: int = 1) -> int:
    return (p << 28 | low << 22 | x << 11 | y) << 32 | valid


def packed(words: list[int], order: str = "little") -> bytes:
    halves = [
        (word >> 32, word & 0xFFFFFFFF) if order == "legacy" else (word & 0xFFFFFFFF, word >> 32) for word in words
    ]
    return b"".join(struct.pack("<II", *pair) for pair in halves)


def recording_of(folder: Path, words: list[int], header: bytes = LITTLE, keep: bool = False) -> BlockRecording:
    path = folder / "recording.raw"
    path.write_bytes(header + packed(words, "legacy" if b"legacy" in header else "little"))
    found: BlockRecording = registry.formats["evt21"].open(path, None, keep)
    return found


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (LITTLE, "00000000 03000080 05000000 df015012"),
        (LITTLE.replace(b"% endianness little\n", b""), "00000000 03000080 05000000 df015012"),
        (LEGACY, "03000080 00000000 df015012 05000000"),
        (LITTLE.replace(b"little", b"legacy"), "03000080 00000000 df015012 05000000"),
    ],
)
def test_the_header_tells_which_half_of_a_word_comes_first(tmp_path: Path, header: bytes, body: str) -> None:
    # 0x125001DF: ON, time 9, x = 512, y = 479; the first and third of its 32 pixels
    (tmp_path / "a.raw").write_bytes(header + bytes.fromhex(body))
    assert rows(read(tmp_path / "a.raw")) == [(201, 512, 479, 1), (201, 514, 479, 1)]


def test_an_unknown_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="says endianness big; read are legacy, little"):
        recording_of(tmp_path, [], LITTLE.replace(b"little", b"big"))


def test_all_32_bits_of_a_word_are_pixels(tmp_path: Path) -> None:
    events = recording_of(tmp_path, [time_high(0), event(1, 32, 2, 1, 0xFFFFFFFF), event(1, 64, 2, 1, 0)]).events()
    assert events.x.tolist() == list(range(32, 64))


def test_every_wrap_of_the_high_part_counts_2_to_the_34_us(tmp_path: Path) -> None:
    top = 2**28 - 1
    words = [
        time_high(top),
        event(63, 0, 0),
        time_high(0),
        event(0, 0, 0),
        time_high(top),
        time_high(1),
        event(0, 0, 0),
    ]
    assert recording_of(tmp_path, words).events().t.tolist() == [2**34 - 1, 2**34, 2 * 2**34 + 64]


def test_what_is_no_event_or_has_no_time_is_left_out_and_counted(tmp_path: Path) -> None:
    words = [event(1, 1, 1, 0, 7), TRIGGER, time_high(0), OTHERS, CONTINUED, event(3, 4, 5, 1), RESERVED]
    recording = recording_of(tmp_path, words)
    assert rows(recording.events()) == [(3, 4, 5, 1)]
    assert recording.findings == {
        "before the first time": 3, "external triggers": 1, "other words": 2, "reserved words": 1,
    }  # fmt: skip


stream_words = st.lists(
    st.one_of(
        st.builds(
            event,
            st.integers(0, 63),
            st.integers(0, 2047),
            st.integers(0, 2047),
            st.integers(0, 1),
            st.sampled_from([0, 1, 1 << 31, 0xFFFFFFFF, 0x10010]),
        ),
        st.builds(time_high, st.integers(0, 2**28 - 1)),
        st.sampled_from([TRIGGER, OTHERS, CONTINUED, RESERVED]),
    ),
    max_size=30,
).map(lambda words: [time_high(7), *words])


@given(stream_words, st.sampled_from(sorted(UPPER_HALF)), st.lists(st.integers(8, 40), min_size=1), st.integers(1, 40))
def test_the_kernel_equals_its_reference_wherever_it_stops(
    words: list[int], order: str, cuts: list[int], room: int
) -> None:
    raw = np.frombuffer(packed(words, order), np.uint8)
    whole = np.array(words, np.uint64)
    expected = reference((whole >> np.uint64(32)).astype(np.uint32), whole.astype(np.uint32))
    assert equal(decoded(DECODINGS[order], raw, [len(raw)], 32 * len(words))[0], expected)
    assert equal(decoded(DECODINGS[order], raw, cuts, room)[0], expected)


@pytest.mark.parametrize("keep", [False, True])
def test_words_of_many_events_are_read_whole_and_in_parts(
    tmp_path: Path, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 20)
    recording = recording_of(tmp_path, [time_high(0), *[event(k, 0, k, 1, 0xFFFFFFFF) for k in range(60)]], keep=keep)
    assert recording.events().x.tolist() == list(range(32)) * 60
    assert np.concatenate([part.y for part in recording.packets(7)]).tolist() == sorted(list(range(60)) * 32)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            packed([time_high(0), event(1, 1, 1)]) + bytes(7),
            rf"byte {len(LITTLE) + 16}: 7 bytes left where a word needs 8",
        ),
        (packed([time_high(0), event(1, 640, 1)]), rf"byte {len(LITTLE) + 8}: event at x=640, y=1 lies off"),
        (packed([time_high(0), event(1, 639, 1, 0, 3)]), "event at x=640, y=1 lies off"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, body: bytes, message: str) -> None:
    (tmp_path / "a.raw").write_bytes(LITTLE + body)
    with pytest.raises(FormatError, match=rf"a\.raw: .*{message}"):
        open_recording(tmp_path / "a.raw")


@pytest.mark.parametrize("gap_us", [63, 64, 2**33, 2**34 - 1, 2**34, 2**40 + 12345, 2**48 - 200_000])
def test_long_gaps_come_back_with_every_wrap(tmp_path: Path, gap_us: int) -> None:
    events = recorded(3000)
    moved = EventArray(
        events.t + np.where(np.arange(3000) < 1500, 0, gap_us), events.x, events.y, events.p, events.sensor
    )
    write(moved, tmp_path / "a.raw", "evt21")
    assert read(tmp_path / "a.raw") == moved


def test_written_words_begin_at_a_multiple_of_32_columns(tmp_path: Path) -> None:
    x, y = np.array([639], np.uint16), np.array([479], np.uint16)
    write(EventArray(np.array([64 * 3 + 9]), x, y, x > 0, Sensor(640, 480)), tmp_path / "a.raw", "evt21")
    words = [time_high(3), event(9, 608, 479, 1, 1 << 31)]
    assert (tmp_path / "a.raw").read_bytes() == LITTLE + packed(words)


@pytest.mark.parametrize(("t", "x", "message"), [(2**48, 0, "is written from 0 to"), (0, 2048, "holds 11 bits")])
def test_what_the_words_cannot_hold_is_refused(tmp_path: Path, t: int, x: int, message: str) -> None:
    one = np.zeros(1, np.uint16)
    with pytest.raises(FormatError, match=message):
        write(EventArray(np.array([t]), one + np.uint16(x), one, one > 0, Sensor(4096, 1)), tmp_path / "a.raw", "evt21")


def test_real_events_encoded_by_evutils_are_those_of_the_evt2_file(recordings: Path) -> None:
    # No other reader that is installed reads EVT 2.1 (faery refuses it): the source of the events is the oracle.
    source = read(recordings / "event" / "evt2" / "expelliarmus_evt2_sample.raw", sensor=Sensor(640, 480))
    assert read(recordings / "derived" / "evt21_from_evt2.raw") == source[:80_000]
