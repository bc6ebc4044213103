from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._hdf5 import ECF
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import SENSOR, recorded
from tests.formats.mutations import mutations
from tests.formats.outcomes import outcome

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])


def saved(path: Path, events: EventArray, geometry: Any = "34x34", **options: Any) -> Path:
    records = np.zeros(len(events), RECORD)
    for name in "txyp":
        records[name] = getattr(events, name)
    with h5py.File(path, "w") as file:
        file.create_dataset("CD/events", data=records, **options)
        if geometry is not None:
            file.attrs["geometry"] = geometry
    return path


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (100,)}, {"chunks": (100,), "compression": "gzip", "shuffle": True}]
)
def test_records_are_read_however_they_are_packed(tmp_path: Path, options: dict[str, Any]) -> None:
    events = recorded(1000)
    path = saved(tmp_path / "a.hdf5", events, **options)
    assert open_recording(path).format == "prophesee_h5"
    assert read(path) == events
    assert open_recording(path).events(5000, 9000) == events.between(5000, 9000)


@pytest.mark.parametrize("geometry", ["34x34", np.bytes_(b"34x34")])
def test_the_geometry_is_the_sensor(tmp_path: Path, geometry: object) -> None:
    assert read(saved(tmp_path / "a.hdf5", recorded(9), geometry)).sensor == SENSOR


@pytest.mark.parametrize("geometry", [None, "big", 7])
def test_without_a_geometry_the_sensor_has_to_be_stated(tmp_path: Path, geometry: object) -> None:
    path = saved(tmp_path / "a.hdf5", recorded(9), geometry)
    with pytest.raises(FormatError, match="does not tell its sensor"):
        read(path)
    assert read(path, sensor=SENSOR) == recorded(9)


def test_ecf_without_a_decoder_is_an_error_that_names_the_ways_out(tmp_path: Path) -> None:
    if h5py.h5z.filter_avail(ECF):
        pytest.skip("the ECF plugin is installed")
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_chunk((100,))
    created.set_filter(ECF, h5py.h5z.FLAG_OPTIONAL, (100,))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        space, kind = h5py.h5s.create_simple((100,)), h5py.h5t.py_create(RECORD)
        h5py.h5d.create(file.create_group("CD").id, b"events", kind, space, created)
    with pytest.raises(FormatError, match=r"filter 36559 .*hdf5_ecf .*HDF5_PLUGIN_PATH, or .*metavision_file_to_csv"):
        read(tmp_path / "a.hdf5", sensor=SENSOR)


def test_records_without_the_fields_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["CD/events"] = np.zeros(3, [("x", "<u2"), ("t", "<i8")])
    with pytest.raises(FormatError, match=r"CD/events has the fields \('x', 't'\); expected x, y, p and t"):
        read(tmp_path / "a.hdf5")


def test_it_is_read_only(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="prophesee_h5 can be read only"):
        write(recorded(3), tmp_path / "a.hdf5", format="prophesee_h5")


def test_damaged_files_give_valid_events_or_a_format_error(tmp_path: Path) -> None:
    events = recorded(60)
    path = saved(tmp_path / "a.hdf5", events, chunks=(30,), compression="gzip")
    content = path.read_bytes()
    for mutant in mutations(content, n=200, seed=1):
        path.write_bytes(mutant)
        outcome(registry.formats["prophesee_h5"], path, None)
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert isinstance(outcome(registry.formats["prophesee_h5"], path, SENSOR), FormatError)


def test_the_real_layout_equals_h5py_by_hand(recordings: Path) -> None:
    path = recordings / "derived" / "prophesee_CD_layout.h5"
    recording = open_recording(path)
    assert (recording.format, recording.sensor, recording.n_events) == ("prophesee_h5", Sensor(1280, 720), 60_000)
    events = recording.events()
    with h5py.File(path) as file:
        records = file["CD/events"][()]
    assert all(np.array_equal(getattr(events, name), records[name]) for name in "txyp")
    assert read(recordings / "derived" / "dsec_layout_a.h5") == events  # the same recording in both layouts
