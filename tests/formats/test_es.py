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
from neurodata.formats._blocks import BlockRecording, Columns
from neurodata.formats.es import STATE, decode, reference
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import SENSOR, recorded

DVS, ATIS = 1, 2


def header(kind: int = DVS, width: int = 30, height: int = 20, version: int = 2) -> bytes:
    return b"Event Stream" + bytes([version, 0, 0, kind]) + struct.pack("<HH", width, height)


def event(step_us: int, x: int, y: int, p: int) -> bytes:
    return struct.pack("<BHH", step_us << 1 | p, x, y)


def atis_event(step_us: int, x: int, y: int, p: int, is_exposure: int = 0) -> bytes:
    return struct.pack("<BHH", step_us << 2 | p << 1 | is_exposure, x, y)


def recording_of(folder: Path, *parts: bytes, head: bytes | None = None) -> BlockRecording:
    path = folder / "recording.es"
    path.write_bytes((header() if head is None else head) + b"".join(parts))
    found: BlockRecording = registry.formats["es"].open(path)
    return found


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


def test_times_are_steps_and_each_overflow_is_127_us(tmp_path: Path) -> None:
    recording = recording_of(
        tmp_path, b"\x0b\x1d\x00\x13\x00", event(0, 0, 1, 0), b"\xff\xff", event(126, 2, 3, 0), event(1, 2, 3, 1)
    )
    assert recording.sensor == Sensor(30, 20)
    assert rows(recording.events()) == [(5, 29, 19, True), (5, 0, 1, False), (385, 2, 3, False), (386, 2, 3, True)]
    assert recording.findings == {}


def test_coordinates_have_two_bytes(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, event(5, 0x1234, 0xABCD, 1), head=header(width=65535, height=65535))
    assert rows(recording.events()) == [(5, 0x1234, 0xABCD, True)]


def test_resets_are_skipped_and_counted(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, b"\xfe" * 5, event(5, 1, 2, 1), b"\xff\xfe\xfe", event(6, 1, 2, 0), b"\xfe")
    assert rows(recording.events()) == [(5, 1, 2, True), (138, 1, 2, False)]
    assert recording.findings == {"resets": 8}


def test_of_atis_streams_the_change_detections_are_read_and_exposures_counted(tmp_path: Path) -> None:
    recording = recording_of(
        tmp_path,
        atis_event(62, 1, 2, 1),
        atis_event(3, 500, 500, 1, is_exposure=1),  # its step counts, its place does not
        b"\xfc",  # reset
        b"\xff\xfd",  # three overflows, and one
        atis_event(0, 3, 4, 0),
        head=header(ATIS),
    )
    assert rows(recording.events()) == [(62, 1, 2, True), (65 + 4 * 63, 3, 4, False)]
    assert recording.findings == {"resets": 1, "exposure measurements": 1}


@given(st.lists(st.integers(0, 255), max_size=60), st.sampled_from([1, 2]), st.data())
def test_the_kernel_equals_its_reference_wherever_it_stops(
    firsts: list[int], flag_bits: int, data: st.DataObject
) -> None:
    lowest_special = 0x100 - (1 << flag_bits)
    stream = b"".join(
        bytes([first]) + (struct.pack("<HH", k, 2 * k) if first < lowest_special else b"")
        for k, first in enumerate(firsts)
    )
    raw, state, parts, at = np.frombuffer(stream, np.uint8), np.zeros(1, STATE), [Columns.empty(0)], 0
    while at < len(raw):
        columns = Columns.empty(data.draw(st.integers(1, 8)))
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + data.draw(st.integers(5, 40))], state, columns, flag_bits=flag_bits)
        assert not state["damage"][0]
        parts.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    found = Columns.joined(parts)
    t, p = reference(np.array(firsts, np.uint8), flag_bits)
    assert np.array_equal(found.t, t)
    assert np.array_equal(found.p, p)
    assert np.array_equal(found.y, 2 * found.x)


