from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import Reading, read
from neurodata.formats.nhp_mat import reaches
from neurodata.signals import SpikeCounts
from tests.formats.matlab import Cell, level5, variable, version73
from tests.golden.nhp_mat import session

FORMAT = registry.formats["nhp_mat"]


def made(t: np.ndarray, cells: list[np.ndarray], shape: tuple[int, int], **changes: Any) -> dict[str, Any]:
    path = np.column_stack([np.arange(len(t)) ** 2.0, np.zeros(len(t))])
    variables = {"spikes": Cell(shape, cells), "t": t[:, None], "cursor_pos": path, "target_pos": path + 1.0}
    return variables | changes


def saved(path: Path, variables: dict[str, Any]) -> Path:
    """Of level 5: the same arrays in fewer bytes."""
    path.write_bytes(level5(*(variable(name, value) for name, value in variables.items())))
    return path


def counted(path: Path, start_us: int | None = None, stop_us: int | None = None) -> Reading:
    return FORMAT.read(path, start_us, stop_us)


GRID = 1288 + np.arange(5) * 0.004


def spikes(*times: float) -> np.ndarray:
    return np.array([times])


def test_spikes_are_counted_in_the_bin_that_they_lie_in(tmp_path: Path) -> None:
    cells = [
        spikes(GRID[0], GRID[0] + 0.001, GRID[1], GRID[4] + 0.0039),
        spikes(1287.999, GRID[4] + 0.0041),
        spikes(*[GRID[2]] * 200),
        np.empty((0, 0)),
    ]
    found = counted(saved(tmp_path / "a.mat", made(GRID, cells, (2, 2))))
    signal = found.signal
    assert isinstance(signal, SpikeCounts)
    assert signal.bin_us == 4000
    assert signal.counts.dtype == np.uint8
    # Columns: channel 0 with its two units, then channel 1. Cells come first axis (channels) fastest.
    assert signal.counts.tolist() == [[2, 0, 0, 0], [1, 0, 0, 0], [0, 200, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert found.findings == {"outside the recording": 2}


def test_the_grid_is_compared_as_it_stands_in_the_file(tmp_path: Path) -> None:
    """Samples that rounding has put a hair off multiples of 4 ms still begin their own bins."""
    grid = np.array([0.0, 0.004, 0.008000000000000002, 0.012, 0.016])
    found = counted(saved(tmp_path / "a.mat", made(grid, [spikes(*grid, 0.008)], (1, 1)))).signal
    assert isinstance(found, SpikeCounts)
    assert found.counts[:, 0].tolist() == [1, 2, 1, 1, 1]


def test_targets_are_of_the_files_samples_and_velocity_is_a_central_difference(tmp_path: Path) -> None:
    finger = np.arange(30.0).reshape(5, 6)
    path = saved(tmp_path / "a.mat", made(GRID, [spikes()], (1, 1), finger_pos=finger))
    found = counted(path).signal
    assert isinstance(found, SpikeCounts)
    assert found.targets.keys() == {"cursor_pos_mm", "cursor_velocity_mm_s", "target_pos_mm", "finger_pos_cm"}
    assert found.targets["cursor_pos_mm"][:, 0].tolist() == [0, 1, 4, 9, 16]
    assert found.targets["target_pos_mm"][:, 0].tolist() == [1, 2, 5, 10, 17]
    assert found.targets["cursor_velocity_mm_s"][:, 0] == pytest.approx([250, 500, 1000, 1500, 1750])
    assert found.targets["finger_pos_cm"].tolist() == finger[:, :3].tolist()


def test_a_slice_is_the_whole_cut(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = saved(tmp_path_factory.mktemp("nhp") / "a.mat", session())
    whole = counted(path).signal
    assert isinstance(whole, SpikeCounts)
    t_us = 1_288_000_000 + 4000 * np.arange(200)

    @given(st.tuples(*[st.none() | st.integers(1_287_990_000, 1_288_810_000)] * 2))
    def law(window: tuple[int | None, int | None]) -> None:
        start_us, stop_us = window
        inside = (t_us >= (start_us or 0)) & (t_us < (stop_us or 1 << 60))
        part = counted(path, start_us, stop_us)
        assert isinstance(part.signal, SpikeCounts)
        assert np.array_equal(part.signal.counts, whole.counts[inside])
        for name, series in whole.targets.items():
            assert np.array_equal(part.signal.targets[name], series[inside])
        assert part.findings == counted(path).findings

    law()


def test_counts_equal_numpys_histogram_of_every_unit(tmp_path: Path) -> None:
    variables = session()
    found = counted(saved(tmp_path / "a.mat", variables))
    assert isinstance(found.signal, SpikeCounts)
    edges = np.append(variables["t"].ravel(), variables["t"][-1, 0] + 0.004)
    times = np.array(variables["spikes"].members, object).reshape(2, 3)  # [unit, channel]
    for channel in range(3):
        for unit in range(2):
            inside = times[unit, channel].ravel()
            expected, _ = np.histogram(inside[inside < edges[-1]], edges)
            assert np.array_equal(found.signal.counts[:, 2 * channel + unit], expected)
    n_in_file = sum(member.size for member in variables["spikes"].members)
    assert found.signal.counts.sum() + found.findings["outside the recording"] == n_in_file


def test_neurobenchs_counts_follow_from_ours_a_bin_later(tmp_path: Path) -> None:
    """What its reader computes of a session: upper edges, at most one spike a channel and bin, an earlier grid."""
    variables = session()
    ours = read(saved(tmp_path / "a.mat", variables))
    assert isinstance(ours, SpikeCounts)
    t, n_before = variables["t"].ravel(), 7  # its grid begins 28 ms before the file's
    edges = t[0] + 0.004 * (np.arange(len(t) + n_before) - n_before)
    theirs = np.zeros((3, 2, len(edges)), np.int8)
    for k, member in enumerate(variables["spikes"].members):
        histogram, _ = np.histogram(member, edges)
        theirs[k % 3, k // 3, np.flatnonzero(histogram) + 1] = 1
    channels = np.bitwise_or.reduce(theirs, axis=1)[:, n_before:]  # [n_channels, n_bins]
    by_channel = ours.counts.reshape(len(t), 3, 2).sum(2) > 0
    assert np.array_equal(channels[:, 1:].T, by_channel[:-1])
    assert ours.counts.max() > 1  # which it makes one


def test_a_session_of_version_73_equals_h5py_by_hand_and_leaves_waveforms_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    path = tmp_path / "a.mat"
    path.write_bytes(version73(h5py, session()))
    asked: list[str] = []
    from neurodata.formats._mat73 import Array73

    read_it = Array73._read
    monkeypatch.setattr(Array73, "_read", lambda self: (asked.append(self.name), read_it(self))[1])
    found = read(path)
    assert isinstance(found, SpikeCounts)
    assert asked
    assert not any(name.startswith("wf") for name in asked)
    with h5py.File(path) as file:
        t = file["t"][0]
        for unit, row in enumerate(file["spikes"][()]):
            for channel, reference in enumerate(row):
                times = np.empty(0) if "MATLAB_empty" in file[reference].attrs else file[reference][()].ravel()
                k = np.searchsorted(t, times, side="right") - 1
                k = k[(k >= 0) & (times < t[-1] + 0.004)]
                assert np.array_equal(found.counts[:, 2 * channel + unit], np.bincount(k, minlength=len(t)))
        assert np.array_equal(found.targets["cursor_pos_mm"], file["cursor_pos"][()].T)


def test_a_silent_unit_has_no_spikes_where_a_file_keeps_its_dimensions(tmp_path: Path) -> None:
    """A reader that takes the stored [0, 0] for times finds two spikes when the clock begins at 0."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    grid = np.arange(5) * 0.004
    (tmp_path / "a.mat").write_bytes(version73(h5py, made(grid, [np.empty((0, 0)), spikes(0.005)], (2, 1))))
    found = read(tmp_path / "a.mat")
    assert isinstance(found, SpikeCounts)
    assert found.counts.tolist() == [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]]


def test_a_session_is_described_without_its_spikes(tmp_path: Path) -> None:
    assert dict(FORMAT.describe(saved(tmp_path / "a.mat", session()))) == {
        "n_bins": 200,
        "bin_us": 4000,
        "start_us": 1_288_000_000,
        "duration_s": 0.8,
        "n_units": 6,
        "n_channels": 3,
        "n_per_channel": 2,
        "channels": ["M1 001", "M1 002", "S1 001"],
    }


def test_positions_that_no_difference_holds_are_given_as_they_are(tmp_path: Path) -> None:
    path = np.array([[1e308, np.nan], [-1e308, 0], [0, 0], [0, 0], [0, 0]])
    found = read(saved(tmp_path / "a.mat", made(GRID, [spikes()], (1, 1), cursor_pos=path)))
    assert isinstance(found, SpikeCounts)
    assert np.array_equal(found.targets["cursor_pos_mm"], path, equal_nan=True)
    assert found.targets["cursor_velocity_mm_s"][0, 0] == -np.inf


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (made(np.delete(np.arange(9), 4) * 0.004, [spikes()], (1, 1)), r"t\(4\) is 0.012 s and t\(5\) 0.02 s, .*even"),
        (made(np.array([0.0, 0.004, 0.004]), [spikes()], (1, 1)), "expected an even grid"),
        (made(np.zeros(4), [spikes()], (1, 1)), "expected an even grid"),
        (made(np.array([0.0, np.nan, 0.008]), [spikes()], (1, 1)), "t holds 3 samples; expected two or more times"),
        (made(np.zeros(1), [spikes()], (1, 1)), "t holds 1 samples"),
        (made(GRID, [spikes(np.nan)], (1, 1)), "a spike time is not finite"),
        (made(GRID, [spikes(*[GRID[0]] * 256)], (1, 1)), "256 spikes of one unit in 4000 us"),
        (made(GRID, [np.ones((2, 2))], (1, 1)), r"spikes\{1\} has the shape \(2, 2\)"),
        (made(GRID, ["text"], (1, 1)), r"char of shape \(1, 4\); expected real numbers"),
        (made(GRID, [spikes()], (1, 1), cursor_pos=np.zeros((4, 2))), r"cursor_pos has the shape \(4, 2\); .* 5 rows"),
        (made(GRID, [spikes()], (1, 1), target_pos=np.zeros((5, 1))), r"target_pos has the shape \(5, 1\)"),
        (made(GRID, [spikes()], (1, 1), finger_pos=np.zeros((0, 0))), "finger_pos .* not empty"),
        (made(GRID, [], (0, 1)), r"spikes has the shape \(0, 1\)"),
        (made(GRID, [], (1, 1), spikes=np.zeros((2, 2))), "expected a cell array"),
        ({"t": GRID}, r"has no spikes, cursor_pos, target_pos; it holds t \(double \(1, 5\)\)"),
    ],
)  # fmt: skip
def test_what_is_no_session_is_refused(tmp_path: Path, variables: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.mat: .*{reason}"):
        counted(saved(tmp_path / "a.mat", variables))


def test_more_bins_and_units_than_such_a_file_holds_are_refused_before_they_are_made(tmp_path: Path) -> None:
    grid = np.arange(50_000) * 0.004
    path = saved(tmp_path / "a.mat", made(grid, [np.empty((0, 0))] * 40_000, (40_000, 1)))
    with pytest.raises(FormatError, match=r"50000 bins of 40000 units in a file of \d+ bytes"):
        counted(path)


def test_parts_of_a_file_that_is_read_once_are_what_reading_each_gives(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", session())
    intervals = [(None, 1_288_100_000), (1_288_100_000, 1_288_100_000), (1_288_096_000, None), (None, None)]
    for interval, part in zip(intervals, FORMAT.parts(path, intervals), strict=True):
        alone = counted(path, *interval)
        assert isinstance(part.signal, SpikeCounts)
        assert isinstance(alone.signal, SpikeCounts)
        assert np.array_equal(part.signal.counts, alone.signal.counts)
        assert part.signal.targets.keys() == alone.signal.targets.keys()
        assert all(np.array_equal(part.signal.targets[name], series) for name, series in alone.signal.targets.items())
        assert part.findings == alone.findings
    assert list(FORMAT.parts(path, [])) == []


def test_a_reach_begins_with_the_last_bin_of_the_target_before(tmp_path: Path) -> None:
    t = 1288 + np.arange(6) * 0.004
    places = np.array([(0, 0), (0, 0), (5, 0), (5, 0), (5, 1), (5, 1)], float)
    path = saved(tmp_path / "a.mat", made(t, [spikes(1288.001)], (1, 1), target_pos=places))
    assert reaches(path).tolist() == [1288000000 + 4000 * k for k in (0, 1, 3, 6)]
    first = np.array([(0, 0), *[(5, 1)] * 5], float)  # NeuroBench counts the empty reach before it
    assert reaches(saved(tmp_path / "b.mat", made(t, [spikes()], (1, 1), target_pos=first))).tolist() == [
        1288000000, 1288000000, 1288024000,
    ]  # fmt: skip
    still = made(t, [spikes()], (1, 1), target_pos=np.zeros((6, 2)))
    assert reaches(saved(tmp_path / "c.mat", still)).tolist() == [1288000000, 1288024000]
