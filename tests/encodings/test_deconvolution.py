"""bsa and hsa."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings import bsa, hsa
from neurodata.encodings._deconvolution import low_pass
from neurodata.encodings.bsa import Bsa
from neurodata.encodings.hsa import Hsa
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Series

FILTERS = st.tuples(st.integers(2, 12), st.floats(0.05, 0.95))
SIGNALS = st.lists(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2), min_size=1, max_size=40)
# Parts of 1/8: their sums are exact in any order.
EIGHTHS = st.lists(st.lists(st.integers(0, 8), min_size=2, max_size=2), min_size=1, max_size=20)
TAPS = st.lists(st.integers(-2, 5), min_size=2, max_size=5)


def encoded(step: Any, values: Any) -> np.ndarray:
    """Spikes [n, C]."""
    return step(Series(np.array(values, np.float32), 1.0))


@pytest.mark.parametrize("n_taps", [2, 3, 20, 33])
@pytest.mark.parametrize("cutoff", [0.02, 0.1, 0.8])
def test_the_filter_is_the_usual_one(n_taps: int, cutoff: float) -> None:
    signal = pytest.importorskip("scipy.signal")
    np.testing.assert_allclose(low_pass(n_taps, cutoff), signal.firwin(n_taps, cutoff), atol=1e-12)


def deconvolved(values: list[float], taps: list[float], share: float, least: float) -> tuple[list[int], list[float]]:
    """Steps of spikes, and what they leave."""
    left, out = np.array([values], np.float64), np.zeros((len(values), 1), np.bool_)
    bsa.deconvolve(left, np.array(taps), share, least, out)
    return np.flatnonzero(out).tolist(), left[0].tolist()


def test_a_spike_takes_its_filter_off_where_that_leaves_less() -> None:
    # at 0: |0.5 - 0.5| + |0.25 - 0.25| = 0 of 0.75; at 2: likewise; at 1 and 3 the filter would leave more
    assert deconvolved([0.5, 0.25, 0.5, 0.25, 0], [0.5, 0.25], 1.0, 0.5) == ([0, 2], [0, 0, 0, 0, 0])
    assert deconvolved([0.5, 0.25, 0.5, 0.25, 0], [0.5, 0.25], 1.0, 0.8)[0] == []


def test_the_criterion_by_ratio_fires_at_small_signals_too() -> None:
    taps = [0.5, 0.5]
    # [0.3, 0.3]: e1 = 0.4, e2 = 0.6
    assert deconvolved([0.3, 0.3], taps, 1.0, 0.25)[0] == []
    assert deconvolved([0.3, 0.3], taps, 0.7, 0.0)[0] == [0]


def test_a_filter_fits_under_the_signal_or_not() -> None:
    left, out = np.array([[0.5, 0.5, 0.25, 0.25, 0.2]]), np.zeros((5, 1), np.bool_)
    hsa.fit(left, np.array([0.25, 0.25]), 0.0, out)
    assert np.flatnonzero(out).tolist() == [0, 1]
    assert left[0].tolist() == [0.25, 0, 0, 0.25, 0.2]


@given(SIGNALS, FILTERS, st.floats(0, 1))
def test_each_spike_makes_what_is_left_smaller_by_the_threshold(values: list, taps: tuple, threshold: float) -> None:
    step = Bsa(*taps, threshold)
    spikes, x = encoded(step, values), np.array(values, np.float32).astype(np.float64)
    left = np.abs(x - step.decode(spikes)).sum(axis=0)
    assert (left <= np.abs(x).sum(axis=0) - threshold * spikes.sum(axis=0) + 1e-9).all()


@given(SIGNALS, FILTERS, st.floats(0, 1))
def test_by_ratio_what_is_left_is_no_larger_than_the_signal(values: list, taps: tuple, threshold: float) -> None:
    step = Bsa(*taps, threshold, "ratio")
    x = np.array(values, np.float32).astype(np.float64)
    left = np.abs(x - step.decode(encoded(step, values))).sum(axis=0)
    assert (left <= np.abs(x).sum(axis=0) + 1e-9).all()


@given(SIGNALS, FILTERS, st.just(0.0) | st.floats(0, 1))
def test_fitted_filters_are_above_the_signal_by_the_tolerance_at_most(
    values: list, taps: tuple, tolerance: float
) -> None:
    step = Hsa(*taps, tolerance)
    spikes, x = encoded(step, values), np.array(values, np.float32).astype(np.float64)
    above = np.maximum(step.decode(spikes) - x, 0).sum(axis=0)
    assert (above <= tolerance * spikes.sum(axis=0) + 1e-9).all()


@given(EIGHTHS, TAPS, st.integers(0, 8), st.sampled_from([0.25, 0.5, 1.0]))
def test_kernels_do_what_their_references_do(values: list, taps: list, least: int, share: float) -> None:
    x, h = np.array(values).T / 8, np.array(taps) / 8
    for kernel, reference, limits in (
        (bsa.deconvolve, bsa.reference, (share, least / 8)),
        (hsa.fit, hsa.reference, (least / 8,)),
    ):
        left, left_too = x.copy(), x.copy()
        out, out_too = np.zeros((2, len(values), 2), np.bool_)
        kernel(left, h, *limits, out)
        reference(left_too, h, *limits, out_too)
        np.testing.assert_array_equal(out, out_too)
        np.testing.assert_array_equal(left, left_too)


@pytest.mark.parametrize(
    ("step", "most"),
    [(Bsa(), 0.025), (Bsa(threshold=0.95, criterion="ratio"), 0.16), (Hsa(), 0.06), (Hsa(tolerance=0.1), 0.045)],
)
def test_a_slow_signal_is_found_again(step: Any, most: float) -> None:
    """Mean error in the middle of a slow sine, as the docstrings tell: no bound for all signals."""
    t = np.arange(400)
    x = (0.5 + 0.4 * np.sin(2 * np.pi * t / 200))[:, np.newaxis]
    error = np.abs(step.decode(encoded(step, x)) - x)[40:-40].mean()
    assert error < most


@pytest.mark.parametrize("step", [Bsa(n_taps=8), Hsa(n_taps=8)])
def test_a_signal_shorter_than_the_filter_has_no_spikes(step: Any) -> None:
    assert not encoded(step, np.ones((7, 3))).any()


@pytest.mark.parametrize("step", [Bsa(), Hsa()])
def test_values_outside_zero_to_one_are_refused(step: Any) -> None:
    with pytest.raises(EncodingError, match=r"sa: values reach from -0\.5 to 0\.5; expected 0 to 1: the step rescale"):
        encoded(step, [[-0.5], [0.5]])


@pytest.mark.parametrize(
    ("step", "parameters"),
    [
        (Bsa, {"n_taps": 1}), (Bsa, {"cutoff": 1.0}), (Bsa, {"threshold": 1.1}), (Bsa, {"criterion": "product"}),
        (Hsa, {"n_taps": 5000}), (Hsa, {"cutoff": 0.0}), (Hsa, {"tolerance": -0.1}),
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(step: Any, parameters: dict) -> None:
    with pytest.raises(RecipeError, match=f"sa: {next(iter(parameters))} is"):
        step(**parameters)
