"""Made-up words for twins of spoken datasets: tracks in pitch over time, as sound or as spikes of a cochlea.

A word is three bands of energy that wander between knots, as the formants of speech do. Who says it shifts and
stretches it a little; no two utterances are the same. Classes can be told apart by where the energy is, when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORDS_SEED = 20_190_817
N_BANDS, N_KNOTS = 3, 4
LOWEST_HZ, OCTAVES = 180.0, 4.2  # up to 3.3 kHz, below half the rate of telephone speech
LOUDNESS = (1.0, 0.7, 0.5)


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker: shift of all bands, as a part of the whole range, and seconds of a usual word."""

    shift: float
    word_s: float

    @classmethod
    def of(cls, speaker: int) -> Voice:
        """The voice of a speaker, the same in all twins."""
        rng = np.random.default_rng([WORDS_SEED, 1, speaker])
        return cls(rng.uniform(-0.03, 0.03), rng.uniform(0.4, 0.65))


def knots(word: int) -> NDArray[np.float64]:
    """Where the bands of a word are, from 0 (low) to 1 (high), at equally spaced times: [N_BANDS, N_KNOTS]."""
    return np.random.default_rng([WORDS_SEED, 0, word]).uniform(0.08, 0.92, (N_BANDS, N_KNOTS))


def bands(word: int, voice: Voice, rng: np.random.Generator, when: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bands of one utterance at times from 0 (begin) to 1 (end): [N_BANDS, n]."""
    said = knots(word) + voice.shift + rng.normal(0, 0.015, (N_BANDS, N_KNOTS))
    places = np.linspace(0, 1, N_KNOTS)
    return np.array([np.interp(when, places, band) for band in said]).clip(0, 1)


def sound(word: int, voice: Voice, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """One utterance: samples [n] from -1 to 1, with a little noise."""
    n = round(voice.word_s * rng.uniform(0.9, 1.1) * rate_hz)
    when = np.arange(n) / n
    pitch_hz = LOWEST_HZ * 2 ** (OCTAVES * bands(word, voice, rng, when))  # [N_BANDS, n]
    tones = np.sin(2 * np.pi * np.cumsum(pitch_hz, axis=1) / rate_hz + rng.uniform(0, 2 * np.pi, (N_BANDS, 1)))
    envelope = np.sin(np.pi * when) ** 0.5
    samples = np.array(LOUDNESS) @ tones / sum(LOUDNESS) * envelope * rng.uniform(0.3, 0.9)
    noisy: NDArray[np.float64] = samples + rng.normal(0, 0.004, n)
    return noisy.clip(-1, 1)


def spikes(
    word: int, voice: Voice, n_channels: int, n_spikes: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """One utterance: seconds, non-decreasing, and channels [n] of its spikes, about `n_spikes` of them."""
    n = int(rng.poisson(n_spikes))
    when = np.sort(rng.beta(1.3, 1.3, n))
    band = rng.choice(N_BANDS, n, p=np.array(LOUDNESS) / sum(LOUDNESS))
    centre = bands(word, voice, rng, when)[band, np.arange(n)]
    place = np.where(rng.random(n) < 0.1, rng.random(n), centre + rng.normal(0, 0.02, n))
    duration_s = voice.word_s * rng.uniform(0.9, 1.1)
    channels = (place * n_channels).clip(0, n_channels - 1).astype(np.uint16)
    return when * duration_s, channels
