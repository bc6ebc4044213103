from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.burst import Burst, burst, reference
from neurodata.errors import RecipeError
from neurodata.signals import Series


def trains(step: Burst, values: list[float]) -> list[list[int]]:
    spikes = step(Series(np.array([values], np.float32), 1.0))
    return [np.flatnonzero(train).tolist() for train in spikes.T]


def test_larger_values_have_more_spikes_at_shorter_intervals() -> None:
    # N = ceil(5 x), interval ceil(6 - 4 x)
    assert trains(Burst(T=16), [0, 0.01, 0.2, 0.3, 0.5, 0.9, 1]) == [
        [],
        [0],
        [0],
        [0, 5],
        [0, 4, 8],
        [0, 3, 6, 9, 12],
        [0, 2, 4, 6, 8],
    ]


def test_a_smallest_value_has_a_spike() -> None:
    assert trains(Burst(T=16), [1e-30]) == [[0]]


@st.composite
def bursts(draw: st.DrawFn) -> Burst:
    n_max, isi_min = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    isi_max = isi_min + draw(st.integers(0, 9))
    return Burst(1 + (n_max - 1) * isi_max, n_max, isi_min, isi_max)


@given(bursts(), st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_number_and_interval_tell_the_value(step: Burst, values: list[float]) -> None:
    spikes = step(Series(np.array([values], np.float32), 1.0))
    x, decoded = np.array(values, np.float32), step.decode(spikes)[0]
    assert (np.abs(decoded - x) <= 0.5 / step.n_max + 1e-4).all()
    assert ((decoded == 0) == (x == 0)).all()


@given(bursts(), st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20))
def test_the_number_of_spikes_never_falls_with_the_value(step: Burst, values: list[float]) -> None:
    counts = [len(train) for train in trains(step, sorted(values))]
    assert (np.diff(counts) >= 0).all()
    as_many = step.n_max * np.sort(np.float32(values)).astype(np.float64)
    assert ((as_many > np.array(counts) - 1 - 1e-4) & (as_many <= np.array(counts) + 1e-4)).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=9))
def test_the_kernel_marks_the_multiples_of_the_interval(pairs: list[tuple[int, int]]) -> None:
    counts, intervals = np.array(pairs).T[:, np.newaxis]
    marked, compared = np.zeros((2, 1, 20, len(pairs)), np.bool_)
    burst(counts, intervals, marked)
    reference(counts, intervals, compared)
    np.testing.assert_array_equal(marked, compared)


def test_a_burst_that_does_not_fit_is_refused_with_its_length() -> None:
    with pytest.raises(RecipeError, match=r"T is 12, but bursts of up to 5 spikes, 2 to 6 steps apart, last up to 13"):
        Burst(T=12)
    x = np.linspace(0, 1, 10001).tolist()
    assert max(train[-1] for train in trains(Burst(T=13), x) if train) == 12


@pytest.mark.parametrize("parameters", [{"n_max": 0}, {"n_max": 256}, {"isi_min": 0}, {"isi_min": 7}])
def test_parameters_out_of_range_are_refused(parameters: dict) -> None:
    with pytest.raises(RecipeError, match=r"burst: (n_max|isi_min|isi_max) is"):
        Burst(T=2000, **parameters)
