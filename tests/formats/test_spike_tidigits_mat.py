from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import Collection, open_collection, read
from neurodata.signals import EventArray, Sensor
from tests.formats.matlab import Cell, column, level5, packed, variable, version73
from tests.golden.spike_tidigits_mat import N_NEURONS, content, sample

NAN, INF = np.nan, np.inf
ONE = np.array([[1.5, 0.0], [NAN, NAN], [0.25, 1.5]])


def made(train: list[Any], test: list[Any], **changes: Any) -> dict[str, Any]:
    return {
        "train_pattern": Cell((len(train), 1), train),
        "train_labels": column(np.arange(len(train)) + 1, "u1"),
        "test_pattern": Cell((1, len(test)), test),
        "test_labels": column(np.arange(len(test)) + 1, "f8"),
    } | changes


def opened(tmp_path: Path, variables: dict[str, Any], sensor: Sensor | None = None) -> Collection:
    (tmp_path / "a.mat").write_bytes(level5(*(variable(name, value) for name, value in variables.items())))
    return open_collection(tmp_path / "a.mat", "spike_tidigits_mat", sensor)


def test_a_sample_by_hand(tmp_path: Path) -> None:
    reading = opened(tmp_path, made([ONE], [ONE])).read(0)
    events = reading.signal
    assert isinstance(events, EventArray)
    assert events.t.tolist() == [250, 1500, 1500]
    assert events.x.tolist() == [2, 0, 2]  # of equal time: in the order of neurons
    assert events.y.tolist() == [0, 0, 0]
    assert events.p.all()
    assert events.sensor == Sensor(3, 1, 1)
    assert reading.findings == {"zeros": 1}


def test_keys_labels_and_classes_are_of_both_splits(tmp_path: Path) -> None:
    found = opened(tmp_path, made([ONE, ONE, ONE], [ONE, ONE], train_labels=column([11, 1, 2], "u1")))
    assert found.keys == ("train/0", "train/1", "train/2", "test/0", "test/1")
    assert found.labels is not None
    assert found.labels.tolist() == [10, 0, 1, 0, 1]
    assert found.classes == tuple(map(str, range(11)))
    assert found.groups is None
    assert len(read(tmp_path / "a.mat", item="test/1")) == 3


def test_samples_equal_scipy_by_hand(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    path = tmp_path / "a.mat"
    path.write_bytes(content())
    theirs = scipy_io.loadmat(path)
    found = open_collection(path)
    assert (found.format, found.sensor) == ("spike_tidigits_mat", Sensor(N_NEURONS, 1, 1))
    patterns = [*theirs["train_pattern"].ravel(), *theirs["test_pattern"].ravel()]
    for reading, pattern in zip(found.readings(), patterns, strict=True):
        expected = sorted(
            (round(time * 1000), neuron) for neuron, row in enumerate(pattern) for time in row if 0 < time < INF
        )
        assert isinstance(reading.signal, EventArray)
        assert list(zip(reading.signal.t.tolist(), reading.signal.x.tolist(), strict=True)) == expected


def test_vectors_in_place_of_rows_and_both_versions_give_the_same(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    matrices = [sample(51, NAN), sample(52, NAN)]
    vectors = [Cell((N_NEURONS, 1), [row[None][:, np.isfinite(row)] for row in matrix]) for matrix in matrices]
    ours = [reading.signal for reading in opened(tmp_path, made(matrices, [])).readings()]
    assert ours == [reading.signal for reading in opened(tmp_path, made(vectors, [])).readings()]
    (tmp_path / "b.mat").write_bytes(version73(h5py, made(vectors, [matrices[0]])))
    hdf5 = [reading.signal for reading in open_collection(tmp_path / "b.mat").readings()]
    assert hdf5 == [*ours, ours[0]]


def test_a_packed_file_is_inflated_once_for_all_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodata.formats._mat5 import _Element

    samples = [sample(50 + k, 0.0) for k in range(20)]
    raw = [packed(variable(name, value)) for name, value in made(samples, samples).items()]
    (tmp_path / "a.mat").write_bytes(level5(*raw))
    found = open_collection(tmp_path / "a.mat")
    inflated = []
    inflate = _Element._inflated
    monkeypatch.setattr(_Element, "_inflated", lambda self, data: (inflated.append(1), inflate(self, data))[1])
    assert len(list(found.readings())) == 40
    assert len(inflated) == 2


def test_a_stated_sensor_is_taken_and_more_neurons_than_it_has_are_refused(tmp_path: Path) -> None:
    found = opened(tmp_path, made([ONE], [ONE]), Sensor(620, 1, 1))
    assert found.sensor == Sensor(620, 1, 1)
    assert found.read(0).signal.sensor == Sensor(620, 1, 1)  # type: ignore[union-attr]
    with pytest.raises(FormatError, match="a sample of 3 neurons; expected at most 2"):
        opened(tmp_path, made([ONE], [ONE]), Sensor(2, 1, 1)).read(0)
    more = np.vstack([ONE, ONE])
    with pytest.raises(FormatError, match="a sample of 6 neurons; expected at most 3"):
        opened(tmp_path, made([ONE, more], [])).read(1)


def test_a_file_that_changed_since_it_was_opened_is_refused(tmp_path: Path) -> None:
    found = opened(tmp_path, made([ONE], [ONE]))
    (tmp_path / "a.mat").write_bytes(content())
    with pytest.raises(FormatError, match="changed while it was being read"):
        found.read(0)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            made([ONE], [ONE], train_labels=column([0], "u1")),
            "train_labels reaches from 0 to 0; expected classes from 1 on",
        ),
        (made([ONE], [ONE], test_labels=column([2000], "u2")), "test_labels reaches from 2000 to 2000"),
        (made([ONE], [ONE], test_labels=column([1.5], "f8")), r"test_labels\(1\) is 1.5; expected whole numbers"),
        (
            made([ONE], [ONE], test_labels=column([1, 1], "u1")),
            r"test_pattern is cell of shape \(1, 1\); .*of 2 samples",
        ),
        (made([ONE], [ONE], train_pattern=ONE), "train_pattern is double of shape .*; expected a cell array"),
        (made([], []), "it holds no samples, so it does not tell its neurons: state sensor="),
        (made([np.empty((0, 3))], []), "a sample of 0 neurons"),
        (made(["text"], []), "expected real numbers"),
        (made([np.ones((2, 2, 2))], []), r"a sample is double of shape \(2, 2, 2\); expected a matrix of spike times"),
        (made([Cell((2, 2), [ONE] * 4)], []), r"a sample is cell of shape \(2, 2\)"),
        (made([Cell((2, 1), [ONE] * 2)], []), r"a neuron has the shape \(3, 2\); expected a row or a column"),
        (made([np.array([[-1.0, 2.0]])], []), "spikes from -1.0 to 2.0 ms; expected times after 0"),
        (made([np.array([[1e10]])], []), "spikes from 10000000000.0 to 10000000000.0 ms"),
        ({"train_pattern": ONE}, "has no train_labels, test_pattern, test_labels; it holds train_pattern"),
    ],
)
def test_other_layouts_are_refused_in_words(tmp_path: Path, variables: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.mat: .*{reason}"):
        list(opened(tmp_path, variables).readings())
