from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError, StorageError
from neurodata.formats import open_recording, read, write
from neurodata.formats._hdf5 import DatasetReader
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import SENSOR, recorded

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")


DTYPES = {"t": "<u4", "x": "<u2", "y": "<u2", "p": "|u1"}


def columns(t: Any = (1, 2), x: Any = (3, 4), y: Any = (5, 6), p: Any = (0, 1)) -> dict[str, np.ndarray]:
    return {f"events/{name}": np.asarray(values) for name, values in zip("txyp", (t, x, y, p), strict=True)}


def saved(path: Path, datasets: dict[str, Any], **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
        file.attrs.update(attributes)
    return path


def test_an_offset_of_time_is_added(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", columns() | {"t_offset": 58_376_120_003})
    assert read(path, sensor=SENSOR).t.tolist() == [58_376_120_004, 58_376_120_005]


def test_off_is_zero_or_minus_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", columns(p=np.array([-1, 1], np.int8)))
    assert read(path, sensor=SENSOR).p.tolist() == [False, True]


def test_the_sensor_is_where_rvt_and_evutils_put_it_or_stated(tmp_path: Path) -> None:
    rvt = saved(tmp_path / "a.h5", columns() | {"events/height": 240, "events/width": 304})
    assert read(rvt).sensor == Sensor(304, 240)
    assert read(rvt, sensor=SENSOR).sensor == SENSOR
    assert read(saved(tmp_path / "b.h5", columns(), height=240, width=304)).sensor == Sensor(304, 240)
    with pytest.raises(FormatError, match=r"does not tell its sensor: state it"):
        read(saved(tmp_path / "c.h5", columns()))


def test_what_is_written_is_dsecs_layout(tmp_path: Path) -> None:
    events = recorded(5000, longest_step_us=900)
    events = EventArray(events.t + 7_000_000, events.x, events.y, events.p, SENSOR)
    write(events, tmp_path / "a.h5", format="dsec_h5")
    with h5py.File(tmp_path / "a.h5") as file:
        t, first = file["events/t"][()], file["ms_to_idx"][()]
        assert {name: file[f"events/{name}"].dtype.str for name in "txyp"} == DTYPES
        assert int(file["t_offset"][()]) == events.t[0]
        assert file["events/t"]._filters.keys() == {"32001"}  # blosc
    assert np.array_equal(t + events.t[0], events.t)
    for ms, k in enumerate(first.tolist()):
        assert k == len(t) or t[k] >= 1000 * ms
        assert k == 0 or t[k - 1] < 1000 * ms
    assert len(first) == t[-1] // 1000 + 2


def test_the_index_of_milliseconds_is_right_whatever_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats.dsec_h5.EVENTS_PER_CHUNK", 7)
    events = recorded(100, longest_step_us=20_000)
    write(events, tmp_path / "a.h5", format="dsec_h5")
    with h5py.File(tmp_path / "a.h5") as file:
        t, found = file["events/t"][()], file["ms_to_idx"][()]
    assert len(found) == t[-1] // 1000 + 2
    assert np.array_equal(found, np.searchsorted(t, 1000 * np.arange(len(found))))


def test_a_full_disk_is_a_storage_error_wherever_it_ends_the_file(
    tmp_path: Path, largest_file: Callable[[int], None]
) -> None:
    events, path = recorded(100_000), tmp_path / "a.h5"
    write(events, path, format="dsec_h5")
    before = path.read_bytes()
    for room_bytes in (0, 1000, 3000, len(before) // 3, len(before) - 1):
        largest_file(room_bytes)
        with pytest.raises(StorageError, match=r"a\.h5: cannot write"):
            write(events, path, format="dsec_h5")
        assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_long_recordings_are_written_with_wide_times_and_longer_ones_refused(tmp_path: Path) -> None:
    zero = np.zeros(2, np.uint16)
    hours = EventArray(np.array([5, 5 + 7_200_000_000]), zero, zero, zero > 0, SENSOR)
    write(hours, tmp_path / "a.h5", format="dsec_h5")
    assert read(tmp_path / "a.h5") == hours
    days = EventArray(np.array([5, 5 + 87_000_000_000]), zero, zero, zero > 0, SENSOR)
    with pytest.raises(FormatError, match="holds a day from 0 on: cut them"):
        write(days, tmp_path / "a.h5", format="dsec_h5")
    assert read(tmp_path / "a.h5") == hours


@pytest.mark.parametrize("keep", [False, True])
def test_late_events_are_sorted_over_blocks_in_slices_and_in_packets(
    tmp_path: Path, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._columns.BLOCK_EVENTS", 64)
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.integers(0, 9, 3000))
    t[::50] -= rng.integers(0, 2000, 60)
    x, y, p = rng.integers(0, 34, 3000), rng.integers(0, 34, 3000), rng.integers(0, 2, 3000)
    path = saved(tmp_path / "a.h5", columns(t, x, y, p))
    order = np.argsort(t, kind="stable")
    recording = registry.formats["dsec_h5"].open(path, SENSOR, keep)
    whole = recording.events()
    assert np.array_equal(whole.t, t[order])
    assert np.array_equal(whole.x, x[order])
    assert recording.findings == {"late": np.count_nonzero(t < np.maximum.accumulate(t))}
    assert recording.events(3000, 7000) == whole.between(3000, 7000)
    assert [packet.t.tolist() for packet in recording.packets(17)] == [
        whole.t[k : k + 17].tolist() for k in range(0, 3000, 17)
    ]


def test_a_slice_reads_its_own_blocks_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.formats._columns.BLOCK_EVENTS", 64)
    write(recorded(3000), tmp_path / "a.h5", format="dsec_h5")
    recording = open_recording(tmp_path / "a.h5")
    asked = []
    read_part = DatasetReader.read
    monkeypatch.setattr(DatasetReader, "read", lambda self, a, b: (asked.append((a, b)), read_part(self, a, b))[1])
    middle = recording.events(30_000, 30_100)
    assert len(middle) > 0
    assert asked[0][1] - asked[0][0] <= 128


@pytest.mark.parametrize(
    ("datasets", "reason"),
    [
        (columns(t=[0.1, 0.2]), "column t holds float64; expected whole numbers"),
        (columns(x=[3, 70_000]), r"event 1, byte \d+: x is 70000; expected 0 to 65535"),
        (columns(p=[0, 2]), "p is 2; expected -1 to 1"),
        (columns(x=[3]), "different lengths"),
        (columns(t=[[1], [2]]), "events/t is no dataset of one axis"),
        (columns() | {"t_offset": 0.5}, "t_offset is float64"),
        (columns() | {"t_offset": [1, 2]}, r"t_offset is int64 of shape \(2,\)"),
        ({"spikes/times": [1]}, "dsec_h5: has no events/t, events/x, events/y, events/p"),
    ],
)
def test_other_layouts_are_refused_in_words(tmp_path: Path, datasets: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read(saved(tmp_path / "a.h5", datasets), sensor=SENSOR)


def test_a_huge_declared_length_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in columns():
            file.create_dataset(name, (1 << 60,), np.uint8, chunks=(1000,))
    with pytest.raises(FormatError, match="0 bytes are to become 4611686018427387904"):
        read(tmp_path / "a.h5", sensor=SENSOR)


def test_huge_chunks_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in columns():
            file.create_dataset(name, (10,), np.int64, chunks=(1 << 28,), maxshape=(None,))
    with pytest.raises(FormatError, match="chunks of 268435456 elements"):
        read(tmp_path / "a.h5", sensor=SENSOR)


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    saved(tmp_path / "other.h5", columns())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in columns():
            file[name] = h5py.ExternalLink("other.h5", name)
    with pytest.raises(FormatError, match="events/t lies in another file"):
        read(tmp_path / "a.h5", sensor=SENSOR)
    (tmp_path / "raw").write_bytes(bytes(16))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in columns():
            file.create_dataset(name, (2,), np.int64, external=[(str(tmp_path / "raw"), 0, 16)])
    with pytest.raises(FormatError, match="events/t lies in another file"):
        read(tmp_path / "a.h5", sensor=SENSOR)


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.h5", columns())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[hdf5\]"):
        read(path, format="dsec_h5", sensor=SENSOR)
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[hdf5\]"):
        write(recorded(3), path, format="dsec_h5")
    with pytest.raises(FormatError, match=r"dsec_h5: HDF5 is read by h5py and hdf5plugin"):
        read(path)


def test_the_real_layout_equals_h5py_by_hand(recordings: Path) -> None:
    path = recordings / "derived" / "dsec_layout_a.h5"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events) == ("dsec_h5", Sensor(1280, 720), 60_000)
    events = recording.events()
    with h5py.File(path) as file:
        assert all(np.array_equal(getattr(events, name), file[f"events/{name}"][()]) for name in "txyp")


def test_real_events_without_microseconds_are_refused(recordings: Path) -> None:
    path = recordings / "event" / "hdf5" / "event_vision_library_event.hdf5"  # raw_events/, t in seconds
    with pytest.raises(FormatError, match="no format recognises it"):
        read(path)
