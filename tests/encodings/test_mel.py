from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings._mel import apply_filters, hz_of_mel, mel_filters, mel_of_hz, reference, spans_of
from neurodata.encodings.log_mel import GSC, GSC_REPAIRED, LogMel
from neurodata.encodings.mel import Mel
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import SeriesForm, WaveformForm
from neurodata.signals import Waveform
from neurodata.transforms.fit_length import FitLength
from neurodata.transforms.resample import Resample
from tests.torchaudio_oracle import torchaudio


def sound(samples: object, rate_hz: float = 8000.0) -> Waveform:
    return Waveform(np.asarray(samples, np.float32), rate_hz)


def noise(n: int = 8000, seed: int = 0) -> Waveform:
    return sound(np.random.default_rng(seed).uniform(-1, 1, n))


def word(recordings: Path) -> Waveform:
    found = neurodata.read(recordings / "audio" / "speech_commands" / "yes_1000ms.wav")
    assert isinstance(found, Waveform)
    return found


class TestScales:
    def test_htk_mels_are_those_of_the_formula(self) -> None:
        np.testing.assert_allclose(mel_of_hz(np.array([0.0, 700.0, 6300.0]), "htk"), 2595 * np.log10([1, 2, 10]))

    def test_slaney_mels_are_linear_up_to_1000_hz_and_logarithmic_above(self) -> None:
        # 200/3 Hz a mel: 1000 Hz is mel 15; 27 mels more are 6400 Hz.
        np.testing.assert_allclose(mel_of_hz(np.array([0.0, 200.0, 1000.0, 6400.0]), "slaney"), [0, 3, 15, 42])

    @pytest.mark.parametrize("scale", ["htk", "slaney"])
    def test_mels_come_back_as_frequencies(self, scale: Any) -> None:
        hz = np.linspace(0, 20000, 500)
        np.testing.assert_allclose(hz_of_mel(mel_of_hz(hz, scale), scale), hz, atol=1e-8)


class TestFilters:
    def test_triangles_rise_to_one_at_the_centre_and_fall_to_the_next(self) -> None:
        # Slaney below 1000 Hz: points 0, 200, 400, 600, 800 Hz; 8 frequencies of 100 Hz.
        weights = mel_filters(20, 2000.0, 3, 0.0, 800.0, "slaney", "none")
        expected = np.maximum(0, 1 - np.abs(np.arange(11)[:, None] * 100 - [200, 400, 600]) / 200)
        np.testing.assert_allclose(weights, expected, atol=1e-12)
        np.testing.assert_allclose(mel_filters(20, 2000.0, 3, 0.0, 800.0, "slaney", "slaney"), expected / 200)

    @pytest.mark.parametrize("scale", ["htk", "slaney"])
    @pytest.mark.parametrize("norm", ["none", "slaney"])
    @pytest.mark.parametrize("rate_hz", [16000, 22050])
    def test_they_are_librosa_s(self, scale: Any, norm: Any, rate_hz: int) -> None:
        librosa_filters = pytest.importorskip("librosa.filters")
        expected = librosa_filters.mel(
            sr=rate_hz, n_fft=1024, n_mels=40, fmin=30.0, fmax=7000.0, htk=scale == "htk",
            norm=None if norm == "none" else norm, dtype=np.float64,
        )  # fmt: skip
        np.testing.assert_allclose(mel_filters(1024, rate_hz, 40, 30.0, 7000.0, scale, norm), expected.T, atol=1e-12)


