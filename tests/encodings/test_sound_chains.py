"""Steps on sound one after the other, as recipes have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata.encodings.cochlea_cqt import CochleaCqt
from neurodata.encodings.log_mel import GSC, LogMel
from neurodata.encodings.population_latency import PopulationLatency
from neurodata.encodings.population_threshold import PopulationThreshold
from neurodata.encodings.speech2spikes import Speech2Spikes
from neurodata.encodings.spike_raster import SpikeRaster
from neurodata.errors import RecipeError
from neurodata.forms import WaveformForm
from neurodata.recipe import form_after
from neurodata.signals import Waveform
from neurodata.transforms.fit_length import FitLength
from neurodata.transforms.mono import Mono
from neurodata.transforms.normalize_loudness import NormalizeLoudness
from neurodata.transforms.resample import Resample

SPIKES = {
    "threshold": [CochleaCqt(f_max_hz=3600.0), PopulationThreshold()],
    "latency": [LogMel(n_mels=20, n_fft=256), PopulationLatency(n_fields=6)],
    "delta": [Speech2Spikes()],
}


@pytest.mark.parametrize("chain", SPIKES.values(), ids=SPIKES)
def test_spoken_digits_become_rasters_of_the_shape_that_is_told_before(chain: list, recordings: Path) -> None:
    before = [Mono(), NormalizeLoudness(), FitLength(8000)]
    sensor = form_after([*before, *chain], WaveformForm(8000.0))
    spec = SpikeRaster(bin_us=10_000, T=110).spec(sensor)
    rasters = []
    for path in sorted((recordings / "fsdd" / "recordings").glob("*_george_0.wav"))[:4]:
        signal = neurodata.read(path)
        for step in [*before, *chain]:
            signal = step(signal)
        rasters.append(SpikeRaster(bin_us=10_000, T=110)(signal))
    assert len(rasters) == 4
    assert all(raster.shape == spec.shape and raster.any() for raster in rasters)
    assert not np.array_equal(rasters[0], rasters[1])


def test_the_recipe_of_speech_commands_has_its_shape_before_anything_is_read() -> None:
    steps = [FitLength(16000), Resample(8000), LogMel(**GSC)]
    form = form_after(steps, WaveformForm(16000.0))
    assert (form.n_steps, form.n_channels, form.rate_hz) == (101, 140, 100)  # type: ignore[union-attr]


@pytest.mark.parametrize("step", [LogMel(n_mels=10), Speech2Spikes(), CochleaCqt()])
def test_stereo_needs_mono_and_says_so(step: LogMel | CochleaCqt) -> None:
    stereo = Waveform(np.zeros((4000, 2), np.float32), 16000.0)
    with pytest.raises(RecipeError, match=r"state mono before it"):
        step(stereo)
    assert step(Mono()(stereo)) is not None
