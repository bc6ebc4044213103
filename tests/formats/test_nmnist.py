from __future__ import annotations

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
from neurodata.formats._blocks import Columns
from neurodata.formats.nmnist import STATE, decode, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.peers import spikingjelly_event_functions

MARKER = bytes([0, 240, 0, 0, 0])


def event(t: int, x: int, y: int, p: int) -> bytes:
    return bytes([x, y, p << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF])


def at_times(t: list[int]) -> EventArray:
    zeros = np.zeros(len(t), np.uint16)
    return EventArray(np.array(t, np.int64), zeros, zeros, zeros > 0, Sensor(34, 34))


def test_the_40_bits_of_an_event_are_x_y_p_t_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes([33, 7, 0b1000_0001, 0x02, 0x03]) + bytes([0, 0, 0b0111_1111, 0xFF, 0xFF]))
    events = read(path)
    assert events.t.tolist() == [0x010203, 2**23 - 1]
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([33, 0], [7, 0], [True, False])
    assert events.sensor == Sensor(34, 34)


def test_a_marker_moves_all_later_events_by_2_to_the_13_us_and_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event(5, 1, 2, 0) + MARKER + event(6, 3, 4, 1) + MARKER + MARKER + event(0, 5, 6, 0) + MARKER)
    recording = open_recording(path)
    assert recording.events().t.tolist() == [5, 8192 + 6, 3 * 8192]
    assert (recording.n_events, recording.findings) == (3, {"overflow markers": 4})


def test_markers_count_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 12)
    path = tmp_path / "a.bin"
    path.write_bytes((event(5, 1, 2, 0) + MARKER) * 20)
    recording = open_recording(path)
    assert recording.events().t.tolist() == [5 + 8192 * k for k in range(20)]
    assert recording.events(8192 * 7, 8192 * 9).t.tolist() == [5 + 8192 * 7, 5 + 8192 * 8]


@pytest.mark.parametrize(
    ("x", "y", "sensor"),
    [
        (33, 33, Sensor(34, 34)),  # N-MNIST
        (34, 33, Sensor(128, 128)),  # DVS128, as in SLAYER's .bs2
        (33, 128, Sensor(240, 180)),  # N-Caltech101
        (240, 179, Sensor(256, 256)),  # whatever 8 bits address
    ],
)
def test_the_sensor_is_the_smallest_that_holds_every_event(tmp_path: Path, x: int, y: int, sensor: Sensor) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event(1, 0, 0, 0) + event(2, x, y, 0))
    assert open_recording(path).sensor == sensor


def test_a_file_that_ends_within_an_event_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for n_left in range(1, 5):
        path.write_bytes(event(1, 0, 0, 0) * 3 + bytes(n_left))
        with pytest.raises(FormatError, match=rf"a\.bin: byte 15: {n_left} bytes are left where an event needs 5"):
            registry.formats["nmnist"].open(path)


def test_the_byte_of_an_event_off_the_sensor_is_exact_behind_markers(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event(1, 0, 0, 0) + MARKER * 2 + event(2, 40, 0, 0) + event(3, 0, 0, 0))
    with pytest.raises(FormatError, match="byte 15: event at x=40, y=0 lies off the sensor 34x34x2"):
        registry.formats["nmnist"].open(path, Sensor(34, 34))


def test_late_events_are_sorted_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event(5, 1, 0, 0) + event(3, 2, 0, 0) + event(5, 3, 0, 0) + event(4, 4, 0, 0))
    recording = registry.formats["nmnist"].open(path)
    assert recording.events().x.tolist() == [2, 4, 1, 3]
    assert recording.findings == {"late": 2}


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 5), max_size=60), st.integers(1, 30), st.integers(0, 1000))
def test_the_kernel_equals_its_reference_and_can_stop_anywhere(
    drawn: list[tuple[int, ...]], room: int, markers: int
) -> None:
    records = np.array(drawn, np.uint8).reshape(-1, 5)
    records[::7, 1] = 240
    state = np.zeros(1, STATE)
    state["markers"] = markers
    found = [Columns.empty(0)]
    raw, at = records.ravel(), 0
    while at < len(raw):
        columns = Columns.empty(room)
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + 7 * room], state, columns)
        found.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    expected = reference(records, markers)
    assert all(np.array_equal(a, b) for a, b in zip(Columns.joined(found), expected, strict=True))


