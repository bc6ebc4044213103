from __future__ import annotations

import numpy as np
import pytest

from neurodata.encodings._basilar_membrane import LEAD, Filtered, Membrane, response

special = pytest.importorskip("scipy.special")
RATE_HZ = 24_000.0


def resonance_hz(membrane: Membrane, place_cm: float) -> float:
    """Where stiffness and mass balance: S(c) = mass * omega^2."""
    stiffness = membrane.stiffness * np.exp(-membrane.decay_per_cm * place_cm) - membrane.offset
    return float(np.sqrt(stiffness / membrane.mass) / (2 * np.pi))


def test_velocities_are_those_of_the_published_program() -> None:
    """Values that lauscher 1.0.1 returns at 1.7 cm for 100, 1000 and 5000 Hz."""
    found = Membrane().transfer(2 * np.pi * np.array([100.0, 1000.0, 5000.0]), 701)[340]
    expected = [-6.04019603e-01 + 2.41717063e00j, 7.48560984e01 - 1.53686916e01j, -1.41272535e-05 + 1.30249206e-05j]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_velocities_are_those_that_the_published_program_works_out() -> None:
    published = pytest.importorskip("lauscher.transformations.basilar_membrane").BasilarMembrane()
    omega = 2 * np.pi * np.geomspace(50, 11_000, 40)
    found = Membrane().transfer(omega, 8)
    for row, place_cm in zip(found, np.linspace(0, 3.5, 8), strict=True):
        expected = published._v(omega, place_cm)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-12 * np.abs(expected).max())


def test_the_phase_is_the_integral_of_the_wave_number() -> None:
    integrate = pytest.importorskip("scipy.integrate")
    membrane, omega = Membrane(), np.array([2 * np.pi * 800.0])
    part = [
        integrate.quad(lambda c, take=take: take(membrane.wave_number(omega, np.array([c]))[0, 0]), 0, 3.5, limit=200)[
            0
        ]
        for take in (np.real, np.imag)
    ]
    np.testing.assert_allclose(membrane._phase_between(omega, 0, 3.5)[0], part[0] + 1j * part[1], rtol=1e-6)


def test_a_place_answers_most_to_tones_a_little_below_its_resonance() -> None:
    membrane = Membrane()
    tones_hz = np.geomspace(60, 11_000, 200)
    gain = np.abs(membrane.transfer(2 * np.pi * tones_hz, 50))
    best_hz = tones_hz[gain.argmax(axis=1)]
    assert (np.diff(best_hz) <= 0).all()  # high tones at the base
    inner = slice(16, 46)
    expected = np.array([resonance_hz(membrane, c) for c in np.linspace(0, 3.5, 50)])
    ratio = best_hz[inner] / expected[inner]
    assert (ratio > 0.7).all()
    assert (ratio < 1.05).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 9000])
def test_blocks_filter_as_one_convolution_does(n: int, causal: bool) -> None:
    spectra = response(Membrane(), 6, RATE_HZ)
    sound = np.random.default_rng(0).normal(size=n)
    n_memory = spectra.shape[1] - 1
    impulse = np.fft.irfft(spectra[3].astype(np.complex128))[:n_memory]
    lead = round(LEAD * n_memory)
    forward = np.convolve(sound if causal else sound[::-1], impulse)[lead : lead + n]
    expected = forward if causal else forward[::-1]
    np.testing.assert_allclose(Filtered(sound, spectra, causal).at(3), expected, atol=1e-4 * np.abs(expected).max())


def test_the_membrane_moves_after_a_click_when_causal_and_before_it_as_published() -> None:
    click = np.zeros(12_000)
    click[6000] = 1
    for causal in (True, False):
        filtered = Filtered(click, response(Membrane(), 8, RATE_HZ), causal)
        for place in range(3, 8):
            energy = filtered.at(place).astype(np.float64) ** 2
            late = energy[6000:].sum() / energy.sum()
            assert late > 0.999 if causal else late < 0.01


def test_responses_have_died_away_where_they_are_cut() -> None:
    for spectrum in response(Membrane(), 8, RATE_HZ):
        energy = np.fft.irfft(spectrum) ** 2
        n_memory = len(energy) // 2
        lead = round(LEAD * n_memory)
        assert energy[: lead // 2].sum() + energy[n_memory - lead :].sum() < 1e-3 * energy.sum()
