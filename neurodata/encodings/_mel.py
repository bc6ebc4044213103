"""Spectrograms and mel filters: pure functions of arrays.

As torchaudio documents them (`Spectrogram`, `MelScale`, `AmplitudeToDB`), which are librosa's but for defaults. The HTK
scale is 2595 log10(1 + f / 700) (Young et al., "The HTK book"); Slaney's is linear to 1000 Hz, 200/3 Hz a mel, then
27 mels for each factor of 6.4 (Slaney, "Auditory toolbox", technical report 1998-010, Interval Research, 1998).
"""

from __future__ import annotations

from functools import lru_cache
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurodata.kernel import kernel

Scale = Literal["htk", "slaney"]
Norm = Literal["none", "slaney"]
Padding = Literal["reflect", "zeros", "none"]
Floats = NDArray[np.float64]

_HZ_PER_MEL = 200 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = log(6.4) / 27
BLOCK_VALUES = 2**20  # of frames that are transformed at once


def mel_of_hz(hz: Floats, scale: Scale) -> Floats:
    """Mels of frequencies of 0 Hz or more."""
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, _KNEE_MEL + np.log(np.maximum(hz, 1) / _KNEE_HZ) / _LOG_STEP)


def hz_of_mel(mel: Floats, scale: Scale) -> Floats:
    """Frequencies in Hz of mels of 0 or more."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL)))


@lru_cache(maxsize=16)
def mel_filters(
    n_fft: int, rate_hz: float, n_mels: int, f_min_hz: float, f_max_hz: float, scale: Scale, norm: Norm
) -> Floats:
    """Triangles between n_mels + 2 points that are evenly apart in mels: float64 [n_fft // 2 + 1, n_mels].

    Row k weighs the frequency k * rate_hz / n_fft. A filter rises from the centre of the one below to its own and falls
    to that of the one above; it is all zeros ("dead") where no frequency lies inside. With norm "slaney" it is divided
    by half its width in Hz.
    """
    bins = np.arange(n_fft // 2 + 1) * (rate_hz / n_fft)
    lowest, highest = mel_of_hz(np.array([f_min_hz, f_max_hz]), scale)
    points = hz_of_mel(np.linspace(lowest, highest, n_mels + 2), scale)
    low, centre, high = points[:-2], points[1:-1], points[2:]
    rise = (bins[:, None] - low) / (centre - low)
    fall = (high - bins[:, None]) / (high - centre)
    weights: Floats = np.maximum(0, np.minimum(rise, fall))
    if norm == "slaney":
        weights *= 2 / (high - low)
    weights.flags.writeable = False
    return weights


def n_frames(n_samples: int, n_fft: int, hop: int, padding: Padding) -> int:
    """Frames of n_fft samples, hop apart, that lie inside the sound with n_fft // 2 samples at each end of padding."""
    n_padded = n_samples + (0 if padding == "none" else n_fft // 2 * 2)
    return max(0, 1 + (n_padded - n_fft) // hop)


@lru_cache(maxsize=16)
def window_of(n_fft: int, window_length: int) -> Floats:
    """The periodic Hann window in the middle of n_fft samples, zeros about it: float64 [n_fft]."""
    window = np.zeros(n_fft)
    first = (n_fft - window_length) // 2
    window[first : first + window_length] = np.sin(np.pi * np.arange(window_length) / window_length) ** 2
    window.flags.writeable = False
    return window


def mel_energies(samples: Floats, filters: Floats, window: Floats, hop: int, power: float, padding: Padding) -> Floats:
    """|spectrum|^power of each frame through the filters: float64 [n_frames, n_mels].

    Parameters
    ----------
    samples
        [n]; more than n_fft // 2 for reflection, at least 1 for zeros.
    filters
        [n_fft // 2 + 1, n_mels]
    window
        [n_fft]
    hop
        Samples from one frame to the next.
    power
        2: energy, 1: magnitude.
    padding
        "reflect" and "zeros": frame m is centred on sample m * hop. "none": it begins there.
    """
    n_fft = len(window)
    n = n_frames(len(samples), n_fft, hop, padding)
    energies = np.zeros((n, filters.shape[1]))  # [n_frames, n_mels]
    if n == 0:
        return energies
    if padding != "none":
        samples = np.pad(samples, n_fft // 2, mode="reflect" if padding == "reflect" else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop]  # [n_frames, n_fft]
    spans = spans_of(filters)
    block = max(1, BLOCK_VALUES // n_fft)
    for first in range(0, n, block):
        spectrum = np.abs(np.fft.rfft(frames[first : min(first + block, n)] * window, axis=1))
        apply_filters(spectrum**power, filters, spans, energies[first : first + block])
    return energies


@kernel
def apply_filters(spectrum: Floats, filters: Floats, spans: NDArray[np.int64], energies: Floats) -> None:
    """Write spectrum [n, frequencies] times filters [frequencies, n_mels] over `energies` [n, n_mels].

    Unlike a product of matrices, it passes over the zeros, needs no threads of its own beside those that prepare, and
    adds up in the same order on every machine.
    """
    for i in range(len(spans)):
        for m in range(len(spectrum)):
            total = 0.0
            for k in range(spans[i, 0], spans[i, 1]):
                total += spectrum[m, k] * filters[k, i]
            energies[m, i] = total


def spans_of(filters: Floats) -> NDArray[np.int64]:
    """The first frequency of each filter and one past its last, int64 [n_mels, 2]; both 0 where it is dead."""
    holds = filters > 0
    stop = np.where(holds.any(axis=0), len(filters) - holds[::-1].argmax(axis=0), 0)
    return np.stack([holds.argmax(axis=0), stop], axis=1).astype(np.int64)


def reference(spectrum: Floats, filters: Floats) -> Floats:
    """The product of the two matrices, [n, n_mels]."""
    product: Floats = spectrum @ filters
    return product