@pytest.mark.parametrize(
    ("t_us", "markers"),
    [
        ([2**23 - 1], []),
        ([2**23], [0]),
        ([2**23 - 1, 2**23 - 1 + 8192], [1]),
        ([2**23 - 1, 2**23 + 8192], [1, 2]),  # one marker leaves 2^23: one too many
    ],
)
def test_a_marker_is_written_only_where_23_bits_do_not_do(tmp_path: Path, t_us: list[int], markers: list[int]) -> None:
    write(at_times(t_us), tmp_path / "a.bin")
    rows = np.fromfile(tmp_path / "a.bin", np.uint8).reshape(-1, 5)
    assert np.flatnonzero(rows[:, 1] == 240).tolist() == markers
    assert read(tmp_path / "a.bin") == at_times(t_us)


def test_pieces_are_written_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(1000, longest_step_us=100_000)
    write(events, tmp_path / "whole.bin")
    monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", 7)
    write(events, tmp_path / "pieces.bin")
    assert (tmp_path / "whole.bin").read_bytes() == (tmp_path / "pieces.bin").read_bytes()
    assert read(tmp_path / "pieces.bin") == events


def test_what_would_read_differently_is_not_written(tmp_path: Path) -> None:
    one, zero = np.ones(1, np.bool_), np.zeros(1, np.int64)
    for x, y, message in ((256, 0, "8 bits"), (0, 300, "8 bits"), (0, 240, "row 240 would read as an overflow marker")):
        events = EventArray(zero, np.array([x], np.uint16), np.array([y], np.uint16), one, Sensor(640, 480))
        with pytest.raises(FormatError, match=message):
            write(events, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def tonic_events(path: Path) -> NDArray[np.void]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tonic_io = pytest.importorskip("tonic.io")
    found: NDArray[np.void] = tonic_io.read_mnist_file(str(path), tonic_io.events_struct)
    return found


def test_tonic_reads_the_same_with_markers_and_spikingjelly_takes_them_for_events(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    events = recorded(2000, longest_step_us=20_000)
    write(events, path)
    n_markers = open_recording(path).findings["overflow markers"]
    assert n_markers > 1000
    assert EventArray.from_structured(tonic_events(path), events.sensor) == read(path) == events
    assert len(spikingjelly_event_functions().load_ATIS_bin(path)["t"]) == 2000 + n_markers


def test_real_recordings_equal_tonic_and_spikingjelly_on_every_event(recordings: Path) -> None:
    paths = sorted((recordings / "n-mnist" / "Test").glob("*/*.bin"))[:20]
    paths += sorted((recordings / "event").glob("nmnist_bin/*.bin"))
    paths += sorted((recordings / "event").glob("bs2_gesture/*.bs2"))
    assert len(paths) == 26
    load = spikingjelly_event_functions().load_ATIS_bin
    for path in paths:
        recording = open_recording(path)
        events = recording.events()
        assert recording.format == "nmnist"
        assert recording.sensor == (Sensor(128, 128) if path.suffix == ".bs2" else Sensor(34, 34))
        assert EventArray.from_structured(tonic_events(path), recording.sensor) == events
        assert all(np.array_equal(getattr(events, name), load(path)[name]) for name in "txyp")


def test_times_beyond_what_markers_are_written_for_are_refused(tmp_path: Path) -> None:
    zero = np.zeros(1, np.uint16)
    events = EventArray(np.array([2**36]), zero, zero, zero.astype(bool), Sensor(34, 34))
    with pytest.raises(
        FormatError, match=r"late\.bin: times reach from 68719476736 .* is written from 0 to 68719476735"
    ):
        write(events, tmp_path / "late.bin")
    assert list(tmp_path.iterdir()) == []
