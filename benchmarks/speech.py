"""Short words to try encodings of sound on: recordings of a folder, or sounds made like words.

A folder of the Free Spoken Digit Dataset holds {digit}_{speaker}_{take}.wav. Made words are vowels that glide into each
other: harmonics of a voice under two formants, with noise; they are easier than speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodata
from neurodata.signals import Waveform

MADE_HZ = 16_000
# First and second formants of vowels, Hz; as everybody's tables have them, about.
VOWELS = {"i": (270, 2290), "e": (530, 1840), "a": (730, 1090), "o": (570, 840), "u": (300, 870)}
WORDS = ("ia", "ai", "uo", "ou", "ea", "ae", "iu", "ui", "oe", "eo")


@dataclass(frozen=True, slots=True)
class Word:
    """One utterance: its sound, which word it is, and who says it."""

    sound: Waveform
    label: int
    speaker: str


def recorded(folder: Path, n: int) -> list[Word]:
    """About n of the recordings in the folder, of all digits and speakers alike."""
    paths = sorted(folder.glob("*_*_*.wav"), key=lambda path: (int(path.stem.split("_")[2]), path.name))[:n]
    if not paths:
        raise SystemExit(f"{folder}: no recordings named digit_speaker_take.wav, as in the Free Spoken Digit Dataset")
    words = []
    for path in paths:
        digit, speaker, _ = path.stem.split("_")
        sound = neurodata.read(path)
        assert isinstance(sound, Waveform), path
        words.append(Word(sound, int(digit), speaker))
    return words


def made(n: int) -> list[Word]:
    """N words of four voices, in turn."""
    voices = {"low": (100.0, 0.92), "mid": (140.0, 1.0), "high": (200.0, 1.1), "child": (260.0, 1.2)}
    rng = np.random.default_rng(0)
    names = list(voices)
    return [Word(_say(WORDS[k % 10], *voices[names[k // 10 % 4]], rng), k % 10, names[k // 10 % 4]) for k in range(n)]


def _say(word: str, pitch_hz: float, scale: float, rng: np.random.Generator) -> Waveform:
    n = int(MADE_HZ * rng.uniform(0.35, 0.6))
    glide = 1 / (1 + np.exp(-12 * (np.linspace(0, 1, n) - rng.uniform(0.4, 0.6))))  # from one vowel to the next
    first, second = (
        scale * rng.normal(1, 0.04) * ((1 - glide) * VOWELS[word[0]][k] + glide * VOWELS[word[1]][k]) for k in (0, 1)
    )
    pitch = pitch_hz * rng.normal(1, 0.08) * (1 + 0.1 * np.sin(np.linspace(0, 3, n) + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / MADE_HZ
    voice = np.zeros(n)
    for k in range(1, int(6000 / pitch_hz)):
        loud: NDArray[np.float64] = sum(
            (np.exp(-(((k * pitch - hz) / (0.12 * hz + 60)) ** 2)) for hz in (first, second)), np.zeros(n)
        )
        voice += (loud + 0.02 / k) * np.sin(k * phase)
    voice *= np.sin(np.linspace(0, np.pi, n)) ** 0.5
    voice = 0.2 * voice / np.abs(voice).max() * rng.uniform(0.3, 1) + 2e-3 * rng.normal(size=n)
    return Waveform(voice.astype(np.float32), float(MADE_HZ))
