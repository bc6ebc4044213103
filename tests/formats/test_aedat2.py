from __future__ import annotations

import struct
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._aedat2_records import CIFAR10DVS, COCHLEA_LP, DVS128, STATE, Layout, davis, decode, reference
from neurodata.formats._blocks import BlockRecording, Columns
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import recorded
from tests.peers import spikingjelly_event_functions

CHIP = b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
DAVIS = b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"
END = b"#End Of ASCII Header\r\n"
REAL = [
    ("alexouyang_neal_walking", Sensor(128, 128), 70304),
    ("biolab_setA/Caixa", Sensor(128, 128), 201523),
    ("biolab_setA/Lapiseira", Sensor(128, 128), 126164),
    ("biolab_setA/Tesoura", Sensor(128, 128), 143655),
    ("foam90", Sensor(128, 128), 1575),
    ("davis_grid_lips/s1-bbaf3s", Sensor(240, 180), 91181),
    ("tonic_header_only_davis346", Sensor(346, 260), 0),
]


def record(t: int, address: int) -> bytes:
    return struct.pack(">II", address, t)


def pixel(raw_x: int, raw_y: int, raw_p: int) -> int:
    return raw_y << 8 | raw_x << 1 | raw_p


def davis_pixel(raw_x: int, raw_y: int, raw_p: int) -> int:
    return raw_y << 22 | raw_x << 12 | raw_p << 11


def recording_of(
    folder: Path, *records: bytes, header: bytes = CHIP + END, version: int = 2, sensor: Sensor | None = None
) -> BlockRecording:
    path = folder / "recording.aedat"
    path.write_bytes(b"#!AER-DAT%d.0\r\n" % version + header + b"".join(records))
    found: BlockRecording = registry.formats["aedat2"].open(path, sensor)
    return found


def rows(events: EventArray) -> list[tuple[int, int, int, bool]]:
    return list(zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist(), strict=True))


def test_a_dvs128_turns_both_axes_and_bit_0_is_off(tmp_path: Path) -> None:
    # y bits 8-14, x bits 1-7, big-endian
    body = bytes([0, 0, 0b0000_0011, 0b0000_1000, 0, 0, 1, 0]) + record(257, pixel(127, 0, 1))
    assert rows(recording_of(tmp_path, body).events()) == [(256, 123, 124, True), (257, 0, 127, False)]


def test_version_1_has_addresses_of_two_bytes_and_is_a_dvs128_where_it_names_no_chip(tmp_path: Path) -> None:
    body = struct.pack(">HIHI", pixel(4, 3, 0), 256, pixel(127, 0, 1), 257)
    for header in (b"", b"# made by hand\r\n", CHIP):
        recording = recording_of(tmp_path, body, header=header, version=1)
        assert recording.sensor == Sensor(128, 128)
        assert rows(recording.events()) == [(256, 123, 124, True), (257, 0, 127, False)]


def test_a_davis_turns_both_axes_and_its_other_records_are_counted(tmp_path: Path) -> None:
    recording = recording_of(
        tmp_path,
        record(5, davis_pixel(0, 0, 1)),
        record(5, 0x80000000 | davis_pixel(3, 4, 0)),  # reset read
        record(5, 0x80000400 | davis_pixel(3, 4, 0)),  # signal read
        record(6, 0x80000C00 | 7 << 28 | 123 << 12),  # gyroscope
        record(6, 0x400),  # external event
        record(7, davis_pixel(239, 179, 0)),
        header=DAVIS,
    )
    assert recording.sensor == Sensor(240, 180)
    assert rows(recording.events()) == [(5, 239, 179, True), (7, 0, 0, False)]
    assert recording.findings == {"APS samples": 2, "IMU samples": 1, "external events": 1}


def test_external_events_of_a_dvs128_are_left_out_and_counted(tmp_path: Path) -> None:
    recording = recording_of(tmp_path, record(1, 0x8000), record(2, 0), record(3, 0x80000000), record(4, 0x10000))
    assert (recording.n_events, recording.findings) == (1, {"external events": 3})


