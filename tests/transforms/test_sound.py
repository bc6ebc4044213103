from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import WaveformForm
from neurodata.signals import Waveform
from neurodata.transforms.fit_length import FitLength
from neurodata.transforms.mono import Mono
from neurodata.transforms.normalize_loudness import NormalizeLoudness
from neurodata.transforms.resample import Resample, reference
from tests.torchaudio_oracle import torchaudio


def sound(samples: object, rate_hz: float = 16000.0) -> Waveform:
    return Waveform(np.asarray(samples, np.float32), rate_hz)


def tone(frequency_hz: float, n: int, rate_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(n))


class TestMono:
    def test_it_is_the_mean_or_one_channel(self) -> None:
        stereo = sound([[0.5, -0.5], [1, 0], [0.25, 0.5]])
        assert Mono()(stereo).samples.tolist() == [0, 0.5, 0.375]
        assert Mono(channel=1)(stereo).samples.tolist() == [-0.5, 0, 0.5]

    def test_one_channel_in_two_axes_loses_the_second(self) -> None:
        assert Mono()(sound([[0.5], [1]])).samples.tolist() == [0.5, 1]

    def test_a_channel_that_is_not_there_is_refused_before_anything_is_read(self) -> None:
        with pytest.raises(
            RecipeError, match="channel is 2, counted from 0, and there is sound at 8000 Hz, 2 channels"
        ):
            Mono(channel=2).form_after(WaveformForm(8000.0, n_channels=2))
        with pytest.raises(RecipeError, match="channel is -1"):
            Mono(channel=-1)


class TestFitLength:
    @pytest.mark.parametrize(
        ("n_samples", "anchor", "expected"),
        [
            (5, "start", [1, 2, 3, 0, 0]),
            (2, "start", [1, 2]),
            (6, "centre", [0, 1, 2, 3, 0, 0]),
            (1, "centre", [2]),
            (2, "centre", [1, 2]),
            (3, "centre", [1, 2, 3]),
        ],
    )
    def test_sounds_are_cut_or_filled_up(self, n_samples: int, anchor: str, expected: list[int]) -> None:
        step = FitLength(n_samples, anchor)  # type: ignore[arg-type]
        assert step(sound([1, 2, 3])).samples.tolist() == expected
        assert step.form_after(WaveformForm(16000.0)).n_samples == n_samples

    def test_channels_are_kept(self) -> None:
        assert FitLength(2)(sound([[1, 2]])).samples.tolist() == [[1, 2], [0, 0]]


class TestLoudness:
    def test_the_peak_is_the_level_whatever_its_sign(self) -> None:
        assert NormalizeLoudness(0.5)(sound([0.1, -0.25, 0])).samples.tolist() == pytest.approx([0.2, -0.5, 0])

    def test_the_root_of_the_mean_square_is_the_level(self) -> None:
        found = NormalizeLoudness(0.3, "rms")(sound([[0.1, -0.2], [0.3, 0]])).samples
        assert np.sqrt((found**2).mean()) == pytest.approx(0.3)

    @pytest.mark.parametrize("method", ["peak", "rms"])
    @pytest.mark.parametrize("samples", [[], [0, 0, 0], [1e-45, 0], [3e38, 3e38]])
    def test_silence_stays_and_the_softest_and_loudest_sounds_are_no_trouble(
        self, method: str, samples: list[float]
    ) -> None:
        found = NormalizeLoudness(1.0, method)(sound(samples)).samples  # type: ignore[arg-type]
        assert np.isfinite(found).all()
        assert found.any() == any(samples)


class TestResample:
    def test_a_tone_below_half_the_rate_stays_and_one_above_goes(self) -> None:
        step = Resample(8000, half_width=32)
        low = step(sound(tone(1000, 16000, 16000))).samples
        np.testing.assert_allclose(low[200:-200], tone(1000, 8000, 8000)[200:-200], atol=1e-3)
        high = step(sound(tone(5000, 16000, 16000))).samples
        assert np.abs(high[200:-200]).max() < 1e-3

    def test_there_and_back_a_tone_is_the_same(self) -> None:
        before = sound(0.5 * tone(440, 4410, 44100), 44100.0)
        after = Resample(44100, half_width=64)(Resample(16000, half_width=64)(before))
        assert after.rate_hz == 44100
        np.testing.assert_allclose(after.samples[500:3900], before.samples[500:3900], atol=1e-3)

    @pytest.mark.parametrize(("n", "expected"), [(0, 0), (1, 1), (16000, 8000), (16001, 8001)])
    def test_lengths_are_rounded_up_and_told_before(self, n: int, expected: int) -> None:
        step = Resample(8000)
        assert len(step(sound(np.ones(n))).samples) == expected
        assert step.form_after(WaveformForm(16000.0, 1, n)) == WaveformForm(8000.0, 1, expected)

    @given(
        st.integers(0, 300),
        st.sampled_from([(16000, 8000), (8000, 16000), (44100, 16000), (300, 700), (44100, 16001), (7, 5)]),
        st.integers(1, 20),
    )
    def test_outputs_are_sums_of_samples_times_a_windowed_sinc(
        self, n: int, rates: tuple[int, int], half_width: int
    ) -> None:
        samples = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
        step = Resample(rates[1], half_width)
        np.testing.assert_allclose(
            step(Waveform(samples, rates[0])).samples, reference(samples, step, rates[0]), atol=1e-6
        )

    @pytest.mark.parametrize(("before", "after"), [(16000, 8000), (44100, 16000), (8000, 22050)])
    def test_it_is_torchaudio_s(self, before: int, after: int) -> None:
        functional = torchaudio().functional
        samples = np.random.default_rng(0).uniform(-1, 1, (5000, 2)).astype(np.float32)
        expected = functional.resample(torch.from_numpy(samples.T.astype(np.float64)), before, after).numpy().T
        np.testing.assert_allclose(Resample(after)(Waveform(samples, before)).samples, expected, atol=1e-6)

    def test_rates_that_fit_badly_are_refused_in_words(self) -> None:
        with pytest.raises(RecipeError, match=r"44100 samples become 9999991, by filters of .* larger divisor"):
            Resample(9999991).form_after(WaveformForm(44100.0))
        with pytest.raises(RecipeError, match=r"sound at 22050\.5 Hz; expected a whole number"):
            Resample(16000).form_after(WaveformForm(22050.5))
        with pytest.raises(EncodingError, match=r"resample: .* samples take .* GB"):
            Resample(10**6)(Waveform(np.zeros(10**6, np.float32), 1000.0))
