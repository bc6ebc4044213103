from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodata.encodings import _threshold_code
from neurodata.encodings.bae import Bae, decode, fine_structure, passed
from neurodata.encodings.population_threshold import PopulationThreshold
from neurodata.errors import EncodingError, RecipeError
from neurodata.signals import Sensor, Series, Waveform

RATE_HZ = 16_000.0


def syllables(seed: int = 0, n: int = 16_000) -> Waveform:
    """Harmonics of a gliding voice under three formants, in bursts, over faint noise."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(n) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * times_s)) / RATE_HZ
    voice = np.zeros(n)
    for k in range(1, 30):
        formants = sum(np.exp(-(((120 * k - hz) / 150) ** 2)) for hz in (500, 1500, 2500))
        voice += (formants + 0.02) * np.sin(k * phase)
    bursts = np.clip(np.sin(2 * np.pi * 3 * times_s), 0, None)
    return Waveform((0.1 * voice * bursts + 1e-3 * rng.normal(size=n)).astype(np.float32), RATE_HZ)


def snr_db(sound: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10((sound**2).sum() / ((sound - other) ** 2).sum()))


def test_a_sound_becomes_the_620_neurons_of_spike_tidigits() -> None:
    events = Bae()(syllables())
    assert events.sensor == Sensor(620, 1, 1)
    assert 300 < len(events) < 20_000
    assert events.start_us >= 0
    assert events.stop_us <= 1_000_000


def test_levels_are_those_of_a_tone_in_its_band() -> None:
    times_s = np.arange(16_000) / RATE_HZ
    step = Bae()
    k = 9
    tone = Waveform((0.1 * np.sin(2 * np.pi * step.centres_hz()[k] * times_s)).astype(np.float32), RATE_HZ)
    levels_db = step.levels_db(tone)
    assert levels_db.shape == (62, 20)
    np.testing.assert_allclose(levels_db[5:-5, k], 96 - 20, atol=0.3)
    assert levels_db[20].argmax() == k
    # Hann windows fall to less than half at the next centre but one, and to a fiftieth at the third.
    assert (levels_db[20, [k - 2, k + 2]] < 96 - 20 - 6).all()
    assert (levels_db[20, [k - 3, k + 3]] < 96 - 20 - 30).all()


def test_without_masking_it_is_the_threshold_code_of_its_levels() -> None:
    step, sound = Bae(masking="none"), syllables()
    rows = Series(step.levels_db(sound).astype(np.float32), step.rows_hz(RATE_HZ))
    expected = PopulationThreshold()(rows)
    found = step(sound)
    assert len(found) == len(expected)
    np.testing.assert_array_equal(np.bincount(found.x, minlength=620), np.bincount(expected.x, minlength=620))
    np.testing.assert_allclose(found.t, expected.t, atol=5)  # levels were rounded to float32


@pytest.mark.parametrize("masking", ["simultaneous", "temporal", "both"])
def test_masking_takes_spikes_away_and_adds_none(masking: str) -> None:
    sound = syllables()
    every = spikes_of(Bae(masking="none"), sound)
    assert spikes_of(Bae(masking=masking, decay=0.9), sound) < every  # type: ignore[arg-type]


def spikes_of(step: Bae, sound: Waveform) -> set[tuple[int, int]]:
    events = step(sound)
    return set(zip(events.t.tolist(), events.x.tolist(), strict=True))


def test_both_maskings_leave_what_each_leaves() -> None:
    sound = syllables()
    left = {}
    for masking in ("simultaneous", "temporal", "both"):
        left[masking] = spikes_of(Bae(masking=masking, decay=0.8), sound)  # type: ignore[arg-type]
    assert left["both"] == left["simultaneous"] & left["temporal"]


def test_a_faint_tone_beside_a_loud_one_is_not_told() -> None:
    step = Bae(masking="simultaneous")
    times_s = np.arange(16_000) / RATE_HZ
    low, high = step.centres_hz()[10], step.centres_hz()[14]
    swell = 0.5 + 0.3 * np.sin(2 * np.pi * 4 * times_s)
    loud, faint = swell * np.sin(2 * np.pi * low * times_s), 3e-3 * swell * np.sin(2 * np.pi * high * times_s)
    alone = step(Waveform(faint.astype(np.float32), RATE_HZ))
    beside = step(Waveform((loud + faint).astype(np.float32), RATE_HZ))
    in_band = [np.count_nonzero(events.x // 31 == 14) for events in (alone, beside)]
    assert in_band[0] > 30
    assert in_band[1] < 0.2 * in_band[0]


def test_time_counts_in_hops() -> None:
    samples = np.zeros(16_000, np.float32)
    samples[8080] = 0.5
    events = Bae(masking="none", frame_us=10_000, hop_us=10_000)(Waveform(samples, RATE_HZ))
    peaks = events.t[events.x % 31 == 30]
    assert np.median(peaks) == 500_000


def test_a_sound_is_rebuilt_from_spikes_and_its_fine_structure() -> None:
    """What is lost: the ripple of the filters' sum, and levels within a sixteenth of a band's range."""
    sound = syllables()
    for masking, n_levels, at_least_db in (("none", 15, 10.0), ("none", 63, 10.0), ("both", 15, 8.0)):
        step = Bae(masking=masking, n_levels=n_levels)  # type: ignore[arg-type]
        fine = fine_structure(sound, step)
        again = decode(step(sound), fine, step)
        assert again.samples.shape == sound.samples.shape
        assert snr_db(sound.samples, again.samples) > at_least_db


def test_levels_that_are_rebuilt_are_within_a_level_of_the_sounds() -> None:
    step, sound = Bae(masking="none"), syllables()
    levels_db = step.levels_db(sound)
    values = _threshold_code.decode(step(sound), step.rows_hz(RATE_HZ), 15, len(levels_db))
    assert np.abs(values - _threshold_code.normalised(levels_db)).max() <= 1 / 16 + 1e-3


def test_the_filters_together_pass_speech_evenly() -> None:
    assert passed(Bae(), RATE_HZ) == pytest.approx(2.05, abs=0.1)


def test_silence_and_no_sound_are_no_spikes() -> None:
    for n in (0, 1, 16_000):
        assert len(Bae()(Waveform(np.zeros(n, np.float32), RATE_HZ))) == 0


def test_bad_sounds_and_parameters_are_refused() -> None:
    with pytest.raises(RecipeError, match="bae takes sound of 1 channel"):
        Bae()(Waveform(np.zeros((9, 2), np.float32), RATE_HZ))
    with pytest.raises(RecipeError, match=r"bae: filters from 200 to 8000 Hz; .* at most 4000 Hz for sound at 8000 Hz"):
        Bae()(Waveform(np.zeros(9, np.float32), 8000.0))
    with pytest.raises(RecipeError, match="f_max_hz is 100; expected 201"):
        Bae(f_max_hz=100)
    with pytest.raises(RecipeError, match="hop_us is 32001; expected 1 to 32000"):
        Bae(hop_us=32_001)
    with pytest.raises(RecipeError, match="masking is 'no'"):
        Bae(masking="no")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="neurons; expected at most 65536"):
        Bae(n_filters=1000, n_levels=500)
    with pytest.raises(RecipeError, match="expected a sample or more"):
        Bae(hop_us=1)(Waveform(np.zeros(9, np.float32), RATE_HZ))
    with pytest.raises(RecipeError, match=r"1000 filters from 1 to 2 Hz take .* numbers"):
        Bae(f_min_hz=1, n_filters=1000, f_max_hz=2)(Waveform(np.zeros(9, np.float32), RATE_HZ))
    with pytest.raises(EncodingError, match="fewer bands or shorter frames"):
        Bae(frame_us=10**9)(Waveform(np.zeros(9, np.float32), 1e6))


def test_decoding_asks_for_what_belongs_together() -> None:
    sound = syllables(n=4000)
    step = Bae()
    with pytest.raises(EncodingError, match="expected 620 neurons of 20 bands"):
        decode(Bae(n_levels=3)(sound), fine_structure(sound, step), step)
    with pytest.raises(EncodingError, match="without samples"):
        fine_structure(Waveform(np.zeros(0, np.float32), RATE_HZ), step)


def test_real_speech_is_told_and_rebuilt(recordings: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples, rate_hz = soundfile.read(recordings / "fsdd/recordings/0_george_0.wav", dtype="float32")
    sound, step = Waveform(samples, float(rate_hz)), Bae(f_max_hz=3600.0)
    spikes = step(sound)
    assert 300 < len(spikes) < 1000
    assert snr_db(samples, decode(spikes, fine_structure(sound, step), step).samples) > 10
