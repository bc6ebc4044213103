"""Sound: what files of waveforms share.

Samples are float32 in [-1, 1]: whole numbers of b bits are divided by 2^(b-1), so that full scale is -1 to 1 - 2^(1-b).
Frame k (one sample of every channel) has the time k / rate_hz, counted from the file's start: start_us is inclusive,
stop_us exclusive. Samples of fractions that are no numbers become silence ("not finite"), and what lies beyond
[-1, 1] is cut to it, as players do ("clipped"); both are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.signals import Waveform

BLOCK_SAMPLES = 1 << 18  # converted at a time, near a core's second-level cache


@dataclass(frozen=True, slots=True)
class Sound:
    """What the header of a file tells; n_frames is None where it does not tell how many there are."""

    rate_hz: int
    n_channels: int
    n_frames: int | None
    subtype: str

    def described(self) -> dict[str, object]:
        """For `SignalFormat.describe`; n_samples counts those of one channel."""
        return {
            "rate_hz": self.rate_hz,
            "n_channels": self.n_channels,
            "n_samples": self.n_frames,
            "duration_s": None if self.n_frames is None else self.n_frames / self.rate_hz,
            "subtype": self.subtype,
        }


def frames_between(n_frames: int, rate_hz: int, start_us: int | None, stop_us: int | None) -> tuple[int, int]:
    """First frame with start_us <= k / rate_hz, and the first one with stop_us <= k / rate_hz; both 0 to n_frames."""
    first = 0 if start_us is None else min(max(0, _frame_at(start_us, rate_hz)), n_frames)
    last = n_frames if stop_us is None else min(_frame_at(stop_us, rate_hz), n_frames)
    return first, max(first, last)


def _frame_at(time_us: int, rate_hz: int) -> int:
    return -(-time_us * rate_hz // 1_000_000)


def put_right(samples: NDArray[np.float32], findings: Counter[str]) -> None:
    """Silence what is no finite number and cut what lies beyond [-1, 1], in place; count both."""
    is_number = np.isfinite(samples)
    if n_not := samples.size - int(np.count_nonzero(is_number)):
        findings["not finite"] += n_not
        samples[~is_number] = 0
    if n_beyond := int(np.count_nonzero(np.abs(samples) > 1)):
        findings["clipped"] += n_beyond
        np.clip(samples, -1, 1, out=samples)


def waveform(frames: NDArray[np.float32], rate_hz: int) -> Waveform:
    """The signal of frames [n, channels]; its samples are [n] for one channel."""
    return Waveform(frames[:, 0] if frames.shape[1] == 1 else frames, float(rate_hz))


def frames_to_write(signal: Waveform, path: Path, format: str, highest_rate_hz: int, most_channels: int) -> Sound:
    """The header for a signal.

    Raises
    ------
    FormatError
        When samples are not finite or leave [-1, 1], the rate is no whole number, or there are too many channels.
    """
    samples = signal.samples
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    if signal.rate_hz > highest_rate_hz or signal.rate_hz != int(signal.rate_hz):
        raise FormatError(
            f"{path}: rate_hz is {signal.rate_hz}; {format} holds whole numbers up to {highest_rate_hz}: resample it"
        )
    if not 1 <= n_channels <= most_channels:
        raise FormatError(f"{path}: {n_channels} channels; {format} holds 1 to {most_channels}")
    if samples.size and not (-1 <= samples.min() <= samples.max() <= 1):
        raise FormatError(
            f"{path}: samples reach from {samples.min()} to {samples.max()}; expected numbers in [-1, 1]: scale them"
        )
    return Sound(int(signal.rate_hz), n_channels, len(samples), "")


def holds(samples: NDArray[np.float32], bits: int) -> bool:
    """Whether whole numbers of so many bits (at most 24) hold all samples of [-1, 1] exactly."""
    for first in range(0, len(samples), BLOCK_SAMPLES):
        scaled = samples[first : first + BLOCK_SAMPLES] * np.float32(1 << bits - 1)
        if (scaled != np.rint(scaled)).any() or (scaled == 1 << bits - 1).any():
            return False
    return True
