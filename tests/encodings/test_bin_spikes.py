from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.bin_spikes import BinSpikes, bin_targets
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import SpikeCountsForm
from neurodata.signals import SpikeCounts

BIN_US = 4000


def counts_of(rows: list[list[int]]) -> SpikeCounts:
    return SpikeCounts(np.array(rows, np.uint8), BIN_US, {})


BY_HAND = counts_of([[1, 0], [2, 0], [0, 3], [1, 1], [4, 0]])


@pytest.mark.parametrize(
    ("parameters", "rows", "lost"),
    [
        ({}, [[1, 0], [2, 0], [0, 3], [1, 1], [4, 0]], {}),
        ({"bin_us": 8000}, [[3, 0], [1, 4]], {"after the last window": 4}),
        ({"window_us": 12_000, "stride_us": 4000}, [[3, 3], [3, 4], [5, 4]], {}),
        ({"window_us": 8000, "stride_us": 12_000}, [[3, 0], [5, 1]], {}),
        ({"collapse": "bins"}, [[1, 0], [1, 0], [0, 1], [1, 1], [1, 0]], {"more than one in a bin": 6}),
        ({"window_us": 12_000, "stride_us": 4000, "collapse": "bins"}, [[2, 1], [2, 2], [2, 2]], {}),
        ({"window_us": 20_000, "collapse": "windows"}, [[1, 1]], {"more than one in a bin": 10}),
        ({"window_us": 8000, "stride_us": 4000, "align": "sample"}, [[0, 0], [1, 0], [3, 0], [2, 3], [1, 4]], {}),
        ({"window_us": 8000, "stride_us": 8000, "align": "sample"}, [[0, 0], [3, 0], [1, 4]], {}),
        ({"window_us": 8000, "stride_us": 4000, "align": "neurobench"}, [[0, 0], [0, 0], [1, 0], [3, 0], [2, 3]], {}),
        ({"units_per_channel": 2}, [[1], [2], [3], [2], [4]], {}),
        ({"units_per_channel": 2, "collapse": "bins"}, [[1]] * 5, {"more than one in a bin": 7}),
        ({"window_us": 24_000}, [], {"after the last window": 12}),
        (
            {"bin_us": 8000, "collapse": "bins"},
            [[1, 0], [1, 1]],
            {"after the last window": 4, "more than one in a bin": 5},
        ),
    ],
)
def test_rows_by_hand(parameters: dict, rows: list, lost: dict) -> None:
    tally: Counter[str] = Counter()
    found = BinSpikes(**parameters)(BY_HAND, tally=tally)
    assert found.tolist() == rows
    assert tally == lost


def neurobench(times_s: list[np.ndarray], t_s: np.ndarray, window_s: float) -> np.ndarray:
    """What NeuroBench makes of the units of one channel: [rows], written after its description."""
    edges_s = t_s[0] - window_s + 0.004 * np.arange(len(t_s) - 1 + round(window_s / 0.004))
    train = np.zeros(len(edges_s), int)
    for unit in times_s:
        in_bin = np.array([((unit >= low) & (unit < high)).any() for low, high in pairwise(edges_s)])
        train[1:] |= in_bin  # the upper edge; units are or-ed
    return np.convolve(train, np.ones(round(window_s / 0.004), int), mode="valid")


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 12, 28]))
def test_neurobench_rows_are_those_of_its_recipe(seed: int, window_ms: int) -> None:
    """From spike times on; none before the first sample or after the last, which SpikeCounts does not have."""
    rng = np.random.default_rng(seed)
    t_s = 10 + 0.004 * np.arange(40)
    # In the middle of a bin, so that rounding of edges does not matter; the last sample's bin is not in NeuroBench's.
    units = [10 + 0.004 * (np.sort(rng.integers(0, 39, 25)) + 0.5) for _ in range(2)]
    counts = np.stack([np.bincount(((unit - 10) / 0.004).astype(int), minlength=40) for unit in units], axis=1)
    step = BinSpikes(
        window_us=1000 * window_ms, stride_us=4000, collapse="bins", units_per_channel=2, align="neurobench"
    )
    rows = step(SpikeCounts(counts.astype(np.uint8), BIN_US, {}))
    np.testing.assert_array_equal(rows[:, 0], neurobench(units, t_s, window_ms / 1000))
    repaired = BinSpikes(window_us=1000 * window_ms, stride_us=4000, units_per_channel=2, align="sample")
    late = repaired(SpikeCounts(counts.astype(np.uint8), BIN_US, {}))[:, 0]
    assert (late[:-1] >= rows[1:, 0]).all()  # the same windows, one bin earlier, and all their spikes