@given(st.integers(0, 5), st.integers(1, 40), st.integers(2, 300), st.integers(0, 2**32 - 1))
def test_the_kernel_is_the_product_of_the_matrices(n: int, n_mels: int, n_fft: int, seed: int) -> None:
    filters = mel_filters(n_fft, 8000.0, n_mels, 50.0, 6000.0, "htk", "none")  # some of them dead
    spectrum = np.random.default_rng(seed).uniform(0, 10, (n, n_fft // 2 + 1))
    energies = np.zeros((n, n_mels))
    apply_filters(spectrum, filters, spans_of(filters), energies)
    np.testing.assert_allclose(energies, reference(spectrum, filters), rtol=1e-12)


class TestMel:
    def test_the_energy_of_an_impulse_is_the_square_of_the_window_in_every_frequency(self) -> None:
        """A frame about sample m * hop holds the impulse at w[n_fft / 2 - distance]; its spectrum is flat."""
        samples = np.zeros(1000)
        samples[500] = 0.5
        step = Mel(n_mels=10, n_fft=256, hop=50)
        rows = step(sound(samples)).values
        window = np.sin(np.pi * np.arange(256) / 256) ** 2
        area = step.filters(8000.0).sum(axis=0)
        for m, at in ((10, 128), (9, 178), (12, 28)):
            np.testing.assert_allclose(rows[m], (0.5 * window[at]) ** 2 * area, rtol=1e-5)
        assert not rows[[0, 1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 18, 19, 20]].any()

    @pytest.mark.parametrize("frequency_hz", [300, 1000, 2500])
    def test_a_tone_is_in_the_filter_about_its_frequency(self, frequency_hz: float) -> None:
        tone = sound(np.sin(2 * np.pi * frequency_hz / 8000 * np.arange(4000)))
        rows = Mel(n_mels=30, n_fft=512, hop=100)(tone).values
        centres = hz_of_mel(np.linspace(0, mel_of_hz(np.array(4000.0), "htk"), 32)[1:-1], "htk")
        assert (rows[5:-5].argmax(axis=1) == np.abs(centres - frequency_hz).argmin()).all()

    def test_a_tone_that_is_clipped_has_its_third_harmonic_and_not_its_second(self) -> None:
        tone = np.sin(2 * np.pi * 500 / 8000 * np.arange(4000))
        step = LogMel(n_mels=30, n_fft=512, hop=100)
        clean, clipped = (
            step(sound(samples)).values[5:-5].mean(axis=0) for samples in (tone, np.clip(2 * tone, -1, 1))
        )
        centres = hz_of_mel(np.linspace(0, mel_of_hz(np.array(4000.0), "htk"), 32)[1:-1], "htk")
        second, third = (np.abs(centres - frequency).argmin() for frequency in (1000, 1500))
        assert clipped[third] - clean[third] > 20
        assert clipped[third] - clipped[second] > 20

    def test_a_louder_sound_has_more_energy_by_the_square_or_as_power_says(self) -> None:
        for power in (1.0, 2.0):
            step = Mel(n_mels=20, power=power)
            soft, loud = step(noise()).values, step(sound(3 * noise().samples)).values
            np.testing.assert_allclose(loud, soft * 3**power, rtol=1e-4)

    @pytest.mark.parametrize("padding", ["reflect", "zeros", "none"])
    @pytest.mark.parametrize("n_fft", [255, 256])
    @pytest.mark.parametrize("n", [200, 255, 256, 299, 300, 1000])
    def test_the_number_of_rows_is_told_before(self, padding: Any, n_fft: int, n: int) -> None:
        step = Mel(n_mels=4, n_fft=n_fft, hop=100, padding=padding)
        expected = max(0, 1 + (n - n_fft) // 100) if padding == "none" else 1 + (n - n_fft % 2) // 100
        assert step.form_after(WaveformForm(8000.0, 1, n)) == SeriesForm(4, 80.0, expected)
        assert step(noise(n)).values.shape == (expected, 4)

    def test_long_sounds_are_done_in_blocks_without_a_seam(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Mel(n_mels=8)(noise()).values
        monkeypatch.setattr("neurodata.encodings._mel.BLOCK_VALUES", 1)
        np.testing.assert_allclose(Mel(n_mels=8)(noise()).values, whole, rtol=1e-6)

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ({}, {}),
            ({"window_length": 200, "norm": "slaney"}, {"win_length": 200, "norm": "slaney"}),
            ({"scale": "slaney"}, {"mel_scale": "slaney"}),
            ({"padding": "zeros", "power": 1.0}, {"pad_mode": "constant", "power": 1.0}),
            ({"padding": "none", "f_min_hz": 100.0}, {"center": False, "f_min": 100.0}),
        ],
    )  # fmt: skip
    def test_it_is_torchaudio_s(self, ours: dict, theirs: dict) -> None:
        transform = torchaudio().transforms.MelSpectrogram(8000, n_fft=512, hop_length=80, n_mels=20, **theirs).double()
        expected = transform(torch.from_numpy(noise().samples.astype(np.float64))).numpy().T
        found = Mel(n_mels=20, n_fft=512, hop=80, **ours)(noise()).values
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)

    def test_what_does_not_fit_is_refused_in_words(self) -> None:
        with pytest.raises(RecipeError, match=r"mel takes sound of 1 channel, not .* 2 channels; state mono before it"):
            Mel().form_after(WaveformForm(16000.0, n_channels=2))
        with pytest.raises(RecipeError, match=r"7 of 140 mel filters hold none of the 129 frequencies up to 4000 Hz"):
            Mel(n_mels=140, n_fft=256, f_min_hz=50.0).form_after(WaveformForm(8000.0))
        with pytest.raises(RecipeError, match=r"f_min_hz is 5000 and f_max_hz 4000"):
            Mel(f_min_hz=5000.0).form_after(WaveformForm(8000.0))
        with pytest.raises(RecipeError, match=r"window_length is 600; expected 1 to 512"):
            Mel(window_length=600)
        with pytest.raises(RecipeError, match=r"weights of 524289 frequencies in as many bands"):
            Mel(n_fft=2**20)
        with pytest.raises(EncodingError, match=r"too short to be mirrored by 256 samples: state fit_length"):
            Mel(n_mels=10)(noise(256))
        with pytest.raises(EncodingError, match=r"mel: a sample of .* is not a number"):
            Mel(n_mels=10)(sound([np.nan] * 1000))
        with pytest.raises(EncodingError, match=r"more than a float32 holds; .* normalize_loudness"):
            Mel(n_mels=10)(sound(np.full(1000, 3e38)))


class TestLogarithms:
    energies = np.array([0.0, 1e-12, 1e-3, 1.0, 100.0])

    def test_decibels_end_at_the_floor(self) -> None:
        np.testing.assert_allclose(LogMel().logarithm(self.energies), [-100, -100, -30, 0, 20])
        np.testing.assert_allclose(LogMel(power=1.0).logarithm(self.energies), [-200, -200, -60, 0, 40])
        np.testing.assert_allclose(LogMel(floor=1e-2).logarithm(self.energies), [-20, -20, -20, 0, 20])

    def test_values_far_below_the_highest_are_raised(self) -> None:
        np.testing.assert_allclose(LogMel(top_db=45).logarithm(self.energies), [-25, -25, -25, 0, 20])

    def test_natural_logarithms_have_a_floor_that_is_added(self) -> None:
        np.testing.assert_allclose(LogMel(log="ln").logarithm(self.energies), np.log(self.energies + 1e-6))
        np.testing.assert_allclose(LogMel(log="log1p", floor=0.5).logarithm(self.energies), np.log1p(2 * self.energies))

    def test_silence_is_the_floor_everywhere(self) -> None:
        assert (LogMel(n_mels=10)(sound(np.zeros(1000))).values == -100).all()
        assert (LogMel(n_mels=10, top_db=80)(sound(np.zeros(1000))).values == -100).all()

    def test_top_db_is_for_decibels(self) -> None:
        with pytest.raises(RecipeError, match=r"top_db is for log"):
            LogMel(log="ln", top_db=80)
        with pytest.raises(RecipeError, match=r"log_mel: n_mels is 0"):
            LogMel(n_mels=0)


class TestSpeechCommands:
    """A second at 16 kHz -> 8 kHz -> 101 x 140."""

    def chain(self, sounds: Waveform, **parameters: Any) -> np.ndarray:
        return LogMel(**parameters)(Resample(8000)(FitLength(16000)(sounds))).values

    def expected(self, samples: np.ndarray, f_max_hz: float, n_fft: int = 256) -> np.ndarray:
        """Written from the documented formulas: sums for spectra, 140 HTK triangles, decibels."""
        padded = np.pad(samples.astype(np.float64), n_fft // 2, mode="reflect")
        window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256), (n_fft - 256) // 2)
        frames = np.array([padded[m * 80 : m * 80 + n_fft] * window for m in range(101)])
        k = np.arange(n_fft // 2 + 1)
        spectrum = frames @ np.exp(-2j * np.pi * np.outer(np.arange(n_fft), k) / n_fft)
        mels = np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + f_max_hz / 700), 142)
        points = 700 * (10 ** (mels / 2595) - 1)
        hz = k * 8000 / n_fft
        filters = np.array(
            [np.interp(hz, points[i : i + 3], [0, 1, 0], left=0, right=0) for i in range(140)]
        )  # [140, frequencies]
        return 10 * np.log10(np.maximum(np.abs(spectrum) ** 2 @ filters.T, 1e-10))

    def test_the_published_recipe_is_the_documented_formulas(self) -> None:
        second = noise(16000)
        found = self.chain(Waveform(second.samples, 16000.0), **GSC)
        assert found.shape == (101, 140)
        low = Resample(8000)(Waveform(second.samples, 16000.0)).samples
        np.testing.assert_allclose(found, self.expected(low, 14000.0), atol=1e-4)

    def test_its_53_highest_filters_are_dead_and_the_repaired_recipe_has_none(self) -> None:
        second = Waveform(noise(16000).samples, 16000.0)
        found = self.chain(second, **GSC)
        assert (found[:, 87:] == -100).all()
        assert (found[:, :87] > -100).any(axis=0).all()
        repaired = self.chain(second, **GSC_REPAIRED)
        assert repaired.shape == (101, 140)
        assert (repaired > -100).any(axis=0).all()
        low = Resample(8000)(second).samples
        np.testing.assert_allclose(repaired, self.expected(low, 4000.0, n_fft=512), atol=1e-4)

    def test_dead_filters_are_refused_unless_they_are_meant(self) -> None:
        with pytest.raises(RecipeError, match=r"53 of 140 mel filters .* at most half the rate, or dead_filters"):
            LogMel(**(GSC | {"dead_filters": "error"})).form_after(WaveformForm(8000.0))

    def test_a_spoken_word_is_what_torchaudio_makes_of_it(self, recordings: Path) -> None:
        """Its documented numbers are float32; where the word is silent, energies differ in the last digits."""
        audio = torchaudio()
        said = word(recordings)
        samples = torch.from_numpy(FitLength(16000)(said).samples)
        low = audio.transforms.Resample(16000, 8000)(samples)
        power = audio.transforms.Spectrogram(n_fft=256, hop_length=80)(low)
        with pytest.warns(UserWarning, match=r"all zero values"):
            mel = audio.transforms.MelScale(sample_rate=8000, n_mels=140, f_min=50, f_max=14000, n_stft=129)
        expected = audio.transforms.AmplitudeToDB()(mel(power)).numpy().T
        np.testing.assert_allclose(self.chain(said, **GSC), expected, atol=5e-3)

    def test_short_words_are_filled_up(self) -> None:
        found = self.chain(Waveform(noise(9000).samples, 16000.0), **GSC)
        assert found.shape == (101, 140)
        assert (found[60:] == -100).all()
