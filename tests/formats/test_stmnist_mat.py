from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodata.errors import FormatError
from neurodata.formats import open_recording, read
from neurodata.signals import EventArray, Sensor
from tests.formats.matlab import level5, packed, variable
from tests.formats.mutations import mutations


def saved(path: Path, matrix: np.ndarray) -> Path:
    path.write_bytes(level5(packed(variable("spiketrain", matrix))))
    return path


def spiketrain(*spikes: tuple[int, int, int], times_s: list[float]) -> np.ndarray:
    matrix = np.zeros((101, len(times_s)))
    for taxel, moment, sign in spikes:
        matrix[taxel, moment] = sign
    matrix[100] = times_s
    return matrix


def test_spikes_by_hand(tmp_path: Path) -> None:
    matrix = spiketrain((0, 0, 1), (99, 2, -1), (37, 2, 1), (10, 3, -1), times_s=[0.1, 0.2, 0.29, 0.57])
    recording = open_recording(saved(tmp_path / "a.mat", matrix))
    events = recording.events()
    assert (recording.format, recording.sensor, recording.findings) == ("stmnist_mat", Sensor(10, 10), {})
    assert events.t.tolist() == [100_000, 290_000, 290_000, 570_000]
    assert list(zip(events.x.tolist(), events.y.tolist(), strict=True)) == [(0, 0), (7, 3), (9, 9), (0, 1)]
    assert events.p.tolist() == [True, True, False, False]


def test_late_moments_are_sorted_and_counted(tmp_path: Path) -> None:
    matrix = spiketrain((1, 0, 1), (2, 1, 1), (3, 2, 1), times_s=[0.3, 0.1, 0.2])
    recording = open_recording(saved(tmp_path / "a.mat", matrix))
    assert recording.events().x.tolist() == [2, 3, 1]
    assert recording.findings == {"late": 2}


def test_a_sample_without_spikes_is_fine(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.mat", np.zeros((101, 0)))) == EventArray.empty(Sensor(10, 10))
    assert read(saved(tmp_path / "a.mat", np.zeros((101, 5)))) == EventArray.empty(Sensor(10, 10))


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.zeros((100, 3)), r"spiketrain has the shape \(100, 3\); expected 101 rows"),
        (np.zeros((101, 3, 1, 2)), r"the shape \(101, 3, 1, 2\)"),
        (spiketrain((3, 1, 2), times_s=[0.1, 0.2]), "column 1 of spiketrain holds 2.0; expected -1, 0 or 1"),
        (spiketrain(times_s=[0.1, np.nan]), "column 1 of spiketrain holds nan; expected a time in seconds"),
        (spiketrain(times_s=[1e308]), "column 0 of spiketrain holds .*; expected a time in seconds"),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path: Path, matrix: np.ndarray, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.mat: .*at byte 136: .*{reason}"):
        read(saved(tmp_path / "a.mat", matrix))


def test_a_smaller_sensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"event at x=9, y=9 lies off the sensor 9x9x2"):
        read(saved(tmp_path / "a.mat", spiketrain((99, 0, 1), times_s=[0.1])), sensor=Sensor(9, 9))


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    content = level5(variable("spiketrain", spiketrain((0, 0, 1), (99, 1, -1), times_s=[0.1, 0.2])))
    for damaged in [content[:n] for n in range(0, len(content), 16)] + list(mutations(content, n=300, seed=5)):
        (tmp_path / "a.mat").write_bytes(damaged)
        try:
            assert isinstance(read(tmp_path / "a.mat", format="stmnist_mat"), EventArray)
        except FormatError:
            continue


def test_the_real_sample_equals_scipy_by_hand(recordings: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="an oracle of tests")
    path = recordings / "event" / "mat" / "sample_stmnist.mat"
    recording = open_recording(path)
    assert (recording.format, recording.n_events, recording.findings) == ("stmnist_mat", 2346, {})
    events = recording.events()
    matrix = scipy_io.loadmat(path)["spiketrain"]
    for k in range(matrix.shape[1]):  # one spike a column
        (taxel,) = np.flatnonzero(matrix[:100, k])
        assert (events.y[k], events.x[k]) == divmod(taxel, 10)
        assert events.p[k] == (matrix[taxel, k] == 1)
        assert abs(events.t[k] - matrix[100, k] * 1e6) <= 0.5001
    # tonic's prototype reader takes the largest polarity for all of them, and cuts times down.
    assert np.count_nonzero(events.p) == 1601
    assert (
        0
        <= (events.t - (matrix[100] * 1e6).astype(int)).min()
        <= (events.t - (matrix[100] * 1e6).astype(int)).max()
        == 1
    )