def test_times_are_unsigned_and_go_on_after_a_wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 16)
    times = [2**31 + 5, 2**32 - 1, 3, 2**32 - 2, 4, 2**31 + 4, 2**32 - 1, 0]
    recording = recording_of(tmp_path, *(record(t, pixel(k, 0, 0)) for k, t in enumerate(times)))
    assert [(t, 127 - x) for t, x, _, _ in rows(recording.events())] == [
        (2**31 + 5, 0), (2**32 - 2, 3), (2**32 - 1, 1), (2**32 + 3, 2), (2**32 + 4, 4),
        (2**32 + 2**31 + 4, 5), (2**33 - 1, 6), (2**33, 7),
    ]  # fmt: skip
    assert recording.findings == {"late": 1, "clock wraps": 2}
    assert recording.events(2**32, 2**33).t.tolist() == [2**32 + 3, 2**32 + 4, 2**32 + 2**31 + 4, 2**33 - 1]


def test_a_pause_of_more_than_half_the_clock_before_any_wrap_is_a_pause(tmp_path: Path) -> None:
    assert recording_of(tmp_path, record(7, 0), record(2**32 - 1, 0)).events().t.tolist() == [7, 2**32 - 1]


@pytest.mark.parametrize("layout", [DVS128, CIFAR10DVS, davis(240, 180), davis(346, 260), COCHLEA_LP])
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=30), st.booleans(), st.data())
def test_the_kernel_equals_its_reference_wherever_it_stops(
    layout: Layout, pairs: list[tuple[int, int]], is_plain: bool, data: st.DataObject
) -> None:
    words = np.array(pairs, np.uint32).reshape(-1, 2)
    if is_plain:
        words[:, 0] &= np.uint32(0xFFFFFFFF ^ layout.skip_mask)
        words[:, 1].sort()
    expected = reference(words, layout)
    raw, state, parts, at = np.frombuffer(words.astype(">u4").tobytes(), np.uint8), np.zeros(1, STATE), [], 0
    while at < len(raw):
        columns = Columns.empty(data.draw(st.integers(1, 12)))
        state["bytes_left"] = len(raw) - at
        decode(raw[at : at + data.draw(st.integers(8, 99))], state, columns, layout=layout, record_bytes=8)
        parts.append(columns.part(0, int(state["n_events"][0])))
        at += int(state["position"][0])
    found = Columns.joined([Columns.empty(0), *parts])
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("header", "sensor"),
    [
        (b"# HardwareInterface: DVS128-V1 0298\r\n" + END, Sensor(128, 128)),  # no chip named
        (DAVIS.replace(b"DAVIS240C", b"Davis346red") + b"#<?xml?>\n", Sensor(346, 260)),
        (b"# AEChip: Davis640\n# \xfcber\r\n", Sensor(640, 480)),
        (b"# HardwareInterface: DVS128\r\n" + DAVIS, Sensor(240, 180)),  # the chip is the better witness
    ],
)
def test_the_header_names_the_chip(tmp_path: Path, header: bytes, sensor: Sensor) -> None:
    recording = recording_of(tmp_path, record(5, 0), header=header)
    assert (recording.sensor, recording.n_events) == (sensor, 1)


