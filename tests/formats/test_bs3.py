from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import detect, open_recording, read, write
from neurodata.formats._blocks import Columns
from neurodata.formats.bs3 import STATE, decode, reference
from neurodata.signals import EventArray, Sensor


def event(t: int, x: int, y: int, channel: int) -> bytes:
    return (x << 44 | y << 32 | channel << 24 | t).to_bytes(7, "big")


def test_the_56_bits_of_an_event_are_x_y_channel_t_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "a.bs3"
    path.write_bytes(bytes([0x12, 0x34, 0x56, 1, 0x01, 0x02, 0x03]) + bytes([0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF]))
    events = read(path)
    assert events.t.tolist() == [0x010203, 2**24 - 1]
    assert (events.x.tolist(), events.y.tolist()) == ([0x123, 0xFFF], [0x456, 0xFFF])
    assert events.p.tolist() == [True, False]
    write(events, tmp_path / "b.bs3")
    assert (tmp_path / "b.bs3").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("x", "y", "sensor"),
    [
        (33, 33, Sensor(34, 34)),
        (127, 34, Sensor(128, 128)),
        (345, 180, Sensor(346, 260)),
        (1280, 0, Sensor(4096, 4096)),
    ],
)
def test_the_sensor_is_the_smallest_that_holds_every_event(tmp_path: Path, x: int, y: int, sensor: Sensor) -> None:
    path = tmp_path / "a.bs3"
    path.write_bytes(event(1, x, y, 0))
    assert open_recording(path).sensor == sensor


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 7), max_size=60), st.integers(1, 30), st.integers(7, 60))
def test_the_kernel_equals_its_reference_and_can_stop_anywhere(
    drawn: list[tuple[int, ...]], room: int, block: int
) -> None:
    records = np.array(drawn, np.uint8).reshape(-1, 7)
    records[:, 3] &= 1
    state, found, raw, at = np.zeros(1, STATE), [Columns.empty(0)], records.ravel(), 0
    while at < len(raw):
        columns = Columns.empty(room)
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + block], state, columns)
        assert not state["damage"][0]
        found.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    assert all(np.array_equal(a, b) for a, b in zip(Columns.joined(found), reference(records), strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (event(1, 2, 3, 1) * 2 + event(2, 2, 3, 2), r"byte 14: channel 2; events have 0 \(OFF\) and 1 \(ON\)"),
        (event(1, 2, 3, 1) * 2 + bytes(5), "byte 14: 5 bytes are left where an event needs 7"),
        (event(1, 2, 3, 1) + event(1, 2, 300, 1), "byte 7: event at x=2, y=300 lies off the sensor 128x128x2"),
    ],
)
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.bs3"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.bs3: {message}"):
        registry.formats["bs3"].open(path, Sensor(128, 128))


def test_what_would_read_differently_is_not_written(tmp_path: Path) -> None:
    zero, one = np.zeros(1, np.uint16), np.ones(1, np.bool_)
    for t, x, message in ((2**24, 0, "is written from 0 to 16777215"), (0, 4096, r"reach 2\^12; .bs3 holds 12 bits")):
        events = EventArray(np.array([t]), zero + np.uint16(x), zero, one, Sensor(5000, 10))
        with pytest.raises(FormatError, match=message):
            write(events, tmp_path / "a.bs3")
    assert list(tmp_path.iterdir()) == []


def test_a_real_clip_equals_its_copy_as_bs2_on_every_event(recordings: Path) -> None:
    path = recordings / "event" / "bs3_gesture" / "1.bs3"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.findings) == ("bs3", Sensor(128, 128), {})
    assert recording.events() == read(recordings / "event" / "bs2_gesture" / "1.bs2")
    assert detect(recordings / "event" / "bs2_gesture" / "1.bs2").name == "nmnist"
