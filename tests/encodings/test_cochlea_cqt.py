from __future__ import annotations

import numpy as np
import pytest

from neurodata.encodings._cqt import filtered, kernels
from neurodata.encodings.cochlea_cqt import CochleaCqt
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import SeriesForm, WaveformForm
from neurodata.signals import Waveform


def sound(samples: object, rate_hz: float = 16000.0) -> Waveform:
    return Waveform(np.asarray(samples, np.float32), rate_hz)


def test_a_tone_has_the_energy_of_its_frames_in_its_own_filter() -> None:
    step = CochleaCqt()
    for k in (0, 7, 15):
        centre = step.centres_hz(16000.0)[k]
        rows = step(sound(0.5 * np.sin(2 * np.pi * centre / 16000 * np.arange(8000)))).values
        assert (rows[2:-3].argmax(axis=1) == k).all()
        np.testing.assert_allclose(rows[2:-3, k], np.log(512 * 0.5**2 / 2), atol=0.05)


def test_rows_are_frames_of_the_filtered_sounds() -> None:
    step = CochleaCqt(n_filters=6, f_min_hz=300.0, f_max_hz=6000.0, frame=200, hop=150)
    given = sound(np.random.default_rng(0).uniform(-1, 1, 1000))
    waves = step.filtered(given)
    np.testing.assert_allclose(
        waves, filtered(given.samples, kernels(16000.0, step.centres_hz(16000.0), 5 / np.log2(20))), atol=1e-6
    )
    rows = step(given).values
    assert rows.shape == (7, 6)
    for m in range(7):
        energy = (waves[:, m * 150 : m * 150 + 200].astype(np.float64) ** 2).sum(axis=1)
        np.testing.assert_allclose(rows[m], np.log(energy), rtol=1e-4, atol=1e-5)


def test_silence_and_short_sounds() -> None:
    np.testing.assert_allclose(CochleaCqt()(sound(np.zeros(600))).values, np.full((2, 20), np.log(1e-10)), rtol=1e-6)
    assert CochleaCqt()(sound([])).values.shape == (0, 20)
    assert CochleaCqt()(sound([0.5])).values.shape == (1, 20)


def test_the_form_is_told_before() -> None:
    assert CochleaCqt().form_after(WaveformForm(16000.0, 1, 16000)) == SeriesForm(20, 62.5, 62)
    assert len(CochleaCqt()(sound(np.ones(16000))).values) == 62


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match=r"from 200 to 8000 Hz; .* at most 4000 Hz for sound at 8000 Hz.* resample"):
        CochleaCqt().form_after(WaveformForm(8000.0))
    with pytest.raises(RecipeError, match=r"not sound at 16000 Hz, 2 channels; state mono before it"):
        CochleaCqt().form_after(WaveformForm(16000.0, n_channels=2))
    with pytest.raises(RecipeError, match=r"4096 filters from 200 to 201 Hz take \d+ numbers, more than"):
        CochleaCqt(n_filters=4096, f_max_hz=201.0).form_after(WaveformForm(16000.0))
    with pytest.raises(RecipeError, match=r"hop is 600; expected 1 to 512"):
        CochleaCqt(hop=600)
    with pytest.raises(EncodingError, match=r"not a number"):
        CochleaCqt()(sound([0, np.nan]))
    with pytest.raises(EncodingError, match=r"not a number"):
        CochleaCqt().filtered(sound([0, np.inf]))
