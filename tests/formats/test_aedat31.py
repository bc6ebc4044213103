from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._aedat31_packets import STATE, decode, packet, reference
from neurodata.formats._blocks import BlockRecording, Columns
from neurodata.formats.aedat31 import END_LINE
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.peers import spikingjelly_event_functions

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def event(t: int, x: int, y: int, p: int, valid: int = 1) -> bytes:
    return struct.pack("<II", x << 17 | y << 2 | p << 1 | valid, t)


def packet_header(
    n: int,
    *,
    kind: int = 1,
    source: int = 1,
    size: int = 8,
    overflow: int = 0,
    capacity: int | None = None,
    valid: int | None = None,
) -> bytes:
    capacity, valid = n if capacity is None else capacity, n if valid is None else valid
    return struct.pack("<HHIIIIII", kind, source, size, 4, overflow, capacity, n, valid)


def recording_of(
    tmp_path: Path, *parts: bytes, header: bytes = HEADER, sensor: Sensor | None = None, keep: bool = False
) -> BlockRecording:
    path = tmp_path / "recording.aedat"
    path.write_bytes(header + b"".join(parts))
    found: BlockRecording = registry.formats["aedat31"].open(path, sensor, keep)
    return found


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


def test_the_bits_of_an_event_are_where_the_specification_says(tmp_path: Path) -> None:
    # valid bit 0, polarity bit 1, y bits 2-16, x bits 17-31, then the time
    body = bytes([0b0000_0111, 0, 0b1111_1110, 0, 5, 0, 0, 0])  # y = 1, x = 127, ON
    assert rows(recording_of(tmp_path, packet_header(1), body).events()) == [(5, 127, 1, True)]


def test_the_overflow_of_a_packet_counts_2_to_the_31_us(tmp_path: Path) -> None:
    parts = [packet_header(1), event(2**31 - 1, 1, 2, 0), packet_header(1, overflow=3), event(7, 1, 2, 1)]
    assert recording_of(tmp_path, *parts).events().t.tolist() == [2**31 - 1, 3 * 2**31 + 7]


def test_invalid_events_are_skipped_and_counted(tmp_path: Path) -> None:
    body = event(9, 300, 300, 0, valid=0) + event(5, 1, 2, 0) + event(1 << 31, 0, 0, 0, valid=0) + event(6, 3, 4, 1)
    recording = recording_of(tmp_path, packet_header(4, valid=2), body)
    assert rows(recording.events()) == [(5, 1, 2, False), (6, 3, 4, True)]
    assert recording.findings == {"invalid": 2}


def test_packets_of_other_types_are_skipped_by_their_header_even_when_of_odd_size(tmp_path: Path) -> None:
    frame = packet_header(1, kind=2, size=37) + bytes(37)
    special = packet_header(2, kind=0) + event(1, 99, 99, 1) * 2
    recording = recording_of(
        tmp_path, special, packet_header(1), event(5, 1, 2, 0), frame, packet_header(1), event(6, 3, 4, 1), frame
    )
    assert rows(recording.events()) == [(5, 1, 2, False), (6, 3, 4, True)]
    assert recording.findings == {"packets of other types": 3}


def test_unused_capacity_holds_no_events(tmp_path: Path) -> None:
    parts = [
        packet_header(1, capacity=3),
        event(5, 1, 2, 0),
        event(6, 1, 2, 0) * 2,
        packet_header(1),
        event(7, 3, 4, 1),
    ]
    assert rows(recording_of(tmp_path, *parts).events()) == [(5, 1, 2, False), (7, 3, 4, True)]


