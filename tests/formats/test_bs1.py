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
from neurodata.formats.bs1 import STATE, decode, reference
from neurodata.signals import EventArray, Sensor

SHD = Sensor(700, 1, 1)


def spikes(n: int, sensor: Sensor, longest_step_us: int = 40) -> EventArray:
    rng = np.random.default_rng(3)
    return EventArray(
        t=np.cumsum(rng.integers(0, longest_step_us + 1, n)),
        x=rng.integers(0, sensor.width, n).astype(np.uint16),
        y=np.zeros(n, np.uint16),
        p=rng.integers(0, 2, n) < sensor.polarities,
        sensor=sensor,
    )


def test_the_40_bits_of_a_spike_are_neuron_p_t_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "a.bs1"
    path.write_bytes(bytes([0x12, 0x34, 0b1000_0001, 0x02, 0x03]) + bytes([0, 240, 0b0111_1111, 0xFF, 0xFF]))
    events = read(path)
    assert events.t.tolist() == [0x010203, 2**23 - 1]
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([0x1234, 240], [0, 0], [True, False])
    write(events, tmp_path / "b.bs1")
    assert (tmp_path / "b.bs1").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("neuron", "sensor"), [(63, Sensor(64)), (64, Sensor(700)), (700, Sensor(65536))])
def test_the_sensor_is_the_smallest_that_holds_every_spike(tmp_path: Path, neuron: int, sensor: Sensor) -> None:
    path = tmp_path / "a.bs1"
    path.write_bytes(neuron.to_bytes(2, "big") + bytes(3))
    assert open_recording(path).sensor == sensor


def test_on_a_sensor_of_one_polarity_every_spike_is_on(tmp_path: Path) -> None:
    path = tmp_path / "a.bs1"
    path.write_bytes(bytes([0, 5, 0x80, 0, 1]) + bytes([0, 6, 0, 0, 2]))
    assert read(path).p.tolist() == [True, False]
    assert read(path, sensor=Sensor(64, 1, 1)).p.tolist() == [True, True]


@pytest.mark.parametrize("sensor", [Sensor(64), SHD, Sensor(128 * 128)])
def test_content_tells_neurons_from_pixels_in_the_same_40_bits(tmp_path: Path, sensor: Sensor) -> None:
    neurons, pixels = tmp_path / "neurons", tmp_path / "pixels"
    write(spikes(2000, sensor), neurons, format="bs1")
    camera = spikes(2000, Sensor(34))
    write(EventArray(camera.t, camera.x, camera.x[::-1], camera.p, Sensor(34, 34)), pixels, format="nmnist")
    assert (detect(neurons).name, detect(pixels).name) == ("bs1", "nmnist")


def test_the_extension_breaks_ties_with_pixels(tmp_path: Path) -> None:
    column = spikes(2000, Sensor(100))  # as N-MNIST: all in column 0
    pixels = spikes(2000, Sensor(34))
    square = EventArray(pixels.t, pixels.x, pixels.x[::-1], pixels.p, Sensor(34, 34))
    for extension, expected in ((".bs1", "bs1"), (".bin", "nmnist"), (".bs2", "nmnist")):
        few = tmp_path / f"few{extension}"
        few.write_bytes(bytes([0, 5, 0x80, 0, 1]))
        write(column, tmp_path / f"column{extension}", format="bs1")
        write(square, tmp_path / f"square{extension}", format="nmnist")
        for name in ("few", "column", "square"):
            assert detect(tmp_path / f"{name}{extension}").name == expected


@given(
    st.lists(st.tuples(*[st.integers(0, 255)] * 5), max_size=60), st.integers(1, 30), st.integers(5, 60), st.booleans()
)
def test_the_kernel_equals_its_reference_and_can_stop_anywhere(
    drawn: list[tuple[int, ...]], room: int, block: int, always_on: bool
) -> None:
    records = np.array(drawn, np.uint8).reshape(-1, 5)
    state, found, raw, at = np.zeros(1, STATE), [Columns.empty(0)], records.ravel(), 0
    while at < len(raw):
        columns = Columns.empty(room)
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + block], state, columns, always_on=always_on)
        assert not state["damage"][0]
        found.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    t, x, y, p = Columns.joined(found)
    expected = reference(records)
    for one, other in ((t, expected.t), (x, expected.x), (y, expected.y), (p, expected.p | always_on)):
        assert np.array_equal(one, other)


def test_a_file_that_ends_within_a_spike_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.bs1"
    for n_left in range(1, 5):
        path.write_bytes(bytes(15 + n_left))
        with pytest.raises(FormatError, match=rf"a\.bs1: byte 15: {n_left} bytes are left where an event needs 5"):
            registry.formats["bs1"].open(path)


def test_what_would_read_differently_is_not_written(tmp_path: Path) -> None:
    late = spikes(1, SHD)
    late = EventArray(np.array([2**23]), late.x, late.y, late.p, SHD)
    with pytest.raises(FormatError, match=r"8388608 us; \.bs1 is written from 0 to 8388607"):
        write(late, tmp_path / "a.bs1")
    with pytest.raises(FormatError, match=r"the sensor is 34x34x2; \.bs1 holds one row"):
        write(EventArray.empty(Sensor(34, 34)), tmp_path / "a.bs1")
    assert list(tmp_path.iterdir()) == []


def test_a_real_utterance_is_on_and_of_64_channels(recordings: Path) -> None:
    path = recordings / "audio_spikes" / "ntidigits" / "NTIDIGITS_1.bs1"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events) == ("bs1", Sensor(64), 898)
    assert recording.findings == {}
    # As big-endian numbers of 40 bits, by Python.
    content = path.read_bytes()
    words = [int.from_bytes(content[k : k + 5], "big") for k in range(0, len(content), 5)]
    events = recording.events()
    assert events.t.tolist() == [word % 2**23 for word in words]
    assert events.x.tolist() == [word >> 24 for word in words]
    assert events.p.all()
    assert events.duration_us == 1_079_040