def test_a_block_may_end_before_the_last_bytes_without_an_event() -> None:
    raw = np.frombuffer(struct.pack("<BHH", 1, 0, 0) + b"\xfc", np.uint8)  # an event, then a reset
    state, columns = np.zeros(1, STATE), Columns.empty(8)
    state["bytes_left"] = len(raw)
    decode(raw[:5], state, columns, flag_bits=2)
    assert (int(state["position"][0]), int(state["damage"][0])) == (5, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: does not begin with 'Event Stream'"),
        (b"Event Stream", "12 bytes where the header has 20; the file is truncated"),
        (header()[:-1], "19 bytes where the header has 20"),
        (header(version=1), "byte 12: Event Stream of version 1; only version 2"),
        (header(0), r"byte 15: a stream of type 0 \(generic\) holds no change detections; read are 1 \(dvs\)"),
        (header(4), r"byte 15: a stream of type 4 \(color\)"),
        (header(77), r"byte 15: a stream of type 77 \(unknown\)"),
        (header(height=0), "byte 16: sensor of 30x0 pixels"),
        (
            header() + event(1, 2, 3, 1) + b"\xff\x02\x02",
            "byte 26: 2 bytes are left where an event needs 5; .*truncated",
        ),
        (
            header() + b"\xff" + event(1, 2, 3, 1) + event(1, 30, 3, 1),
            "byte 26: event at x=30, y=3 lies off the sensor",
        ),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recording.es"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"recording\.es: {message}"):
        registry.formats["es"].open(path)


def test_a_written_file_is_the_specifications(tmp_path: Path) -> None:
    columns = [np.array(column, np.uint16) for column in ([1, 2, 300], [4, 5, 600])]
    events = EventArray(np.array([3, 130, 385]), *columns, np.array([True, False, True]), Sensor(301, 601))
    write(events, tmp_path / "a.es")
    assert (tmp_path / "a.es").read_bytes() == (
        header(width=301, height=601) + event(3, 1, 4, 1) + b"\xff" + event(0, 2, 5, 0)
        + b"\xff\xff" + event(1, 300, 600, 1)
    )  # fmt: skip


def test_long_steps_are_written_in_parts_that_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(1000, longest_step_us=1000)
    write(events, tmp_path / "whole.es")
    monkeypatch.setattr("neurodata.formats.es.LONGEST_STEP_US", 1000)
    write(events, tmp_path / "parts.es")
    assert (tmp_path / "whole.es").read_bytes() == (tmp_path / "parts.es").read_bytes()


def test_what_would_be_a_file_of_overflows_is_refused(tmp_path: Path) -> None:
    one = recorded(1)
    with pytest.raises(FormatError, match=r"the longest step is 8589934593 us; .*shift them"):
        write(EventArray(np.array([2**33 + 1]), one.x, one.y, one.p, SENSOR), tmp_path / "a.es")
    with pytest.raises(FormatError, match="65536x1x2; Event Stream holds at most 65535"):
        write(EventArray.empty(Sensor(65536, 1)), tmp_path / "a.es")
    assert list(tmp_path.iterdir()) == []


def faery_rows(path: Path) -> list[tuple[int, int, int, bool]]:
    """Faery's events, in the rows of the file: it turns them on reading."""
    faery = pytest.importorskip("faery")
    stream = faery.events_stream_from_file(path)
    height = stream.dimensions()[1]
    return [(t, x, height - 1 - y, p) for packet in stream for t, x, y, p in packet.tolist()]


def test_faery_reads_what_we_write_and_we_read_what_it_writes(tmp_path: Path) -> None:
    events, path = recorded(2000, longest_step_us=600), tmp_path / "a.es"
    write(events, path)
    assert faery_rows(path) == rows(events)
    types = pytest.importorskip("faery.extension").es
    dtype = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")]
    with types.Encoder(str(tmp_path / "b.es"), "dvs", False, (34, 34)) as encoder:
        encoder.write(np.array(rows(events), dtype))
    assert read(tmp_path / "b.es") == events
    dtype = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("exposure", "?"), ("polarity", "?")]
    with types.Encoder(str(tmp_path / "c.es"), "atis", False, (34, 34)) as encoder:
        encoder.write(np.array([(t, x, y, x % 3 == 0, p) for t, x, y, p in rows(events)], dtype))
    recording = open_recording(tmp_path / "c.es")
    assert rows(recording.events()) == [row for row in rows(events) if row[1] % 3]
    assert recording.findings == {"exposure measurements": int(np.count_nonzero(events.x % 3 == 0))}


@pytest.mark.parametrize(
    ("name", "sensor", "n_events"), [("loris_test", Sensor(54, 239), 4407), ("cpphots_trcl0", Sensor(30, 32), 2628)]
)
def test_real_recordings_equal_faery(recordings: Path, name: str, sensor: Sensor, n_events: int) -> None:
    path = recordings / "event" / "es" / f"{name}.es"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events, recording.findings) == ("es", sensor, n_events, {})
    assert rows(recording.events()) == faery_rows(path)


@pytest.mark.parametrize("kind", ["generic", "color"])
def test_real_recordings_of_other_types_are_refused(recordings: Path, kind: str) -> None:
    path = recordings / "event" / "es" / f"faery_{kind}.es"
    if not path.exists():
        pytest.skip(f"no {path.name}")
    with pytest.raises(FormatError, match=rf"a stream of type \d \({kind}\)"):
        open_recording(path)