def test_late_events_are_sorted_stably_and_counted_across_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 44)
    times = [10, 30, 20, 30, 10, 40, 5]
    parts = [packet_header(1) + event(t, k, 0, 0) for k, t in enumerate(times)]
    recording = recording_of(tmp_path, *parts)
    assert [(t, x) for t, x, _, _ in rows(recording.events())] == [
        (5, 6), (10, 0), (10, 4), (20, 2), (30, 1), (30, 3), (40, 5),
    ]  # fmt: skip
    assert recording.findings == {"late": 3}
    assert (recording.start_us, recording.stop_us) == (5, 41)
    assert [x for part in recording.packets(2) for x in part.x.tolist()] == recording.events().x.tolist()
    assert recording.events(10, 30).x.tolist() == [0, 4, 2]


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_unsorted_packets_and_slices_equal_a_stable_sort(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], n: int, per_packet: int, keep: bool
) -> None:
    parts = []
    for first in range(0, len(times), per_packet):
        piece = times[first : first + per_packet]
        parts.append(packet_header(len(piece)) + b"".join(event(t, first + k, 0, 0) for k, t in enumerate(piece)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurodata.formats._index.BLOCK_BYTES", 60)
        recording = recording_of(tmp_path_factory.getbasetemp(), *parts, keep=keep)
    by_time = sorted(range(len(times)), key=lambda k: times[k])
    assert recording.events().x.tolist() == by_time
    assert [x for part in recording.packets(n) for x in part.x.tolist()] == by_time
    inside = [k for k in by_time if 20 <= times[k] < 40]
    assert recording.events(20, 40).x.tolist() == inside
    packets = [part.x.tolist() for part in recording.packets(n, 20, 40)]
    assert packets == [inside[k : k + n] for k in range(0, len(inside), n)]
    assert recording.findings["late"] == sum(t < max(times[:k], default=t) for k, t in enumerate(times))


@given(st.integers(0, 2**32 - 1), st.integers(0, 50), st.integers(0, 2**31 - 1))
def test_the_kernel_equals_its_reference(seed: int, n: int, overflow: int) -> None:
    words = np.random.default_rng(seed).integers(0, 2**32, 2 * n, dtype=np.uint32)
    words[1::2] &= 0x7FFFFFFF
    raw = np.frombuffer(packet_header(n, overflow=overflow) + words.tobytes(), np.uint8)
    expected = reference(words, overflow << 31)
    columns, state = decoded(raw, [len(raw)])
    assert all(np.array_equal(a, b) for a, b in zip(columns, expected, strict=True))
    assert state["invalid"][0] == n - len(expected.t)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 1]), st.integers(0, 5), st.integers(0, 2)), max_size=8), st.data())
def test_decoding_can_stop_anywhere(packets: list[tuple[int, int, int]], data: st.DataObject) -> None:
    parts = [
        packet_header(n, kind=kind, size=8 if kind != 2 else 9, capacity=n + spare)
        + (event(k, n, spare, 1) * (n + spare) if kind != 2 else bytes(9 * (n + spare)))
        for k, (kind, n, spare) in enumerate(packets)
    ]
    raw = np.frombuffer(b"".join(parts), np.uint8)
    cuts = data.draw(st.lists(st.integers(28, 80), min_size=len(raw) // 9 + 1, max_size=len(raw) // 9 + 1))
    whole, _ = decoded(raw, [len(raw)] * (len(parts) + 1))
    pieces, _ = decoded(raw, cuts)
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))
    assert len(whole.t) == sum(n for kind, n, _ in packets if kind == 1)


def decoded(raw: NDArray[np.uint8], cuts: list[int]) -> tuple[Columns, NDArray[np.void]]:
    """Events of raw, decoded from windows of these lengths, each from where the last one stopped."""
    state = np.zeros(1, STATE)
    parts = [Columns.empty(0)]
    at = 0
    for length in cuts:
        if at >= len(raw):
            break
        columns = Columns.empty(len(raw))
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + length].copy(), state, columns)
        assert not state["damage"][0]
        parts.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    return Columns.joined(parts), state