@pytest.mark.parametrize("header", [b"", b"# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n"])
def test_a_chip_that_is_not_known_is_refused_unless_the_sensor_tells(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(FormatError, match=r"recording\.aedat: the header names .*chip.*known are DVS128, .*sensor="):
        recording_of(tmp_path, record(5, 0), header=header)
    with pytest.raises(FormatError, match="DVS128, TMPDIFF128"):
        recording_of(tmp_path, record(5, 0), header=header, sensor=Sensor(34, 34))
    events = recording_of(tmp_path, record(5, davis_pixel(1, 2, 1)), header=header, sensor=Sensor(240, 180)).events()
    assert rows(events) == [(5, 238, 177, True)]


def test_the_end_line_keeps_a_first_event_that_looks_like_a_header_line(tmp_path: Path) -> None:
    body = record(10, int.from_bytes(b"#abc", "big") & ~0x400)  # the time ends in a line feed
    assert body[:1] + body[-1:] == b"#\n"
    davis640 = DAVIS.replace(b"DAVIS240C", b"Davis640")
    assert recording_of(tmp_path, body, header=davis640 + END).n_events == 1
    assert recording_of(tmp_path, body, header=davis640).n_events == 1  # has bytes that no text has


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: does not begin with #!AER-DAT2.0 or #!AER-DAT1.0, so it is not AEDAT"),
        (b"#!AER-DAT3.1\r\n", "byte 0: does not begin with"),
        (b"#!AER-DAT2.0\r\n# AEChip: DVS1", "byte 14: a header line without an end; the file is truncated"),
        (b"#!AER-DAT2.0\r\n" + CHIP + bytes(13), f"byte {14 + len(CHIP) + 8}: 5 bytes are left .* needs 8"),
        (b"#!AER-DAT1.0\r\n" + CHIP + bytes(13), f"byte {14 + len(CHIP) + 12}: 1 bytes are left .* needs 6"),
        (b"#!AER-DAT2.0\r\n" + DAVIS + record(5, 0) + record(5, davis_pixel(0, 180, 0)),
         f"byte {14 + len(DAVIS) + 8}: event at x=239, y=65535 lies off the sensor 240x180x2"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recording.aedat"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"recording\.aedat: {message}"):
        registry.formats["aedat2"].open(path)


def test_the_byte_of_an_event_off_the_sensor_is_exact_behind_other_records(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"byte {14 + len(CHIP) + 24}: event at x=127, y=77 lies off"):
        recording_of(
            tmp_path, record(1, pixel(0, 127, 0)), *[record(1, 0x8000)] * 2, record(2, pixel(0, 50, 0)), header=CHIP,
            sensor=Sensor(128, 50),
        )  # fmt: skip


COCHLEA = b"# HardwareInterface: COCHLEA FX3 PROTO-01\r\n# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaLP\r\n"


def test_a_cochlea_has_channels_and_ears_and_its_ticks_are_counted(tmp_path: Path) -> None:
    recording = recording_of(
        tmp_path,
        record(5, 0b11111110),  # channel 63, ear 1, ON
        record(6, 0x80000001),  # tick
        record(6, 0x302C),  # start of a conversion
        record(7, 0b00001001),  # channel 2, ear 0, OFF
        header=COCHLEA + END,
    )
    assert recording.sensor == Sensor(64, 2)
    assert rows(recording.events()) == [(5, 63, 1, True), (7, 2, 0, False)]
    assert recording.findings == {"external events": 2}


def test_a_real_cochlea_recording_equals_its_bits(recordings: Path) -> None:
    path = recordings / "audio_spikes" / "das_grid" / "s1-bbaf3s.aedat"
    recording = open_recording(path)
    events = recording.events()
    assert (recording.format, recording.sensor, recording.n_events) == ("aedat2", Sensor(64, 2), 23980)
    assert recording.findings == {"external events": 162}
    content = path.read_bytes()
    # No header line is as short as a record, and 8 * (23980 + 162) bytes are left at the end of the file.
    address, t = np.frombuffer(content[-8 * 24142 :], ">u4").reshape(-1, 2).astype(np.int64).T
    assert content[: -8 * 24142].endswith(b"\n")
    is_tick = address >> 31 == 1
    assert np.unique(np.diff(t[is_tick])).tolist() == [32768]
    address, t = address[~is_tick], t[~is_tick]
    for found, expected in ((events.t, t), (events.x, address // 4), (events.y, address // 2 % 2)):
        assert np.array_equal(found, expected)
    assert np.array_equal(events.p, address % 2 == 0)


def test_written_records_have_the_bits_of_a_dvs128(tmp_path: Path) -> None:
    one = np.ones(1, np.uint16)
    write(EventArray(np.array([258]), 4 * one, 3 * one, one > 0, Sensor(9, 9)), tmp_path / "a.aedat2")
    assert (tmp_path / "a.aedat2").read_bytes().endswith(END + record(258, pixel(123, 124, 0)))


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_times_past_the_clock_come_back_where_no_pause_hides_a_wrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr("neurodata.formats._writing.EVENTS_PER_PIECE", n)
    events, path = recorded(100, longest_step_us=2**31), tmp_path / "a.aedat2"
    write(events, path)
    assert read(path, sensor=events.sensor) == events
    late = EventArray(events.t + 2**32, events.x, events.y, events.p, events.sensor)
    with pytest.raises(FormatError, match=r"AEDAT 2\.0 begins between 0 and 4294967295"):
        write(late, path)
    gap = EventArray(np.array([0, 2**32]), events.x[:2], events.y[:2], events.p[:2], events.sensor)
    with pytest.raises(FormatError, match="in steps of up to 4294967296"):
        write(gap, path)
    assert read(path, sensor=events.sensor) == events


def test_a_sensor_that_a_dvs128_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="the sensor is 346x260x2: write aedat31 or aedat4"):
        write(EventArray.empty(Sensor(346, 260)), tmp_path / "a.aedat2")


def test_cifar10dvs_is_transposed_when_stated_and_never_guessed(tmp_path: Path) -> None:
    recording_of(tmp_path, record(5, pixel(1, 2, 0)), record(6, pixel(127, 0, 1)))
    path = tmp_path / "recording.aedat"
    assert rows(read(path, format="aedat2_cifar10dvs")) == [(5, 125, 126, True), (6, 127, 0, False)]
    assert open_recording(path, format="aedat2_cifar10dvs").format == "aedat2_cifar10dvs"
    assert open_recording(path).format == "aedat2"


def test_cifar10dvs_equals_spikingjelly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spikingjelly_event_functions()
    for name in ("torchvision.datasets", "torchvision.datasets.utils"):
        stand_in = ModuleType(name)
        for used in ("DatasetFolder", "check_integrity", "download_url", "extract_archive"):
            vars(stand_in)[used] = object
        monkeypatch.setitem(sys.modules, name, stand_in)
    cifar10_dvs = pytest.importorskip("spikingjelly.datasets.cifar10_dvs")
    events, path = recorded(500), tmp_path / "a.aedat"
    write(events, path, format="aedat2")
    expected = cifar10_dvs._load_origin_data(path)
    found = read(path, format="aedat2_cifar10dvs")
    for name in "txyp":
        assert np.array_equal(getattr(found, name), expected[name])


@pytest.mark.parametrize(("name", "sensor", "n_events"), REAL)
def test_real_recordings_equal_tonic_where_it_is_right(
    recordings: Path, name: str, sensor: Sensor, n_events: int
) -> None:
    path = recordings / "event" / "aedat2" / f"{name}.aedat"
    recording = open_recording(path)
    events = recording.events()
    assert (recording.format, recording.sensor, recording.n_events, recording.findings) == (
        "aedat2", sensor, n_events, {},
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tonic_io = pytest.importorskip("tonic.io")
    content = path.read_bytes()
    start = len(content) - 8 * n_events
    found = tonic_io.get_aer_events_from_file(str(path), 2, start)
    assert np.array_equal(found["timeStamp"].astype(np.int64) & 0xFFFFFFFF, events.t)
    address = found["address"].astype(np.int64)
    if sensor == Sensor(128, 128):
        # tonic's read_dvs_128 takes bits 8-14 for x, turns nothing, and has ON for OFF.
        assert np.array_equal(address >> 1 & 0x7F, 127 - events.x.astype(np.int64))
        assert np.array_equal(address >> 8 & 0x7F, 127 - events.y.astype(np.int64))
        assert np.array_equal(address & 1 == 0, events.p)
    else:
        # The expressions of tonic's read_davis_346, for this width and height.
        assert np.array_equal(sensor.width - 1 - ((address & 4190208) >> 12), events.x)
        assert np.array_equal(sensor.height - 1 - ((address & 2143289344) >> 22), events.y)
        assert np.array_equal((address & 2048) > 0, events.p)
