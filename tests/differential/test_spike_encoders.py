"""Encodings of values beside SpikingJelly's and snnTorch's, where the definition is the same, and where they err."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.encodings.rate import Rate
from neurodata.encodings.send_on_delta import SendOnDelta
from neurodata.encodings.simple_delta import SimpleDelta
from neurodata.encodings.ttfs import Ttfs
from neurodata.encodings.weighted_phase import WeightedPhase
from neurodata.signals import Series

torch = pytest.importorskip("torch")
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def spikingjelly() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("spikingjelly.activation_based.encoding", reason="needs the extra `test`")


@pytest.fixture(scope="module")
def spikegen() -> ModuleType:
    return pytest.importorskip("snntorch.spikegen", reason="snntorch is not among the extras")


def values_of(seed: int, m: int = 200) -> np.ndarray:
    """Multiples of 1/255, as pictures have, 0 and 1 among them."""
    return np.append(np.random.default_rng(seed).integers(0, 256, m - 2) / 255, [0, 1]).astype(np.float32)


def ours(step: object, values: np.ndarray) -> np.ndarray:
    return step(Series(np.atleast_2d(values), 1.0), np.random.default_rng(0)).astype(np.float32)  # type: ignore[operator]


def off_ties(exact: np.ndarray) -> np.ndarray:
    """Where rounding in float32 and in float64 goes to the same whole number for sure."""
    return np.abs(exact - np.floor(exact) - 0.5) > 1e-4


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 40))
def test_linear_latency_is_spikingjellys(spikingjelly: ModuleType, seed: int, T: int) -> None:
    values = values_of(seed)
    theirs = spikingjelly.LatencyEncoder(T).single_step_encode(torch.from_numpy(values)).numpy()
    sure = off_ties((T - 1) * (1 - values.astype(np.float64)))
    np.testing.assert_array_equal(ours(Ttfs(T), values)[:, sure], theirs[:, sure])


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 16))
def test_logarithmic_latency_is_spikingjellys(spikingjelly: ModuleType, seed: int, T: int) -> None:
    values = values_of(seed)
    theirs = spikingjelly.LatencyEncoder(T, "log").single_step_encode(torch.from_numpy(values)).numpy()
    sure = off_ties(T - 1 - np.log1p(np.expm1(T - 1.0) * values.astype(np.float64)))
    np.testing.assert_array_equal(ours(Ttfs(T, "log"), values)[:, sure], theirs[:, sure])


def test_their_logarithmic_latency_is_not_what_its_documentation_says(spikingjelly: ModuleType) -> None:
    """It says that a is such that 1 fires at T - 1; it is 0 that does, and a larger value fires earlier, as ours."""
    times = spikingjelly.LatencyEncoder(8, "log").single_step_encode(torch.tensor([0.0, 1.0])).argmax(dim=0)
    assert times.tolist() == [7, 0]
    with pytest.raises((OverflowError, RuntimeError)):
        spikingjelly.LatencyEncoder(1000, "log").single_step_encode(torch.tensor([0.0, 1.0]))
    assert np.argmax(ours(Ttfs(1000, "log"), np.array([0, 1], np.float32)), axis=0).tolist() == [999, 0]


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 20))
def test_weighted_phases_are_spikingjellys(spikingjelly: ModuleType, seed: int, K: int) -> None:
    values = np.minimum(values_of(seed), np.float32(1 - 2.0**-K))
    theirs = spikingjelly.WeightedPhaseEncoder(K).single_step_encode(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(ours(WeightedPhase(K), values), theirs)


def test_rates_are_those_of_both_peers(spikingjelly: ModuleType, spikegen: ModuleType) -> None:
    """Differences of the rates of two encoders, by their spread: mean 0 and standard deviation 1, within chance."""
    T, values = 2000, np.linspace(0.05, 0.95, 200).astype(np.float32)
    torch.manual_seed(0)
    batch, poisson = torch.from_numpy(values), spikingjelly.PoissonEncoder()
    rates = {
        "ours": ours(Rate(T), values).mean(axis=0),
        "spikingjelly": torch.stack([poisson(batch) for _ in range(T)]).mean(dim=0).numpy(),
        "snntorch": spikegen.rate(batch, num_steps=T).mean(dim=0).numpy(),
    }
    for peer in ("spikingjelly", "snntorch"):
        off = (rates["ours"] - rates[peer]) / np.sqrt(2 * values * (1 - values) / T)
        assert abs(off.mean()) < 5 / np.sqrt(200), peer
        assert 0.8 < off.std() < 1.2, peer


def test_their_poisson_encoder_fires_at_zero_now_and_then(
    spikingjelly: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compares by <=, and uniform numbers are exactly 0 once in 2^24; ours compares by <."""
    monkeypatch.setattr(torch, "rand_like", torch.zeros_like)
    assert spikingjelly.PoissonEncoder()(torch.zeros(1)).tolist() == [1]


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 40))
def test_linear_latency_is_snntorchs_with_normalize(spikegen: ModuleType, seed: int, T: int) -> None:
    """Its values below the threshold fire as the threshold does."""
    values = np.maximum(values_of(seed), np.float32(0.01))
    theirs = spikegen.latency(torch.from_numpy(values), num_steps=T, normalize=True, linear=True, threshold=0.01)
    sure = off_ties((T - 1) * (1 - values.astype(np.float64)))
    np.testing.assert_array_equal(ours(Ttfs(T), values)[:, sure], theirs.numpy()[:, sure])


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 40), st.floats(0.5, 20), st.floats(0.05, 0.9))
def test_rc_latency_is_snntorchs_with_clip(
    spikegen: ModuleType, seed: int, T: int, tau: float, threshold: float
) -> None:
    values = values_of(seed)
    theirs = spikegen.latency(
        torch.from_numpy(values), num_steps=T, tau=tau, threshold=threshold, clip=True, bypass=True
    ).numpy()
    x = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(x > threshold, tau * np.log(x / (x - threshold)), 0.0)
    sure = off_ties(exact) & (np.abs(x - threshold) > 1e-3)
    np.testing.assert_array_equal(ours(Ttfs(T, "rc", tau, threshold), values)[:, sure], theirs[:, sure])


@settings(max_examples=20)
@given(SEEDS, st.booleans(), st.floats(0.01, 1))
def test_simple_delta_is_snntorchs(spikegen: ModuleType, seed: int, padding: bool, threshold: float) -> None:
    values = np.random.default_rng(seed).normal(0, 1, (30, 4)).astype(np.float32)
    theirs = spikegen.delta(torch.from_numpy(values), threshold=threshold, padding=padding, off_spike=True).numpy()
    spikes = ours(SimpleDelta(threshold, padding), values)
    np.testing.assert_array_equal(spikes[:, 1] - spikes[:, 0], theirs)


def test_their_delta_loses_a_slow_change_that_send_on_delta_tells(spikegen: ModuleType) -> None:
    slow = np.linspace(0, 1, 101).astype(np.float32)[:, np.newaxis]
    assert not spikegen.delta(torch.from_numpy(slow), threshold=0.05).any()
    step = SendOnDelta(0.05)
    assert abs(step.decode(ours(step, slow))[-1, 0] - 1) < 0.051
