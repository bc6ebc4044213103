from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError, MissingExtraError
from neurodata.formats import Entry, detect, open_collection, read
from neurodata.formats._spikes import LAST_EXACT_US, MICROSECONDS_OF_HALF, look_up, reference
from neurodata.signals import EventArray, Sensor, Waveform

h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

COCHLEA = Sensor(700, 1, 1)


def trains(*sizes: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times in seconds, and channels."""
    rng = np.random.default_rng(seed)
    return [(np.sort(rng.random(n)), rng.integers(0, 700, n)) for n in sizes]


def saved(
    path: Path, samples: list[tuple[Any, Any]], times: str = "<f2", units: str = "<u2", order: Any = None,
    labels: Any = None, extra: dict[str, Any] | None = None, libver: str = "earliest", **options: Any,
) -> Path:  # fmt: skip
    n = len(samples)
    with h5py.File(path, "w", libver=libver) as file:
        t = file.create_dataset("spikes/times", (n,), h5py.vlen_dtype(np.dtype(times)), **options)
        x = file.create_dataset("spikes/units", (n,), h5py.vlen_dtype(np.dtype(units)), **options)
        for k in range(n) if order is None else order:
            t[k], x[k] = (np.asarray(column).astype(t) for column, t in zip(samples[k], (times, units), strict=True))
        file["labels"] = np.zeros(n, np.uint8) if labels is None else labels
        for name, values in (extra or {}).items():
            file[f"extra/{name}"] = values
    return path


def by_h5py(path: Path) -> list[tuple[list[int], list[int]]]:
    """Times in whole microseconds and channels, in time order."""
    with h5py.File(path) as file:
        pairs = list(zip(file["spikes/times"][:], file["spikes/units"][:], strict=True))
    found = []
    for times, units in pairs:
        t = np.rint(times.astype(np.float64) * 1e6).astype(np.int64)
        order = np.argsort(t, kind="stable")
        found.append((t[order].tolist(), units[order].tolist()))
    return found


def ours(path: Path) -> list[tuple[list[int], list[int]]]:
    return [(reading.signal.t.tolist(), reading.signal.x.tolist()) for reading in open_collection(path).readings()]


@pytest.mark.parametrize("times", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("units", ["<u2", ">u2", "|u1", "<i4", ">i8"])
def test_every_type_of_number_reads_as_written(tmp_path: Path, times: str, units: str) -> None:
    samples = [(t, x % 100) for t, x in trains(100, 0, 5000, 3)]
    path = saved(tmp_path / "a.h5", samples, times, units)
    assert ours(path) == [
        (np.rint(t.astype(times).astype(np.float64) * 1e6).astype(np.int64).tolist(), x.tolist()) for t, x in samples
    ]
    # h5py gives big-endian sequences with their bytes the wrong way round.
    assert ">" in times + units or ours(path) == by_h5py(path)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (5,), "maxshape": (None,)},
        {"chunks": (40,), "compression": "gzip"},
        {"chunks": (7,), "compression": "gzip", "shuffle": True},
        {"chunks": (7,), "shuffle": True},
        {"libver": "latest"},
        {"libver": "latest", "chunks": (3,), "maxshape": (None,)},
    ],
)
def test_every_way_to_store_elements_reads_as_by_h5py(tmp_path: Path, options: dict[str, Any]) -> None:
    path = saved(tmp_path / "a.h5", trains(*np.random.default_rng(1).integers(0, 300, 40)), **options)
    assert ours(path) == by_h5py(path)


def test_samples_written_in_any_order_read_as_by_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    sizes = np.where(rng.random(300) < 0.1, rng.integers(2000, 9000, 300), rng.integers(0, 60, 300))
    path = saved(tmp_path / "a.h5", trains(*sizes), order=rng.permutation(300).tolist())
    expected = by_h5py(path)
    for block_bytes in (1, 1000, 1 << 20):
        monkeypatch.setattr("neurodata.formats._heap.BLOCK_BYTES", block_bytes)
        assert ours(path) == expected


def test_samples_that_were_never_written_are_empty(tmp_path: Path) -> None:
    for options in ({}, {"chunks": (2,)}):
        path = saved(tmp_path / "a.h5", trains(5, 5, 5, 5, 5, 5), order=[3], **options)
        assert [len(t) for t, _ in ours(path)] == [0, 0, 0, 5, 0, 0]


@given(st.lists(st.integers(0, 65535), max_size=60))
def test_float16_times_are_looked_up(patterns: list[int]) -> None:
    halves = np.array(patterns, np.uint16).view(np.float16)
    t = np.empty(len(halves), np.int64)
    assert look_up(halves.view(np.uint16), MICROSECONDS_OF_HALF, t) == np.isfinite(halves).all()
    assert np.array_equal(t[np.isfinite(halves)], reference(halves[np.isfinite(halves)]))


def test_seconds_are_cast_before_they_are_scaled_and_halves_go_to_the_even_microsecond(tmp_path: Path) -> None:
    times = [2**-7, 3 * 2**-7, 0.5, 1.25, 1000]  # 7812.5 us, 23437.5 us; 10^6 is above what float16 holds
    for dtype in ("<f2", "<f4", "<f8"):
        path = saved(tmp_path / "a.h5", [(times, [0] * 5)], dtype)
        assert read(path).t.tolist() == [7812, 23438, 500_000, 1_250_000, 1_000_000_000]


def test_every_spike_is_on_in_row_0_of_700_channels(tmp_path: Path) -> None:
    events = read(saved(tmp_path / "a.h5", trains(50)))
    assert events.sensor == COCHLEA
    assert events.p.all()
    assert not events.y.any()


def test_late_spikes_are_sorted_stably_and_counted(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", [([0.5, 0.25, 0.5, 0.375], [1, 2, 3, 4]), ([0.25], [5])])
    first, second = open_collection(path).readings()
    assert (first.signal.t.tolist(), first.signal.x.tolist()) == ([250_000, 375_000, 500_000, 500_000], [2, 4, 1, 3])
    assert (first.findings, second.findings) == ({"late": 2}, {})


def test_labels_classes_and_speakers_are_what_the_file_tells(tmp_path: Path) -> None:
    samples, names = trains(3, 4, 5), ["null", "eins", "zwei"]
    labels = np.array([2, 0, 2], np.uint16)
    texts = h5py.string_dtype()
    for keys in (np.array(names, "S"), np.array(names, texts)):
        for speaker, groups in (
            (np.array([4, 11, 4], np.uint8), ("4", "11", "4")),
            (np.array(["a", "", "é"], texts), ("a", "", "é")),
        ):
            path = saved(tmp_path / "a.h5", samples, labels=labels, extra={"keys": keys, "speaker": speaker})
            collection = open_collection(path)
            assert collection.keys == ("0", "1", "2")
            assert collection.labels is not None
            assert collection.labels.tolist() == [2, 0, 2]
            assert collection.classes == tuple(names)
            assert collection.groups == groups
    plain = open_collection(saved(tmp_path / "b.h5", samples, labels=labels))
    assert (plain.classes, plain.groups) == (("0", "1", "2"), None)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        del file["labels"]
    bare = open_collection(tmp_path / "b.h5")
    assert (bare.labels, bare.classes) == (None, ())


def test_one_sample_is_read_by_its_number(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", trains(10, 20, 30))
    assert len(read(path, item="1")) == len(read(path, item=1)) == 20
    assert len(read(path, item=1, start_us=0, stop_us=10**6)) == 20
    with pytest.raises(FormatError, match=r"it holds 3 samples \(0, 1, 2\)"):
        read(path)


times_us = st.integers(-LAST_EXACT_US, LAST_EXACT_US) | st.integers(0, 2_000_000)
spike_trains = st.lists(st.tuples(st.lists(times_us, max_size=30), st.integers(0, 20)), max_size=6)


@given(spike_trains, st.sampled_from([COCHLEA, Sensor(5), Sensor(65536, 1, 1)]), st.sampled_from(["", "7", "ann"]))
def test_what_is_written_comes_back_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[list[int], int]], sensor: Sensor, group: str
) -> None:
    path = tmp_path_factory.mktemp("shd") / "a.h5"
    entries = []
    for times, label in drawn:
        t = np.sort(np.array(times, np.int64))
        x = (np.arange(len(t)) * 4999 % sensor.width).astype(np.uint16)
        entries.append(Entry(EventArray(t, x, np.zeros_like(x), x >= 0, sensor), label, group))
    registry.formats["shd_h5"].write(entries, path)
    collection = open_collection(path)
    assert [reading.signal for reading in collection.readings()] == [entry.signal for entry in entries]
    assert collection.labels is not None
    assert collection.labels.tolist() == [entry.label for entry in entries]
    assert collection.groups == (tuple(group for _ in entries) if entries and group else None)
    assert entries == [] or collection.sensor == sensor


def test_what_is_written_is_shds_layout(tmp_path: Path) -> None:
    one = EventArray(np.array([1]), np.ones(1, np.uint16), np.zeros(1, np.uint16), np.ones(1, np.bool_), COCHLEA)
    registry.formats["shd_h5"].write([Entry(one, 3, "11"), Entry(one, 0, "4")], tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert [h5py.check_vlen_dtype(file[f"spikes/{name}"].dtype) for name in ("times", "units")] == ["<f8", "<u2"]
        assert file["spikes/times"][0].tolist() == [1e-6]
        assert (file["labels"][:].tolist(), file["extra/speaker"][:].tolist()) == ([3, 0], [11, 4])


def test_what_the_layout_does_not_hold_is_refused(tmp_path: Path) -> None:
    zero, on = np.zeros(1, np.uint16), np.ones(1, np.bool_)
    good = EventArray(np.zeros(1, np.int64), zero, zero, on, COCHLEA)
    for entries, message in (
        ([Entry(EventArray(good.t, zero, zero, ~on, COCHLEA), 0)], "sample 0 holds events of 700x1x1; shd_h5 holds ON"),
        (
            [Entry(good, 0), Entry(EventArray(good.t, zero, zero, on, Sensor(2, 2)), 0)],
            "sample 1 holds events of 2x2x2",
        ),
        ([Entry(Waveform(np.zeros(3, np.float32), 8000), 0)], "sample 0 holds Waveform"),
        (
            [Entry(EventArray(good.t + 2**51, zero, zero, on, COCHLEA), 0)],
            "sample 0: times reach from 2251799813685248",
        ),
        ([Entry(good, -1)], "sample 0: label -1; expected 0 to 65535"),
        ([Entry(good, 0), Entry(EventArray(good.t, zero, zero, on, Sensor(9)), 0)], "shd_h5 holds one sensor a file"),
    ):
        with pytest.raises(FormatError, match=message):
            registry.formats["shd_h5"].write(entries, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (([0.5, np.nan], [1, 2]), "sample 1: spike 1: time nan s; expected a number of seconds"),
        (([np.inf], [1]), "sample 1: spike 0: time inf s"),
        (([0.5, 0.25], [1, 700]), r"sample 1: spike 1: unit 700 lies off the sensor 700x1x1; .*state it"),
        (([0.5], [1, 2]), "sample 1: 1 times and 2 units"),
    ],
)
@pytest.mark.parametrize("times", ["<f2", "<f8"])
def test_spikes_that_make_no_sense_are_named_with_their_sample(
    tmp_path: Path, sample: tuple[Any, Any], message: str, times: str
) -> None:
    path = saved(tmp_path / "a.h5", [*trains(10), sample], times)
    assert len(open_collection(path).read(0).signal) == 10
    with pytest.raises(FormatError, match=rf"a\.h5: {message}"):
        open_collection(path).read(1)


def test_units_beyond_65535_and_below_0_and_times_beyond_62_bits_are_refused(tmp_path: Path) -> None:
    for unit in (-1, 65536 + 3, 2**40):
        path = saved(tmp_path / "a.h5", [([0.5], [unit])], "<f8", "<i8")
        with pytest.raises(FormatError, match=f"spike 0: unit {unit} lies off"):
            read(path)
    with pytest.raises(FormatError, match=r"time 1e\+300 s"):
        read(saved(tmp_path / "a.h5", [([1e300], [1])], "<f8"))


def test_what_is_no_shd_is_named(tmp_path: Path) -> None:
    samples = trains(5, 5)
    for change, message in (
        ({"labels": np.array([0], np.uint8)}, "labels has 1 entries for 2 samples"),
        ({"labels": np.array([0, -1])}, "labels reach from -1 to 0"),
        ({"labels": np.array([0, 2**40])}, "labels reach from 0 to 1099511627776; expected 0 to 65535"),
        ({"labels": np.array([0.5, 1])}, "labels holds float64"),
        ({"labels": np.array([0, 3]), "extra": {"keys": np.array(["a"], "S")}}, "label 3, but extra/keys names 1"),
        ({"extra": {"speaker": np.array([1], np.uint8)}}, "extra/speaker has 1 entries for 2 samples"),
        ({"units": "<f4"}, "spikes/units holds sequences of float32; expected sequences of the kinds i, u"),
        ({"chunks": (2,), "compression": "lzf"}, "filter 32000; .*h5repack -f NONE"),
    ):
        path = saved(tmp_path / "a.h5", samples, **change)
        with pytest.raises(FormatError, match=rf"a\.h5: .*{message}"):
            open_collection(path)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["spikes/times"], file["spikes/units"] = np.zeros(3), np.zeros(3)
    with pytest.raises(FormatError, match="spikes/times holds float64; expected sequences of the kinds f"):
        open_collection(tmp_path / "b.h5")


def test_objects_of_other_lengths_than_their_sequences_are_named(tmp_path: Path) -> None:
    # HDF5 2.0 does not return from reading some of these.
    path = saved(tmp_path / "a.h5", trains(60, 0, 700))
    content = path.read_bytes()
    n_tried = 0
    for n_bytes in (120, 1400):
        at = content.index(n_bytes.to_bytes(8, "little"))
        while at >= 0:
            for wrong in (0, n_bytes - 1, n_bytes + 76, 2**31, 2**64 - 1):
                path.write_bytes(content[:at] + wrong.to_bytes(8, "little") + content[at + 8 :])
                with pytest.raises(FormatError, match=r"a\.h5: spikes/\w+ \d: the heap collection at byte \d+ has "):
                    list(registry.formats["shd_h5"].open(path, None).readings())
                n_tried += 1
            at = content.find(n_bytes.to_bytes(8, "little"), at + 8)
    assert n_tried == 2 * 2 * 5


def test_the_sensor_may_be_stated(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", [([0.5], [800])])
    assert open_collection(path, sensor=Sensor(1000, 1, 1)).read(0).signal.sensor == Sensor(1000, 1, 1)


def test_a_file_that_changed_since_it_was_opened_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", trains(5, 5))
    collection = pickle.loads(pickle.dumps(open_collection(path)))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(FormatError, match="changed while it was being read"):
        collection.read(0)


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.h5", trains(5))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[hdf5\]"):
        registry.formats["shd_h5"].open(path, None)


def test_tonic_reads_the_same_but_cuts_off_fractions(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hsd = pytest.importorskip("tonic.datasets.hsd")
    labels = np.array([1, 0, 2], np.uint8)
    path = saved(tmp_path / "a.h5", trains(500, 20, 3000), labels=labels)
    assert detect(path).name == "shd_h5"

    class Local(hsd.HSD):
        location_on_system, data_filename, transform, target_transform = str(tmp_path), "a.h5", None, None

        def __init__(self) -> None:
            pass

    with h5py.File(path) as file:
        fractions = [times.astype(np.float64) * 1e6 for times in file["spikes/times"][:]]
    for k, reading in enumerate(open_collection(path).readings()):
        events, target = Local()[k]
        assert target == labels[k]
        assert np.array_equal(events["x"], reading.signal.x)
        assert np.array_equal(events["t"], np.floor(fractions[k]))
        assert np.array_equal(reading.signal.t, np.rint(fractions[k]))
        assert events["p"].all()