SOUND = packet_header(2) + event(5, 1, 2, 0) + event(6, 3, 4, 1)
AT = len(HEADER) + len(SOUND)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (b"\x01", rf"byte {AT}: 1 bytes left where a packet header needs 28; .*truncated"),
        (packet_header(1), rf"byte {AT}: packet says 8 bytes but the file ends after 0; .*get it again"),
        (packet_header(2) + event(7, 1, 1, 1) + b"1234567", rf"byte {AT}: packet says 16 bytes .* after 15"),
        (packet_header(1, size=0) + bytes(8), "says 0 bytes an event"),
        (packet_header(0, kind=4, size=0), "packet of type 4 says 0 bytes an event"),
        (packet_header(1, size=2**32 - 1) + bytes(8), "says 4294967295 bytes an event"),
        (packet_header(2**32 - 1, kind=2, size=2**32 - 1), "packet says 18446744065119617025 bytes"),
        (packet_header(2, capacity=1) + bytes(8), "2 valid of 2 events, capacity 1"),
        (packet_header(1, valid=2) + bytes(8), "2 valid of 1 events, capacity 1"),
        (packet_header(0, capacity=2**31), "packet says 17179869184 bytes but the file ends after 0"),
        (packet_header(1, kind=0x8001) + bytes(8), "type 0x8001 is compressed"),
        (packet_header(1, overflow=2**31) + event(7, 1, 1, 1), "overflowed 2147483648 times"),
        (packet_header(1, source=2) + event(7, 1, 1, 1), "source 2 after those of source 1: a recording of two"),
        (packet_header(2) + event(7, 1, 1, 1) + event(2**31, 1, 1, 1), rf"byte {AT + 36} has the time 2147483648"),
        (packet_header(2) + event(7, 1, 1, 1) + event(8, 128, 9, 1), rf"byte {AT + 36}: event at x=128, y=9 lies off"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_byte(tmp_path: Path, damage: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"recording\.aedat: .*{message}"):
        recording_of(tmp_path, SOUND, damage)


def test_the_byte_of_an_event_off_the_sensor_is_exact_behind_invalid_ones(tmp_path: Path) -> None:
    body = event(1, 1, 1, 1) + event(2, 0, 0, 0, valid=0) * 3 + event(3, 1, 200, 1) + event(4, 0, 0, 0, valid=0)
    with pytest.raises(FormatError, match=rf"byte {len(HEADER) + 28 + 32}: event at x=1, y=200 lies off"):
        recording_of(tmp_path, packet_header(6, valid=2, capacity=9), body, bytes(24))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"#!AER-DAT2.0\r\n", r"byte 0: does not begin with #!AER-DAT3\.1"),
        (b"", "byte 0: does not begin with"),
        (HEADER[:-3], "no #!END-HEADER line in the first"),
        (HEADER.replace(b"RAW", b"PNG-Frames"), "byte 14: format PNG-Frames; only RAW is read"),
        (HEADER.replace(b"DVS128", b"DVX9000"), "names the source 'DVX9000'; known are DVS128, .*sensor=Sensor"),
        (HEADER.replace(b"#Source 1: DVS128\r\n", b""), "has no #Source line; known are"),
        (HEADER.replace(b"DVS128", b"File,dvsSizeX=0,dvsSizeY=9"), "names the source 'File,dvsSizeX=0"),
    ],
)
def test_a_header_that_does_not_serve_is_refused(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        recording_of(tmp_path, SOUND, header=header)


def test_a_stated_sensor_makes_up_for_an_unknown_one(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, SOUND, header=HEADER.replace(b"DVS128", b"DVX9000"), sensor=Sensor(5, 6))
    assert recording.sensor == recording.events().sensor == Sensor(5, 6)


@pytest.mark.parametrize(
    ("sensor", "source"),
    [
        (Sensor(128, 128), b"DVS128"),
        (Sensor(346, 260), b"DAVIS346B"),
        (Sensor(34, 35), b"File,dvsSizeX=34,dvsSizeY=35"),  # as cAER names what it replays from a file
    ],
)
def test_the_written_header_tells_the_sensor(tmp_path: Path, sensor: Sensor, source: bytes) -> None:
    write(EventArray.empty(sensor), tmp_path / "a.aedat")
    assert (tmp_path / "a.aedat").read_bytes() == HEADER.replace(b"DVS128", source)
    assert open_recording(tmp_path / "a.aedat").sensor == sensor


@pytest.mark.parametrize("n", [1, 3, 7, 8, 1000])
def test_packets_are_the_same_whatever_the_pieces_where_time_overflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    drawn = recorded(200, longest_step_us=1 << 27)
    monkeypatch.setattr("neurodata.formats.aedat31.EVENTS_PER_PACKET", 8)
    monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", n)
    write(drawn, tmp_path / "a.aedat")
    content, found = (tmp_path / "a.aedat").read_bytes(), []
    at = content.index(END_LINE) + len(END_LINE)
    while at < len(content):
        overflow, number = struct.unpack_from("<I4xI", content, at + 12)
        found.append((overflow, number))
        at += 28 + 8 * number
    counts = np.bincount(drawn.t >> 31)
    assert found == [(k, min(8, count - at)) for k, count in enumerate(counts) for at in range(0, count, 8)]
    assert read(tmp_path / "a.aedat") == drawn


def test_a_written_packet_is_full_valid_and_within_one_overflow(tmp_path: Path) -> None:
    n = 8192 + 10
    t = np.full(n, 2**31 - 1, np.int64)
    t[-4:] = 2**31 + 3
    zeros = np.zeros(n, np.uint16)
    events = EventArray(t, zeros, zeros, zeros > 0, Sensor(128, 128))
    path = tmp_path / "a.aedat"
    write(events, path)
    content = path.read_bytes()
    at, found = len(HEADER), []
    while at < len(content):
        kind, source, size, time_at, overflow, capacity, number, valid = struct.unpack_from("<HHIIIIII", content, at)
        assert (kind, source, size, time_at) == (1, 1, 8, 4)
        assert capacity == number == valid
        found.append((overflow, number))
        at += 28 + 8 * number
    assert found == [(0, 8192), (0, 6), (1, 4)]
    assert read(path) == events


def test_coordinates_beyond_15_bits_are_refused(tmp_path: Path) -> None:
    x = np.array([1 << 15], np.uint16)
    events = EventArray(np.zeros(1, np.int64), x, np.zeros(1, np.uint16), x > 0, Sensor(65536, 1))
    with pytest.raises(FormatError, match="holds 15 bits"):
        write(events, tmp_path / "a.aedat")


def test_the_real_recording_equals_spikingjelly_on_every_event(recordings: Path) -> None:
    path = recordings / "derived" / "aedat31_a.aedat"
    recording = open_recording(path)
    assert (recording.sensor, recording.n_events, recording.findings) == (Sensor(128, 128), 147_731, {})
    assert_equals_spikingjelly(recording.events(), path)


def test_generated_files_equal_spikingjelly_on_every_event(tmp_path: Path) -> None:
    events = recorded(20_000)
    write(EventArray(events.t + 2**31 - 100_000, events.x, events.y, events.p, events.sensor), tmp_path / "a.aedat")
    assert_equals_spikingjelly(read(tmp_path / "a.aedat"), tmp_path / "a.aedat")


def assert_equals_spikingjelly(events: EventArray, path: Path) -> None:
    expected = spikingjelly_event_functions().load_aedat_v3(path)
    for name in "txyp":
        assert np.array_equal(getattr(events, name), expected[name])


def test_tonic_reads_the_same_polarity_events_and_takes_special_events_for_more(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tonic_io = pytest.importorskip("tonic.io")
    events = recorded(100)
    path = tmp_path / "a.aedat"
    write(events, path)
    found = tonic_io.get_aer_events_from_file(str(path), 3.1, path.read_bytes().index(b"#!END") + 14)
    assert np.array_equal(found["address"] >> 17, events.x)
    assert np.array_equal(found["timeStamp"], events.t)
    path.write_bytes(HEADER + packet_header(1, kind=0) + event(1, 0, 0, 0) + packet(events, 1))
    assert len(tonic_io.get_aer_events_from_file(str(path), 3.1, len(HEADER))) == 101
    assert read(path, sensor=events.sensor) == events
    with pytest.raises(ValueError, match="too many values to unpack"):
        tonic_io.read_dvs_ibm(str(path))


def test_times_up_to_the_end_of_the_clock_come_back(tmp_path: Path) -> None:
    one = recorded(1)
    last = EventArray(np.array([2**62 - 1]), one.x, one.y, one.p, one.sensor)
    write(last, tmp_path / "last.aedat")
    assert read(tmp_path / "last.aedat", sensor=one.sensor) == last


def test_a_last_event_that_holds_back_all_others_costs_no_square_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
    n_sorted = 0
    in_time_order = Columns.in_time_order

    def counting(columns: Columns) -> Columns:
        nonlocal n_sorted
        n_sorted += len(columns.t)
        return in_time_order(columns)

    monkeypatch.setattr(Columns, "in_time_order", counting)
    parts = [packet_header(5000), *(event(t, 1, 2, 0) for t in range(1, 5001)), packet_header(1), event(0, 3, 4, 1)]
    packets = list(recording_of(tmp_path, *parts).packets(100))
    assert [len(packet) for packet in packets] == [100] * 50 + [1]
    assert np.concatenate([packet.t for packet in packets]).tolist() == list(range(5001))
    assert n_sorted < 4 * 5001
