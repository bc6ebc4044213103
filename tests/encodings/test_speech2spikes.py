from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.encodings.log_mel import LogMel
from neurodata.encodings.sign_frame import SignFrame
from neurodata.encodings.speech2spikes import Speech2Spikes, decode, reference, send_on_delta
from neurodata.encodings.spike_raster import SpikeRaster
from neurodata.errors import RecipeError
from neurodata.forms import Sensor, WaveformForm
from neurodata.signals import Waveform


def signs_of(values: np.ndarray, threshold: float) -> np.ndarray:
    signs = np.zeros(values.shape, np.int8)
    send_on_delta(values.astype(np.float32), threshold, signs)
    return signs


def test_a_band_fires_once_a_row_until_its_level_has_caught_up() -> None:
    # Levels: 0 (0.4 rounded), 1, 2, 3, then 2.
    values = np.array([[0.4], [3.5], [3.5], [3.5], [3.5], [1.5], [2.0]])
    assert signs_of(values, 1.0).ravel().tolist() == [0, 1, 1, 1, 0, -1, 0]


def test_a_change_of_just_the_threshold_is_none() -> None:
    assert signs_of(np.array([[0], [1], [-1], [1.001]]), 1.0).ravel().tolist() == [0, 0, 0, 1]


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 1.0]))
def test_the_kernel_is_the_definition(n: int, seed: int, threshold: float) -> None:
    values = np.random.default_rng(seed).normal(0, 2, (n, 3)).round(1).astype(np.float32)
    np.testing.assert_array_equal(signs_of(values, threshold), reference(values, threshold))


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_levels_follow_values_that_change_slowly(n: int, seed: int) -> None:
    values = np.cumsum(np.random.default_rng(seed).uniform(-0.9, 0.9, (n, 4)), axis=0).astype(np.float32)
    back = decode(signs_of(values, 1.0), np.rint(values[0]), 1.0)
    assert np.abs(back - values).max() <= 1


def test_the_published_numbers_are_the_defaults() -> None:
    sound = Waveform(np.random.default_rng(0).uniform(-1, 1, 4000).astype(np.float32), 16000.0)
    sound.samples[:2000] *= 0.01
    events = Speech2Spikes()(sound)
    mel = LogMel(n_mels=20, n_fft=512, hop=80, f_min_hz=20.0, f_max_hz=4000.0, log="ln", floor=1e-6)(sound).values
    signs = reference(mel, 1.0)
    assert events.sensor == Sensor(20, 1, 2)
    assert events.n_events == np.count_nonzero(signs)
    raster = SpikeRaster(bin_us=5000, T=51)(events).astype(int).reshape(51, 2, 20)
    np.testing.assert_array_equal(raster[:, 1] - raster[:, 0], signs)
    assert len(np.unique(SignFrame(T=51)(events))) == 3


def test_silence_makes_no_spikes_and_a_tone_that_begins_makes_some_in_its_band_first() -> None:
    assert Speech2Spikes()(Waveform(np.zeros(1000, np.float32), 16000.0)).n_events == 0
    samples = np.zeros(8000, np.float32)
    samples[4000:] = 0.5 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(4000))
    events = Speech2Spikes()(Waveform(samples, 16000.0))
    bands = np.bincount(events.x[events.p], minlength=20)
    mels = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), 22)[1:-1]
    assert bands.argmax() == np.abs(mels - 2595 * np.log10(1 + 1000 / 700)).argmin()
    assert events.start_us >= 234_000  # half a frame before the tone begins


def test_a_spoken_word_rises_and_falls(recordings: Path) -> None:
    word = neurodata.read(recordings / "audio" / "speech_commands" / "yes_1000ms.wav")
    assert isinstance(word, Waveform)
    events = Speech2Spikes()(word)
    assert 200 < events.n_events < 201 * 20
    assert 0.3 < events.p.mean() < 0.7
    assert events.stop_us <= 1_000_001


def test_stereo_is_refused_before_anything_is_read() -> None:
    with pytest.raises(RecipeError, match=r"speech2spikes takes sound of 1 channel, not .*; state mono before it"):
        Speech2Spikes().form_after(WaveformForm(16000.0, n_channels=2))
    with pytest.raises(RecipeError, match=r"speech2spikes: threshold is 0"):
        Speech2Spikes(threshold=0)