recordings_of_counts = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 4)).map(
    lambda x: SpikeCounts(np.random.default_rng(x[0]).poisson(0.7, (x[1], x[2])).astype(np.uint8), BIN_US, {})
)


@given(recordings_of_counts, st.integers(1, 4), st.integers(1, 4), st.sampled_from(["none", "bins", "windows"]))
def test_every_spike_is_in_one_window_or_counted(
    recording: SpikeCounts, per_bin: int, per_window: int, collapse: str
) -> None:
    tally: Counter[str] = Counter()
    step = BinSpikes(bin_us=per_bin * BIN_US, window_us=per_bin * per_window * BIN_US, collapse=collapse)  # type: ignore[arg-type]
    rows = step(recording, tally=tally)
    assert rows.sum() + sum(tally.values()) == recording.counts.sum()
    after = recording.counts[len(rows) * per_window * per_bin :]
    assert tally["after the last window"] == after.sum()
    assert len(after) < per_window * per_bin
    assert collapse != "none" or not tally["more than one in a bin"]
    assert collapse != "windows" or rows.max(initial=0) <= 1


@given(recordings_of_counts, st.integers(1, 5), st.integers(1, 5), st.sampled_from(["whole", "sample", "neurobench"]))
def test_rows_are_sums_of_their_windows(recording: SpikeCounts, window: int, stride: int, align: str) -> None:
    step = BinSpikes(window_us=window * BIN_US, stride_us=stride * BIN_US, align=align)  # type: ignore[arg-type]
    n = len(recording.counts)
    starts, stops = step.windows(n, BIN_US)
    assert (starts <= stops).all()
    assert ((starts >= 0) & (stops <= n)).all()
    expected = [recording.counts[start:stop].sum(axis=0) for start, stop in zip(starts, stops, strict=True)]
    np.testing.assert_array_equal(
        step(recording), np.reshape(expected, (len(starts), -1)) if expected else step(recording)
    )


def test_targets_go_with_their_rows() -> None:
    place = np.array([[0.0], [1], [2], [3], [4]])
    for parameters, last, mean in (
        ({"window_us": 8000}, [1, 3], [0.5, 2.5]),
        ({"window_us": 8000, "stride_us": 8000, "align": "sample"}, [0, 2, 4], [0, 0.5, 2.5]),
        ({"window_us": 8000, "stride_us": 4000, "align": "neurobench"}, [0, 1, 2, 3, 4], [0, 1, 0, 0.5, 1.5]),
        ({"bin_us": 8000, "align": "sample"}, [0, 2], [0, 0.5]),
    ):
        step = BinSpikes(**parameters)
        for reduce, expected in (("last", last), ("mean", mean)):
            found = bin_targets({"place": place}, step, 5, BIN_US, reduce)  # type: ignore[arg-type]
            assert found["place"].ravel().tolist() == expected
            assert len(found["place"]) == len(step(BY_HAND))


def test_targets_of_another_length_are_refused() -> None:
    with pytest.raises(EncodingError, match="target place has 4 rows for 5 bins"):
        bin_targets({"place": np.zeros((4, 2))}, BinSpikes(), 5, BIN_US)
    with pytest.raises(RecipeError, match="reduce"):
        bin_targets({}, BinSpikes(), 5, BIN_US, "first")  # type: ignore[arg-type]


def test_counts_that_do_not_fit_are_refused() -> None:
    full = counts_of([[200], [200]])
    with pytest.raises(EncodingError, match=r"a window of 400 spikes.*uint8"):
        BinSpikes(window_us=8000, dtype="uint8")(full)
    with pytest.raises(EncodingError, match="below 0"):
        BinSpikes()(SpikeCounts(np.array([[-1]], np.int16), BIN_US, {}))
    assert BinSpikes()(SpikeCounts(np.array([[7]], np.uint64), BIN_US, {})).tolist() == [[7]]
    with pytest.raises(EncodingError, match="add up to less than"):
        BinSpikes(bin_us=8000)(SpikeCounts(np.full((2, 1), 2**63, np.uint64), BIN_US, {}))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"bin_us": 6000}, "multiple of the recording's bins, 4000 us"),
        ({"window_us": 10_000}, "multiple of bin_us"),
        ({"bin_us": 8000, "stride_us": 4000}, "multiple of bin_us"),
        ({"units_per_channel": 3}, "no multiple of it"),
    ],
)
def test_recordings_that_do_not_fit_are_refused_before_they_are_read(parameters: dict, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        BinSpikes(**parameters).spec(SpikeCountsForm(n_units=4, bin_us=BIN_US))


@pytest.mark.parametrize("parameters", [{"bin_us": 0}, {"window_us": 1.5}, {"collapse": "all"}, {"dtype": "int8"}])
def test_parameters_that_are_none_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match="bin_spikes"):
        BinSpikes(**parameters)
