from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neurodata.augmentations import Draws
from neurodata.augmentations._beta import N_UNIFORMS, beta
from neurodata.augmentations._draws import between, integers
from neurodata.draws import hash_text, hash_words, splitmix64

seeds = st.integers(0, 2**64 - 1)
names = st.lists(st.text(max_size=4), min_size=1, max_size=5, unique=True).map(tuple)


def test_draws_of_the_first_release_stay() -> None:
    draws = Draws(("rec001", "rec002"), seed=3, epoch=5, place=1)
    assert draws.per_sample(2).tolist() == [
        [0.8577798276342026, 0.16859269205604477],
        [0.4301139180090815, 0.8095499240108986],
    ]
    assert draws.per_batch(2).tolist() == [0.425285859025466, 0.34779826447821194]


@given(names, seeds, st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_a_samples_numbers_are_those_of_its_name_in_any_batch(
    keys: tuple[str, ...], seed: int, epoch: int, place: int
) -> None:
    together = Draws(keys, seed, epoch, place).per_sample(3)
    for key, numbers in zip(keys, together, strict=True):
        stream = splitmix64(hash_words(seed, epoch, hash_text(key), place), 3)
        assert numbers.tolist() == [int(word >> np.uint64(11)) / 2**53 for word in stream]


def test_numbers_differ_with_seed_epoch_name_and_place() -> None:
    places = [(("a",), 0, 0, 0), (("b",), 0, 0, 0), (("a",), 1, 0, 0), (("a",), 0, 1, 0), (("a",), 0, 0, 1)]
    assert len({Draws(*place).per_sample(1)[0, 0] for place in places}) == 5
    assert len({Draws(*place).per_batch(1)[0] for place in places}) == 5
    assert Draws(("a",)).per_batch(1)[0] != Draws(("a",)).per_sample(1)[0, 0]
    assert Draws(("a", "b")).per_batch(1)[0] != Draws(("b", "a")).per_batch(1)[0]


def test_integers_have_both_ends_and_are_as_frequent() -> None:
    u = Draws(tuple(map(str, range(6000)))).per_sample(1)[:, 0]
    counts = Counter(integers(u, -1, 1).tolist())
    assert set(counts) == {-1, 0, 1}
    assert all(abs(count - 2000) < 150 for count in counts.values())  # standard deviation 37
    assert integers(np.array([0.0, np.nextafter(1, 0)]), 2, 2).tolist() == [2, 2]
    assert between(np.array([0.0, 0.5]), -3, 3).tolist() == [-3, 0]


def test_beta_draws_are_of_that_distribution() -> None:
    u = Draws(tuple(map(str, range(4000)))).per_sample(N_UNIFORMS)
    for a in (0.2, 0.5, 1.0, 3.0, 50.0):
        drawn = beta(u, a)
        assert stats.kstest(drawn, stats.beta(a, a).cdf).pvalue > 0.01, a
    assert ((beta(u, 1e-3) >= 0) & (beta(u, 1e-3) <= 1)).all()
    assert abs(beta(u, 1e-3).mean() - 0.5) < 0.03
    assert np.allclose(beta(u, 1e3), 0.5, atol=0.1)


def test_beta_is_finite_for_extreme_numbers() -> None:
    for number in (0.0, np.nextafter(1, 0), 0.5):
        for a in (1e-3, 1.0, 1e3):
            assert 0 <= beta(np.full((1, N_UNIFORMS), number), a)[0] <= 1
    # All tries fail: the middle.
    u = np.zeros((1, N_UNIFORMS))
    u[:, [24, 49]] = 0.25
    assert beta(u, 2.0)[0] == 0.5
