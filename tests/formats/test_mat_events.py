from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Format, open_recording, read
from neurodata.signals import EventArray, Sensor
from tests.formats.contract import SENSOR, FormatContract, recorded
from tests.formats.matlab import DOUBLE, column, level5, packed, variable, version73

DAVIS240, ATIS = Sensor(240, 180), Sensor(304, 240)


def vectors(events: EventArray) -> dict[str, np.ndarray]:
    """As evbench has them."""
    pairs = {"ts": (events.t, "f8"), "x": (events.x, "u2"), "y": (events.y, "f8"), "pol": (events.p, "u1")}
    return {name: column(*pair) for name, pair in pairs.items()}


def saved(path: Path, variables: dict[str, Any], is_packed: bool = False) -> Path:
    raw = [variable(name, value) for name, value in variables.items()]
    path.write_bytes(level5(*(packed(part) if is_packed else part for part in raw)))
    return path


class Contract(FormatContract):
    """The contract of formats, on files written as MATLAB would: the format itself is only read."""

    @pytest.fixture
    def format(self) -> Format:
        found: Format = registry.formats["mat_events"]
        return found

    def test_the_content_tells_the_format(self, format: Format, written: Path) -> None:
        unnamed = written.rename(written.with_suffix(".recording"))
        assert open_recording(unnamed, sensor=SENSOR).format == format.name
        assert read(unnamed, sensor=SENSOR) == recorded(3000)

    @pytest.mark.skip(reason="nothing is written")
    def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(self) -> None: ...


class TestLevel5(Contract):
    def write(self, format: Format, events: EventArray, folder: Path) -> Path:
        return saved(folder / "a.mat", vectors(events))


class TestLevel5Packed(Contract):
    def write(self, format: Format, events: EventArray, folder: Path) -> Path:
        return saved(folder / "a.mat", vectors(events), is_packed=True)


class TestStruct(Contract):
    def write(self, format: Format, events: EventArray, folder: Path) -> Path:
        from_one = {
            "x": events.x.astype(int) + 1,
            "y": events.y.astype(int) + 1,
            "p": events.p.astype("i1"),
            "ts": events.t,
        }
        return saved(folder / "a.mat", {"TD": {name: values[:, None] for name, values in from_one.items()}})


class TestVersion73(Contract):
    @pytest.fixture(autouse=True)
    def h5py(self) -> Iterator[Any]:
        return pytest.importorskip("h5py", reason="needs the extra `hdf5`")

    def write(self, format: Format, events: EventArray, folder: Path) -> Path:
        import h5py

        path = folder / "a.mat"
        path.write_bytes(version73(h5py, vectors(events)))
        return path

    def test_every_truncation_gives_the_first_events_or_a_format_error(self, format: Format, tmp_path: Path) -> None:
        path = self.write(format, recorded(30), tmp_path)
        content = path.read_bytes()
        for length in range(0, len(content), 50):
            path.write_bytes(content[:length])
            with pytest.raises(FormatError, match=r"a\.mat"):
                format.open(path, SENSOR)

    def test_an_event_off_the_stated_sensor_is_named_with_its_byte(self, format: Format, written: Path) -> None:
        """With its variable: HDF5 may keep it in pieces."""
        with pytest.raises(FormatError, match=r"event 10, x: event at x=32, y=0 lies off the sensor 30x34x2"):
            format.open(written, Sensor(30, 34))


def opened(tmp_path: Path, variables: dict[str, Any], sensor: Sensor | None = SENSOR) -> EventArray:
    return open_recording(saved(tmp_path / "a.mat", variables), "mat_events", sensor).events()


FOUR = {"ts": [1.0, 2.0, 3.0, 4.0], "x": [1, 2, 3, 4], "y": [5, 6, 7, 8], "pol": [0, 1, 0, 1]}


def four(**changes: Any) -> dict[str, np.ndarray]:
    return {name: np.array([values]) for name, values in (FOUR | changes).items()}


