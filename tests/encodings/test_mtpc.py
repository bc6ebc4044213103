from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.encodings.mtpc import SOUND_M_PER_S, Mtpc, azimuth_deg, coincidences, peak_times, reference
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Waveform

RATE_HZ = 16_000.0


def two_ears(sound: np.ndarray, azimuth: float, distance_m: float = 0.2, rate_hz: float = RATE_HZ) -> Waveform:
    """A far source: the left ear hears it later when it is on the right; delays are exact, by the phase of tones."""
    delay_s = distance_m / SOUND_M_PER_S * np.sin(np.radians(azimuth))
    spectrum, hz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / rate_hz)
    left = np.fft.irfft(spectrum * np.exp(-1j * np.pi * hz * delay_s), len(sound))
    right = np.fft.irfft(spectrum * np.exp(1j * np.pi * hz * delay_s), len(sound))
    return Waveform(np.column_stack([left, right]).astype(np.float32), rate_hz)


def noise(n: int = 8000, seed: int = 0) -> np.ndarray:
    return 0.2 * np.random.default_rng(seed).normal(size=n)


def chord(n: int = 8000) -> np.ndarray:
    times_s = np.arange(n) / RATE_HZ
    rng = np.random.default_rng(3)
    return sum(
        0.1 * np.sin(2 * np.pi * hz * times_s + rng.uniform(0, 6))
        for hz in (300, 440, 610, 950, 1310, 1790, 2600, 3300)
    ) * np.hanning(n)


@pytest.mark.parametrize("source", [noise(), chord()], ids=["noise", "chord"])
@pytest.mark.parametrize("azimuth", [-70.0, -45.0, -31.7, -10.0, 0.0, 3.3, 20.0, 52.0, 70.0])
def test_a_source_is_found_within_three_degrees(source: np.ndarray, azimuth: float) -> None:
    assert azimuth_deg(Mtpc()(two_ears(source, azimuth))) == pytest.approx(azimuth, abs=3)


@pytest.mark.parametrize("azimuth", [-40.0, 15.0, 60.0])
def test_a_source_is_found_in_noise_of_the_microphones(azimuth: float) -> None:
    ears = two_ears(noise(16_000), azimuth)
    own = np.random.default_rng(9).normal(0, 0.2 / np.sqrt(10), ears.samples.shape)  # 10 dB
    counts = Mtpc()(Waveform((ears.samples + own).astype(np.float32), RATE_HZ))
    assert azimuth_deg(counts) == pytest.approx(azimuth, abs=3)


def test_a_pure_tone_answers_at_its_delay_in_its_row() -> None:
    times_s = np.arange(8000) / RATE_HZ
    step = Mtpc(n_tones=5, f_min_hz=200, f_max_hz=3200)  # 200, 400, 800 ... Hz
    tone = np.sin(2 * np.pi * 800 * times_s) * np.hanning(8000)
    counts = step(two_ears(tone, 30.0))
    delay_us = 0.2 / SOUND_M_PER_S * 0.5e6
    assert abs(step.delays_us()[counts[2].argmax()] - delay_us) <= 12
    assert counts[2].max() == pytest.approx(0.5 * 800, rel=0.15)  # once a cycle, where it is loud enough


def test_left_and_right_are_mirror_images() -> None:
    ears = two_ears(noise(), 25.0)
    counts = Mtpc()(ears)
    swapped = Mtpc()(Waveform(np.ascontiguousarray(ears.samples[:, ::-1]), RATE_HZ))
    np.testing.assert_array_equal(swapped, counts[:, ::-1])


def test_loudness_does_not_matter() -> None:
    ears = two_ears(noise(), 25.0)
    np.testing.assert_array_equal(Mtpc()(Waveform(ears.samples / 64, RATE_HZ)), Mtpc()(ears))


def test_peaks_are_found_to_a_fraction_of_a_sample() -> None:
    cycle = 20.3
    tone = np.cos(2 * np.pi * (np.arange(200) - 7.4) / cycle)
    np.testing.assert_allclose(peak_times(tone, 0.05), 7.4 + cycle * np.arange(10), atol=0.02)
    assert peak_times(np.array([0, 1, 0, 0.04, 0, 0.5, 0.5, 0, -1, -0.5, -1.0]), 0.05).tolist() == [1.0, 5.5]
    assert len(peak_times(np.zeros(9), 0.05)) == len(peak_times(np.zeros(1), 0.05)) == 0


@given(
    st.lists(st.integers(0, 3000), max_size=30),
    st.lists(st.integers(0, 3000), max_size=30),
    st.integers(3, 9),
    st.sampled_from([0.5, 13.0, 110.0, 400.0, 5000.0]),
)
def test_coincidences_are_their_reference(left: list[int], right: list[int], n_delays: int, tolerance: float) -> None:
    left_us, right_us = (np.sort(np.array(times, np.float64)) for times in (left, right))
    delays_us = np.linspace(-500, 500, n_delays)
    counts = np.zeros(n_delays, np.uint32)
    coincidences(left_us, right_us, delays_us, tolerance, counts)
    assert counts.tolist() == reference(left_us, right_us, delays_us, tolerance).tolist()


def test_silence_has_no_coincidences_and_no_azimuth() -> None:
    counts = Mtpc()(Waveform(np.zeros((4000, 2), np.float32), RATE_HZ))
    assert counts.shape == (40, 51)
    assert not counts.any()
    with pytest.raises(EncodingError, match=r"expected .* at least 3 delays and one coincidence"):
        azimuth_deg(counts)


def test_the_peak_may_lie_at_either_end() -> None:
    counts = np.zeros((2, 5), np.uint32)
    counts[:, 4] = 3
    assert azimuth_deg(counts) == pytest.approx(90)
    assert azimuth_deg(counts[:, ::-1]) == pytest.approx(-90)
    assert azimuth_deg(np.ones((1, 5), np.uint32)) == pytest.approx(0)


def test_bad_sounds_and_parameters_are_refused() -> None:
    with pytest.raises(
        RecipeError, match="mtpc takes sound of 2 channels, not 9 samples of sound at 16000 Hz, 1 channel"
    ):
        Mtpc()(Waveform(np.zeros(9, np.float32), RATE_HZ))
    with pytest.raises(RecipeError, match=r"at most 2666\.67 Hz for sound at 8000 Hz"):
        Mtpc()(Waveform(np.zeros((9, 2), np.float32), 8000.0))
    with pytest.raises(RecipeError, match="f_max_hz is 100; expected 201"):
        Mtpc(f_max_hz=100)
    with pytest.raises(RecipeError, match="n_delays is 2; expected 3"):
        Mtpc(n_delays=2)
    with pytest.raises(RecipeError, match=r"1000 filters from 1 to 4000 Hz take .* numbers"):
        Mtpc(n_tones=1000, f_min_hz=1)(Waveform(np.zeros((9, 2), np.float32), 1e6))
