from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings._cqt import (
    bins_per_octave,
    centre_frequencies,
    each_filtered,
    energies,
    filtered,
    kernel_length,
    kernels,
    log_energies,
    n_frames,
)

RATE_HZ = 16000.0


def bae_bank() -> tuple[np.ndarray, list[np.ndarray]]:
    centres = centre_frequencies(20, 200.0, 8000.0)
    return centres, kernels(RATE_HZ, centres, bins_per_octave(20, 200.0, 8000.0))


def test_the_bank_of_bae_has_twenty_filters_from_200_to_8000_hz() -> None:
    centres, wavelets = bae_bank()
    assert bins_per_octave(20, 200.0, 8000.0) == pytest.approx(3.57, abs=0.005)
    np.testing.assert_allclose(centres[[0, -1]], [200, 8000])
    np.testing.assert_allclose(centres[1:] / centres[:-1], 40 ** (1 / 19))
    # Q = 1 / (40^(1/19) - 1) = 4.667; 4.667 * 16000 / 200 = 373.3, at 8000 Hz 9.3 and one more to be odd.
    assert [len(wavelets[0]), len(wavelets[-1])] == [375, 11]
    assert kernel_length(RATE_HZ, 200.0, 3.57) == 375


def test_a_tone_at_the_centre_passes_unchanged_and_is_loudest_in_its_own_filter() -> None:
    centres, wavelets = bae_bank()
    for k, centre in enumerate(centres[:-1]):
        tone = np.sin(2 * np.pi * centre / RATE_HZ * np.arange(2000))
        waves = filtered(tone, wavelets)
        np.testing.assert_allclose(waves[k, 500:1500], tone[500:1500], atol=0.02)
        assert (waves[:, 500:1500] ** 2).sum(axis=1).argmax() == k


def test_filters_at_half_the_rate_are_scaled_as_the_others() -> None:
    _, wavelets = bae_bank()
    tone = np.cos(np.pi * np.arange(400))
    np.testing.assert_allclose(filtered(tone, wavelets)[-1, 50:350], tone[50:350], rtol=1e-5)


@given(st.integers(0, 700), st.integers(0, 2**32 - 1))
def test_filtering_is_the_sum_of_products_in_time(n: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, n)
    _, wavelets = bae_bank()
    waves = filtered(samples, wavelets[::6])
    for wave, wavelet in zip(waves, wavelets[::6], strict=True):
        half = len(wavelet) // 2
        expected = np.convolve(samples, wavelet)[half : half + n] if n else np.zeros(0)
        np.testing.assert_allclose(wave, expected, atol=1e-6)


@pytest.mark.parametrize("n", [3000, 3722, 3723, 9000])
def test_sounds_of_several_blocks_are_filtered_as_those_of_one(n: int) -> None:
    _, wavelets = bae_bank()
    samples = np.random.default_rng(n).normal(size=n)
    expected = [np.convolve(samples, wavelet)[len(wavelet) // 2 :][:n] for wavelet in wavelets]
    np.testing.assert_allclose(list(each_filtered(samples, wavelets)), expected, atol=1e-12)


def test_an_impulse_gives_the_wavelets_about_its_place() -> None:
    _, wavelets = bae_bank()
    impulse = np.zeros(1000)
    impulse[500] = 1
    for wave, wavelet in zip(filtered(impulse, wavelets), wavelets, strict=True):
        half = len(wavelet) // 2
        np.testing.assert_allclose(wave[500 - half : 501 + half], wavelet, atol=1e-7)


@given(st.integers(0, 50), st.integers(1, 12), st.data())
def test_every_sample_lies_in_a_frame_and_no_frame_lies_behind_them_all(
    n: int, frame: int, data: st.DataObject
) -> None:
    hop = data.draw(st.integers(1, frame))
    samples = np.random.default_rng(n).uniform(-1, 1, n)
    found = energies(samples, frame, hop)
    assert len(found) == n_frames(n, frame, hop)
    np.testing.assert_allclose(found, [(samples[m * hop : m * hop + frame] ** 2).sum() for m in range(len(found))])
    if n:
        assert (len(found) - 1) * hop + frame >= n
        assert len(found) == 1 or (len(found) - 2) * hop + frame < n


def test_silence_has_the_energy_of_the_floor() -> None:
    _, wavelets = bae_bank()
    np.testing.assert_allclose(log_energies(np.zeros(1000), wavelets, 512, 256, 1e-10), np.log(1e-10), rtol=1e-6)
    assert log_energies(np.zeros(0), wavelets, 512, 256, 1e-10).shape == (0, 20)