def test_events_by_hand(tmp_path: Path) -> None:
    events = opened(tmp_path, four())
    assert events.t.tolist() == [1, 2, 3, 4]
    assert events.x.tolist() == [1, 2, 3, 4]
    assert events.y.tolist() == [5, 6, 7, 8]
    assert events.p.tolist() == [False, True, False, True]


def test_off_may_be_minus_one(tmp_path: Path) -> None:
    assert opened(tmp_path, four(pol=[-1, 1, 1, -1])).p.tolist() == [False, True, True, False]


def test_late_events_are_sorted_and_counted(tmp_path: Path) -> None:
    recording = open_recording(saved(tmp_path / "a.mat", four(ts=[3.0, 1.0, 2.0, 4.0])), sensor=SENSOR)
    assert recording.events().x.tolist() == [2, 3, 1, 4]
    assert recording.findings == {"late": 2}


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([1, 2, 2, 1], [False, True, True, False]),
        ([0, 1, 1, 0], [False, True, True, False]),
        ([-1, 1, 1, -1], [False, True, True, False]),
        ([1, 1, 1, 1], [True] * 4),
        ([2, 2, 2, 1], [True, True, True, False]),
    ],
)
def test_a_struct_counts_pixels_from_one_and_has_off_as_zero_minus_one_or_one(
    tmp_path: Path, p: list[int], expected: list[bool]
) -> None:
    td = {
        "x": np.array([[1, 2, 3, 34]]),
        "y": np.array([[34, 3, 2, 1]]),
        "p": np.array([p]),
        "ts": np.array([[1, 2, 3, 4]]),
    }
    events = opened(tmp_path, {"TD": td, "EM": td | {"ts": np.arange(7)}})
    assert events.x.tolist() == [0, 1, 2, 33]
    assert events.y.tolist() == [33, 2, 1, 0]
    assert events.p.tolist() == expected
    assert open_recording(tmp_path / "a.mat", sensor=SENSOR).findings == {"exposure measurements": 7}


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (four(ts=[0.1, 0.2, 0.3, 0.4]), r"ts\(1\) is 0.1; expected whole numbers up to 2\^53: .*layout or unit"),
        (four(ts=[1.0, np.nan, 3.0, 4.0]), r"ts\(2\) is nan"),
        (four(ts=[1.0, np.inf, 3.0, 4.0]), r"ts\(2\) is inf"),
        (four(x=[1.5, 2, 3, 4]), r"byte \d+: x\(1\) is 1.5; expected whole numbers"),
        (four(x=[1, 2, -3, 4]), r"event 2, byte \d+: x is -3; expected 0 to 65535"),
        (four(x=[1, 2, 70_000, 4]), r"event 2, byte \d+: x is 70000"),
        (four(pol=[1, 2, 1, 2]), r"p is 2; expected -1 to 1"),
        (four(y=[1, 2, 3]), r"different lengths .*'y': 3"),
        (four(y=np.ones((2, 2))), r"y has the shape \(1, 2, 2\); expected a row or a column"),
        (dict(list(four().items())[:3]), r"has no pol; it holds ts \(double \(1, 4\)\), x"),
        (dict.fromkeys("txyp", np.ones(3)), r"has no ts, pol; it holds t .*: save\('"),
        (four() | {"ts": "text"}, r"char of shape \(1, 4\); expected real numbers"),
        ({"TD": np.ones(3)}, r"double of shape \(1, 3\); expected one struct"),
        ({"TD": {"x": np.ones(3)}}, r"has no ts, y, p; it holds x \(double \(1, 3\)\)"),
        (four() | {"TD": four()}, r"holds both TD and ts, x, y, pol: save one of them by itself"),
        ({}, "it holds nothing"),
    ],
)  # fmt: skip
def test_other_layouts_are_refused_in_words(tmp_path: Path, variables: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        opened(tmp_path, variables)


def test_the_sensor_is_to_be_stated(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"does not tell its sensor: state it"):
        opened(tmp_path, four(), sensor=None)


def test_rows_of_asl_dvs_are_turned_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", four())
    turned, kept = read(path, format="mat_asl_dvs"), read(path, sensor=DAVIS240)
    assert isinstance(turned, EventArray)
    assert turned.y.tolist() == [174, 173, 172, 171]
    assert turned.sensor == DAVIS240
    assert turned == EventArray(kept.t, kept.x, 179 - kept.y, kept.p, DAVIS240)
    assert open_recording(path, "mat_asl_dvs").format == "mat_asl_dvs"
    assert read(path, format="mat_asl_dvs", sensor=SENSOR).y.tolist() == [28, 27, 26, 25]


def test_an_event_below_the_rows_of_asl_dvs_is_refused_as_it_stands(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", four(y=[1, 180, 2, 3]))
    with pytest.raises(FormatError, match=r"event 1, byte \d+: event at x=2, y=180 lies off the sensor 240x180x2"):
        read(path, format="mat_asl_dvs")


def test_asl_dvs_equals_scipy_and_the_formula_of_tonics_reader(tmp_path: Path) -> None:
    """tonic's class needs all 100 800 files: what its __getitem__ computes, with its helper and SciPy."""
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    rng = np.random.default_rng(4)
    n = 500
    columns = {
        "ts": column(np.sort(rng.integers(0, 100_000, n)), "i4"),
        "x": column(rng.integers(0, 240, n), "f8"),
        "y": column(rng.integers(0, 180, n), "f8"),
        "pol": column(rng.integers(0, 2, n), "f8"),
    }
    scipy_io.savemat(tmp_path / "a.mat", columns, do_compression=True)
    theirs = scipy_io.loadmat(tmp_path / "a.mat")
    ours = read(tmp_path / "a.mat", format="mat_asl_dvs")
    assert isinstance(ours, EventArray)
    assert np.array_equal(ours.t, theirs["ts"].ravel())
    assert np.array_equal(ours.x, theirs["x"].ravel())
    assert np.array_equal(ours.y, DAVIS240.height - 1 - theirs["y"].ravel())
    assert np.array_equal(ours.p, theirs["pol"].ravel() == 1)


def test_real_evbench_equals_scipy_by_hand(recordings: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    path = recordings / "event" / "mat" / "evbench_seq_0001_e.mat"
    theirs = scipy_io.loadmat(path)
    recording = open_recording(path, sensor=DAVIS240)
    assert (recording.format, recording.n_events, recording.findings) == ("mat_events", 132_784, {})
    events = recording.events()
    for ours, name in ((events.t, "ts"), (events.x, "x"), (events.y, "y"), (events.p, "pol")):
        assert np.array_equal(ours, theirs[name].ravel())
    turned = read(path, format="mat_asl_dvs")
    assert isinstance(turned, EventArray)
    assert np.array_equal(turned.y, 179 - theirs["y"].ravel().astype(int))


def test_a_real_struct_equals_scipy_by_hand(recordings: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    path = recordings / "event" / "mat" / "orchard_example_data.mat"
    theirs = scipy_io.loadmat(path)["TD"]
    recording = open_recording(path, sensor=ATIS)
    assert recording.findings == {"exposure measurements": 442_382}
    events = recording.events()
    for ours, name, base in ((events.t, "ts", 0), (events.x, "x", 1), (events.y, "y", 1), (events.p, "p", 0)):
        assert np.array_equal(ours, theirs[name][0, 0].ravel().astype(int) - base)


def test_doubles_that_are_stored_small_are_read(tmp_path: Path) -> None:
    raw = [variable(name, np.array([[1, 0]], np.uint8), kind=DOUBLE) for name in ("x", "y", "pol")]
    (tmp_path / "a.mat").write_bytes(level5(*raw, variable("ts", np.array([[5.0, 9.0]]))))
    assert read(tmp_path / "a.mat", sensor=SENSOR).p.tolist() == [True, False]
