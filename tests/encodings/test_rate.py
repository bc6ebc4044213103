from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.draws import splitmix64
from neurodata.encodings.rate import GAMMA, Rate, compare, rate_spikes, reference, thresholds
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Image, Series


def series(values: np.ndarray) -> Series:
    return Series(np.atleast_2d(values).astype(np.float32), 1.0)


@given(st.integers(0, 2**64 - 1), st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32))
def test_the_kernel_draws_what_the_stream_of_its_key_holds(key: int, T: int, m: int, seed: int) -> None:
    limits = np.random.default_rng(seed).integers(0, 2**32, m, dtype=np.uint64, endpoint=True)
    out = np.zeros((1, T, m), np.bool_)
    compare(limits[np.newaxis], np.array([key], np.uint64), out)
    np.testing.assert_array_equal(out[0], reference(limits, key, T))


def test_zero_never_fires_and_one_always_does() -> None:
    spikes = Rate(T=2000)(series(np.array([0.0, 1.0] * 50)), np.random.default_rng(1))
    assert not spikes[:, ::2].any()
    assert spikes[:, 1::2].all()


def test_probabilities_are_kept_to_two_to_the_minus_32() -> None:
    chances = np.array([0, 2.0**-33 * 0.99, 2.0**-32, 1 / 3, 0.1, 1.0])
    np.testing.assert_array_equal(thresholds(chances), [0, 0, 1, 1431655765, 429496730, 2**32])


def test_mean_rates_are_those_of_the_values() -> None:
    """Within 5 standard deviations of a binomial: one run in a million would fail by chance, and none does twice."""
    T, values = 4096, np.linspace(0, 1, 257, dtype=np.float32)
    rates = Rate(T=T).decode(Rate(T=T)(series(values), np.random.default_rng(0)))[0]
    spread = np.sqrt(values * (1 - values) / T)
    assert (np.abs(rates - values) <= 5 * spread).all()
    assert 0.8 < np.std((rates - values)[1:-1] / spread[1:-1]) < 1.2


def test_steps_neurons_and_samples_are_drawn_apart() -> None:
    """Neighbours along each axis agree in half of all cases, within 5 standard deviations; all fives are as many."""
    spikes = rate_spikes(np.full((64, 65), 0.5), 64, splitmix64(7, 64))
    for axis in range(3):
        for lag in (1, 2, 16):
            a, b = (np.moveaxis(spikes, axis, 0)[part] for part in (slice(lag, None), slice(None, -lag)))
            assert abs(np.mean(a == b) - 0.5) < 5 * 0.5 / np.sqrt(a.size), (axis, lag)
    counts = np.bincount(spikes.reshape(-1, 5) @ (1 << np.arange(5)), minlength=32)
    expected = spikes.size / 5 / 32
    assert ((counts - expected) ** 2 / expected).sum() < 80  # chi-squared, 31 degrees of freedom: P < 1e-5


def test_a_poisson_neuron_fires_where_its_process_has_an_event() -> None:
    step = Rate(T=20000, process="poisson", max_rate_hz=400.0, step_us=2000)
    values = np.array([0.0, 0.25, 1.0], np.float32)
    spikes = step(series(values), np.random.default_rng(3))
    expected = 1 - np.exp(-0.8 * values)  # 400 Hz for 2 ms
    assert (np.abs(spikes.mean(axis=0) - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20000)).all()
    np.testing.assert_allclose(step.decode(spikes)[0], values, atol=0.03)


def test_a_poisson_neuron_that_always_fires_decodes_to_one() -> None:
    step = Rate(T=3, process="poisson", max_rate_hz=1e6, step_us=1000)
    assert step.decode(np.ones((3, 2), np.bool_)).tolist() == [[1, 1]]


