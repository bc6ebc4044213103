"""Sound at another rate, by a windowed sinc, as torchaudio's `Resample` does by default.

Band-limited interpolation: J. O. Smith, "Digital audio resampling home page", ccrma.stanford.edu, 2002. The numbers are
those that torchaudio documents (`torchaudio.functional.resample`, sinc_interp_hann), so that recipes made with it can
be made again; SciPy and soxr have other filters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import RecipeError
from neurodata.forms import WaveformForm
from neurodata.kernel import kernel
from neurodata.signals import Waveform
from neurodata.steps import Tally, check_memory, check_range, check_whole
from neurodata.transforms._sound import SoundTransform, require_numbers

MOST_TAPS = 2**24  # of all filters together: 128 MB


@dataclass(frozen=True, slots=True)
class Resample(SoundTransform):
    """Sound at rate_hz, ceil(n * rate_hz / rate) samples; sound that has this rate already stays as it is.

    Output j is at the time of sample j * rate / rate_hz: the sum of the samples about it times a sinc under a Hann
    window, cut off at `rolloff` of half the lower of the two rates; zeros are before and after the sound. It looks
    half_width periods of that frequency ahead.

    Parameters
    ----------
    rate_hz
        Samples a second of the result, a whole number as those of the sound have to be.
    half_width
        Zeros of the sinc on each side: more make a steeper filter.
    rolloff
        Where it is cut off, as a share of half the lower rate.

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called: the sound's rate is not a whole number, or the two rates have
        so little in common that the filters would take more than 2^24 numbers.
    EncodingError
        When called: a sample is not a number, or the result would take more than 4 GiB.
    """

    rate_hz: int
    half_width: int = 6
    rolloff: float = 0.99

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"rate_hz": 8000}, {"rate_hz": 11025, "half_width": 16})
    aliases: ClassVar[Mapping[str, str]] = {"new_freq": "rate_hz", "lowpass_filter_width": "half_width"}

    def __post_init__(self) -> None:
        check_whole("resample", "rate_hz", self.rate_hz, 1, 10**7)
        check_whole("resample", "half_width", self.half_width, 1, 1000)
        check_range("resample", "rolloff", self.rolloff, 0.1, 1)

    def form_after(self, form: WaveformForm) -> WaveformForm:
        """The same at this rate."""
        before, after = self._ratio(form.rate_hz)
        n_samples = None if form.n_samples is None else -(-form.n_samples * after // before)
        return WaveformForm(float(self.rate_hz), form.n_channels, n_samples)

    def _ratio(self, rate_hz: float) -> tuple[int, int]:
        """Samples before and after of the shortest time that is a whole number of both."""
        if not float(rate_hz).is_integer():
            raise RecipeError(f"resample: sound at {rate_hz} Hz; expected a whole number of samples a second")
        common = gcd(int(rate_hz), int(self.rate_hz))
        before, after = int(rate_hz) // common, int(self.rate_hz) // common
        n_taps = after * (2 * _reach(before, after, self.half_width, self.rolloff) + 1)
        if before != after and n_taps > MOST_TAPS:
            raise RecipeError(
                f"resample: from {rate_hz:g} to {self.rate_hz} Hz, {before} samples become {after}, by filters of "
                f"{n_taps} numbers, more than {MOST_TAPS}; choose a rate that has a larger divisor in common"
            )
        return before, after

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Waveform:
        """The sound at the other rate."""
        before, after = self._ratio(signal.rate_hz)
        require_numbers("resample", signal)
        if before == after:
            return signal
        n = -(-len(signal.samples) * after // before)
        n_channels = signal.form.n_channels
        check_memory(f"resample: {n} samples take", n * n_channels * 8, "a lower rate, or shorter sounds")
        taps = filters(before, after, self.half_width, self.rolloff)
        columns = np.ascontiguousarray(signal.samples.reshape(len(signal.samples), n_channels).T)  # [channels, n]
        resampled = np.zeros((n, n_channels), np.float32)  # [n, channels]
        for channel, samples in enumerate(columns):
            resample_channel(samples, taps, before, resampled[:, channel])
        return Waveform(resampled.reshape(n, *signal.samples.shape[1:]), float(self.rate_hz))


def _reach(before: int, after: int, half_width: int, rolloff: float) -> int:
    """Samples on each side that a filter reaches."""
    return ceil(half_width * before / (min(before, after) * rolloff))


@lru_cache(maxsize=8)
def filters(before: int, after: int, half_width: int, rolloff: float) -> NDArray[np.float64]:
    """Weights of the samples about each output of a period, [after, 2 reach + 1].

    Output j of the period is at the time of sample j * before / after; row j weighs the samples from `reach` before the
    whole part of that.
    """
    reach = _reach(before, after, half_width, rolloff)
    cutoff = min(before, after) * rolloff  # in zeros of the sinc a period
    part = np.arange(after) * before % after / after  # how far an output is behind its sample, in samples
    at = np.arange(-reach, reach + 1) - part[:, None]  # [after, taps], in samples
    zeros = np.clip(at * (cutoff / before), -half_width, half_width)
    taps: NDArray[np.float64] = np.sinc(zeros) * np.cos(zeros * (np.pi / 2 / half_width)) ** 2 * (cutoff / before)
    taps.flags.writeable = False
    return taps


@kernel
def resample_channel(
    samples: NDArray[np.float32], taps: NDArray[np.float64], before: int, resampled: NDArray[np.float32]
) -> None:
    """Write the sum of samples [n] times the taps of each output over `resampled`."""
    after, n_taps = taps.shape
    for j in range(len(resampled)):
        start = j * before // after - n_taps // 2
        phase = j % after
        total = 0.0
        for k in range(max(0, -start), min(n_taps, len(samples) - start)):
            total += taps[phase, k] * samples[start + k]
        resampled[j] = total


def reference(samples: NDArray[np.float32], step: Resample, rate_hz: float) -> NDArray[np.float64]:
    """The definition, with a weight of each sample for each output: samples [n] of this rate, float64 [n_outputs]."""
    n = ceil(len(samples) * step.rate_hz / rate_hz)
    cutoff_hz = min(step.rate_hz, rate_hz) * step.rolloff
    at = np.arange(n)[:, None] / step.rate_hz - np.arange(len(samples)) / rate_hz  # seconds [outputs, samples]
    zeros = np.clip(at * cutoff_hz, -step.half_width, step.half_width)
    weights = np.sinc(zeros) * np.cos(zeros * np.pi / 2 / step.half_width) ** 2 * cutoff_hz / rate_hz
    outputs: NDArray[np.float64] = weights @ samples
    return outputs


STEP = Resample
