from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._static import first_spike, mark, mark_reference
from neurodata.encodings.ttfs import FEW_STEPS, Ttfs, between, least_values, reference
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Image, Series

STEPS = st.one_of(
    st.builds(Ttfs, st.integers(1, 40), st.sampled_from(["linear", "log"])),
    st.builds(
        Ttfs, st.integers(1, 40), st.sampled_from(["rc", "decay"]), st.floats(0.1, 50), st.floats(0.001, 2),
        st.sampled_from(["silent", "last"]),
    ),
)  # fmt: skip
VALUES = st.lists(st.floats(0, 1, width=32) | st.sampled_from([0.0, 1.0, 0.5]), min_size=1, max_size=30)


def encoded(step: Ttfs, values: list[float]) -> np.ndarray:
    """Spikes [T, m]."""
    return step(Series(np.array([values], np.float32), 1.0))


def times(step: Ttfs, values: list[float]) -> list[int]:
    return first_spike(encoded(step, values)[np.newaxis])[0].tolist()


def test_linear_times_fall_evenly_from_the_last_step_to_the_first() -> None:
    assert times(Ttfs(5), [0, 0.25, 0.5, 0.75, 1]) == [4, 3, 2, 1, 0]
    assert times(Ttfs(5), [0.1, 0.13, 0.87, 0.88]) == [4, 3, 1, 0]  # 3.6, 3.48, 0.52, 0.48
    assert times(Ttfs(3), [0.25, 0.75]) == [2, 0]  # halves go to the even step


def test_logarithmic_times_are_early_for_all_but_small_values() -> None:
    # T = 5: a = e^4 - 1 = 53.6; 4 - ln(1 + 53.6 x)
    assert times(Ttfs(5, "log"), [0, 0.01, 0.02, 0.1, 0.3, 1]) == [4, 4, 3, 2, 1, 0]


def test_logarithmic_times_need_no_number_that_is_too_large() -> None:
    step = Ttfs(2000, "log")
    assert times(step, [0, 1]) == [1999, 0]
    assert times(step, [np.exp(-10)]) == [10]


def test_rc_times_are_when_a_charging_membrane_reaches_the_threshold() -> None:
    step = Ttfs(20, "rc", tau=4.0, threshold=0.2)
    for x, t in zip([0.21, 0.25, 0.5, 1.0], times(step, [0.21, 0.25, 0.5, 1.0]), strict=True):
        exact = 4 * np.log(x / (x - 0.2))
        assert t == round(exact)
        assert x * (1 - np.exp(-exact / 4)) == pytest.approx(0.2)
    assert times(step, [0.0, 0.1, 0.2]) == [20, 20, 20]


def test_a_falling_threshold_fires_at_the_first_step_at_which_it_is_no_more_than_the_value() -> None:
    step = Ttfs(12, "decay", tau=3.0, threshold=0.8)
    values = np.linspace(0, 1, 101).astype(np.float32)
    falling = 0.8 * np.exp(-np.arange(12) / 3)
    met = values[:, np.newaxis] >= falling
    expected = np.where(met.any(axis=1), met.argmax(axis=1), 12)
    assert times(step, values.tolist()) == expected.tolist()


def test_late_values_are_silent_or_fire_last() -> None:
    assert not encoded(Ttfs(4, "rc", 3.0, 0.5), [0.4, 0.51]).any()
    assert times(Ttfs(4, "rc", 3.0, 0.5, "last"), [0.4, 0.51]) == [3, 3]


@given(STEPS, VALUES)
def test_the_kernel_marks_the_times(step: Ttfs, values: list[float]) -> None:
    np.testing.assert_array_equal(encoded(step, values), reference(step, np.array([values], np.float32))[0])


@pytest.mark.parametrize("curve", ["linear", "log"])
@pytest.mark.parametrize("T", [FEW_STEPS, FEW_STEPS + 1])
def test_few_and_many_steps_are_marked_alike(curve: Any, T: int) -> None:
    step, values = Ttfs(T, curve), np.random.default_rng(0).random((1, 500), np.float32)
    spikes = step(Series(values, 1.0))
    np.testing.assert_array_equal(spikes, reference(step, values)[0])
    compared = np.zeros((1, T, 500), np.bool_)
    between(values, least_values(step), compared)
    np.testing.assert_array_equal(compared[0], spikes)


@given(st.integers(1, 6), st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_marking_times_is_comparing_them_with_each_step(T: int, at: list[int]) -> None:
    marked, compared = np.zeros((2, 1, T, len(at)), np.bool_)
    mark(np.array([at]), marked)
    mark_reference(np.array([at]), compared)
    np.testing.assert_array_equal(marked, compared)


@given(STEPS, VALUES)
def test_a_value_fires_once_at_most_and_no_later_than_a_smaller_one(step: Ttfs, values: list[float]) -> None:
    spikes = encoded(step, sorted(values))
    assert (spikes.sum(axis=0) <= 1).all()
    assert (np.diff(times(step, sorted(values))) <= 0).all()


@given(STEPS, VALUES)
def test_what_is_decoded_fires_when_its_value_did(step: Ttfs, values: list[float]) -> None:
    spikes = encoded(step, values)
    x, decoded = np.array(values, np.float32), step.decode(spikes)[0]
    fired = spikes.any(axis=0)
    assert (decoded[~fired] == 0).all()
    if step.curve == "linear" and step.T > 1:
        assert (np.abs(decoded - x) <= 0.5 / (step.T - 1) + 1e-6).all()
    if step.curve in ("log", "rc") and step.late == "silent":
        moved = np.abs(step.times(decoded[fired]) - step.times(x[fired]))
        assert (moved <= (1 if step.T > 1000 else 0)).all()
    if step.curve == "decay" and step.late == "silent":
        low = fired & (x <= step.threshold)
        assert (decoded[low] <= x[low] * (1 + 1e-5)).all()
        assert (decoded[low] >= x[low] * np.exp(-1 / step.tau) * (1 - 1e-5)).all()


def test_a_picture_has_channels_first() -> None:
    pixels = np.zeros((2, 3, 2), np.float32)
    pixels[1, 2, 1] = 1
    spikes = Ttfs(4)(Image(pixels))
    assert spikes.shape == (4, 2, 2, 3)
    assert np.argwhere(spikes[0]).tolist() == [[1, 1, 2]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"curve": "square"}, "curve is 'square'"),
        ({"late": "never"}, "late is 'never'"),
        ({"curve": "rc", "tau": 1.0}, 'threshold is None; with the curve "rc" expected a number'),
        ({"curve": "decay", "threshold": 1.0}, "tau is None"),
        ({"tau": 1.0}, 'tau is 1.0; with the curve "linear" expected nothing'),
        ({"curve": "rc", "tau": 0.0, "threshold": 0.1}, "tau is 0.0"),
        ({"curve": "rc", "tau": float("nan"), "threshold": 0.1}, "tau is nan"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Ttfs(4, **parameters)


def test_a_value_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(EncodingError, match="ttfs: values reach from 0 to 2"):
        encoded(Ttfs(4), [0, 2])