@settings(max_examples=20)
@given(
    st.integers(1, 200), st.integers(1, 4), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32)
)  # fmt: skip
def test_threads_and_batches_change_nothing(n: int, T: int, m: int, n_threads: int, seed: int) -> None:
    values, keys = np.random.default_rng(seed).random((n, m), np.float32), splitmix64(seed, n)
    whole = rate_spikes(values, T, keys)
    np.testing.assert_array_equal(rate_spikes(values, T, keys, n_threads), whole)
    for i in {0, n // 2, n - 1}:
        np.testing.assert_array_equal(rate_spikes(values[i:], T, keys[i:])[0], whole[i])
    given_array = np.ones_like(whole)
    assert rate_spikes(values, T, keys, out=given_array) is given_array
    np.testing.assert_array_equal(given_array, whole)


@pytest.mark.parametrize("m", [3, 4])
def test_rows_of_a_series_continue_one_stream(m: int) -> None:
    """The spikes of a row do not depend on how many rows follow, and those of the first are those of a picture."""
    values = np.random.default_rng(5).random((6, m), np.float32)
    rows = Rate(T=3)(series(values), np.random.default_rng(9))
    first = Rate(T=3)(series(values[:2]), np.random.default_rng(9))
    np.testing.assert_array_equal(rows[:6], first)
    picture = Rate(T=3)(Image(values[:1, :, np.newaxis]), np.random.default_rng(9))
    np.testing.assert_array_equal(picture.reshape(3, m), rows[:3])
    key = int(np.random.default_rng(9).integers(0, 2**64, dtype=np.uint64))
    steps = reference(thresholds(values[1]), (key + 3 * ((m + 1) // 2) * int(GAMMA)) % 2**64, 3)
    np.testing.assert_array_equal(rows[3:6], steps)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"T": 0}, "rate: T is 0"),
        ({"T": 4, "process": "gauss"}, "process is 'gauss'"),
        ({"T": 4, "process": "poisson"}, 'expected both with "poisson"'),
        ({"T": 4, "process": "poisson", "step_us": 10}, 'expected both with "poisson"'),
        ({"T": 4, "max_rate_hz": 10.0}, 'none with "bernoulli"'),
        ({"T": 4, "process": "poisson", "max_rate_hz": 0.0, "step_us": 10}, "max_rate_hz is 0"),
        ({"T": 4, "process": "poisson", "max_rate_hz": 9.0, "step_us": 0}, "step_us is 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Rate(**parameters)


@pytest.mark.parametrize("values", [[-0.1, 0.5], [0.5, 1.001]])
def test_a_value_that_is_no_probability_is_refused_with_the_way_out(values: list[float]) -> None:
    with pytest.raises(EncodingError, match=r"rate: values reach from .* expected 0 to 1: the step rescale"):
        Rate(T=2)(series(np.array(values)), np.random.default_rng(0))


def test_a_batch_that_does_not_fit_is_refused() -> None:
    keys = splitmix64(0, 2)
    with pytest.raises(EncodingError, match=r"values \(3, 2\) and keys"):
        rate_spikes(np.zeros((3, 2)), 4, keys)
    with pytest.raises(EncodingError, match="out is bool"):
        rate_spikes(np.zeros((2, 2)), 4, keys, out=np.zeros((2, 4, 3), np.bool_))
    with pytest.raises(RecipeError, match="rate_spikes: T is 0"):
        rate_spikes(np.zeros((2, 2)), 0, keys)
    with pytest.raises(EncodingError, match=r"rate_spikes: 16777216 steps of values \(2, 200\) take 6\.7 GB"):
        rate_spikes(np.zeros((2, 200)), 2**24, keys)
    for wrong in (np.nan, 1.5, -1.0):
        with pytest.raises(EncodingError, match="not from 0 to 1"):
            rate_spikes(np.full((2, 2), wrong), 4, keys, n_threads=2)


def test_steps_that_are_no_whole_rows_are_not_decoded() -> None:
    with pytest.raises(EncodingError, match="7 time steps; expected a multiple of T = 3"):
        Rate(T=3).decode(np.zeros((7, 2), np.bool_))
