from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._masking import bark, forward_db, quiet_db, simultaneous_db, spread_db, tonal

# Third-octave-like bands, about a Bark apart.
CENTRES_HZ = np.geomspace(200, 8000, 20)


def test_the_bark_scale_and_the_threshold_in_quiet_are_those_of_the_standard() -> None:
    """Table values of ISO/IEC 11172-3 annex D (layer I, 44.1 kHz), which are rounded formulas of the same curves."""
    np.testing.assert_allclose(bark(np.array([100.0, 1000.0, 10_000.0])), [0.99, 8.51, 22.4], atol=0.05)
    np.testing.assert_allclose(quiet_db(np.array([100.0, 1000.0, 3300.0])), [22.95, 3.37, -4.98], atol=0.05)


def test_spreading_is_continuous_and_steeper_to_lower_bands() -> None:
    level_db = np.full(1, 60.0)
    for edge in (-1.0, 0.0, 1.0):
        low, high = (spread_db(np.array([edge + side]), level_db)[0] for side in (-1e-9, 1e-9))
        assert low == pytest.approx(high, abs=1e-6)
    assert spread_db(np.array([0.0]), level_db)[0] == 0
    assert spread_db(np.array([1.0]), level_db)[0] == pytest.approx(-17)
    assert spread_db(np.array([-1.0]), level_db)[0] == pytest.approx(-30)
    assert spread_db(np.array([2.0]), level_db)[0] == pytest.approx(-25)  # (0.15 * 60 - 17) * 2 - 0.15 * 60
    assert np.isneginf(spread_db(np.array([-3.1, 8.0]), level_db)).all()


def test_a_tone_stands_out_of_its_neighbours() -> None:
    levels_db = np.array([[10, 30, 24, 31, 0, 40.0], [50, 30, 24, 32, 24, 17]])
    expected = [[False, False, False, True, False, True], [True, False, False, True, False, False]]
    assert tonal(levels_db, 7).tolist() == expected


def test_one_loud_band_masks_its_neighbours_by_hand() -> None:
    levels_db = np.zeros((1, 20))
    levels_db[0, 10] = 70
    threshold = simultaneous_db(levels_db, CENTRES_HZ, 7)[0]
    z, quiet = bark(CENTRES_HZ), quiet_db(CENTRES_HZ)
    distance = z[11] - z[10]
    masked = 70 - 6.025 - 0.275 * z[10] + (0.15 * 70 - 17) * distance - 0.15 * 70
    assert distance > 1
    assert threshold[11] == pytest.approx(10 * np.log10(10 ** (masked / 10) + 10 ** (quiet[11] / 10)), abs=0.3)
    # It does not mask itself; the quiet bands about it, where they lie above their threshold, hardly do.
    assert threshold[10] == pytest.approx(quiet[10], abs=3)
    assert threshold[0] == pytest.approx(quiet[0], abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_more_level_never_masks_less(seed: int) -> None:
    """With tones and noise told apart by no margin, which turns one into the other."""
    rng = np.random.default_rng(seed)
    levels_db = rng.uniform(0, 90, (4, 20))
    louder = levels_db + rng.uniform(0, 5)
    assert (simultaneous_db(louder, CENTRES_HZ, 1e9) >= simultaneous_db(levels_db, CENTRES_HZ, 1e9) - 1e-9).all()
    assert (forward_db(louder, 0.6) >= forward_db(levels_db, 0.6)).all()


def test_forward_masking_is_the_largest_decayed_level_before() -> None:
    levels_db = np.random.default_rng(0).uniform(0, 80, (12, 3))
    found = forward_db(levels_db, 0.5)
    assert not found[0].any()
    for m in range(1, 12):
        expected = max(levels_db[j, 1] * 0.5 ** (m - j) for j in range(m))
        assert found[m, 1] == pytest.approx(expected)
