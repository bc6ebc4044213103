"""Multi-tone phase coding: where a sound comes from, by which tone reaches which ear how much earlier.

Z. Pan, M. Zhang, J. Wu, H. Li, "Multi-tones' phase coding (MTPC) of interaural time difference by spiking neural
networks", arXiv:2007.03274, 2020; the coincidence neurons are those of L. A. Jeffress, "A place theory of sound
localization", J. Comp. Physiol. Psychol. 41, 1948. The paper's formulas were not at hand: that a tone fires at the
positive peak of each cycle, t = (phase + 2 pi n) / (2 pi f), that neurons (tone, delay) fire when both ears' spikes
coincide after the delay, and 40 tones by 51 delays are from memory of it. Decided here: the filters (`_cqt.py`), which
peaks are loud enough, the range of tones, and the tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._cqt import each_filtered, require_bank
from neurodata.encodings._sound import finite_samples, require_channels
from neurodata.encodings.cochlea_cqt import wavelets
from neurodata.errors import EncodingError
from neurodata.forms import Form
from neurodata.kernel import kernel
from neurodata.signals import Waveform
from neurodata.steps import ArraySpec, Kinds, SignalEncoding, Tally, check_memory, check_range, check_whole

SOUND_M_PER_S = 343.0  # in air of 20 degrees
# A peak that fewer samples describe is not told to a fraction of one.
SAMPLES_A_CYCLE = 3
BYTES_A_SAMPLE = 128  # while one tone of both channels is worked out


@dataclass(frozen=True, slots=True)
class Mtpc(SignalEncoding):
    """Coincidences of spikes of two microphones, for each tone and each delay between them: uint32 [tones, delays].

    The sound of channel 0 (left) and of channel 1 (right) is filtered into n_tones tones from f_min_hz to f_max_hz,
    evenly apart in octaves. Each tone fires at the positive peak of each of its cycles, told to a fraction of a sample.
    Neuron (k, j) counts the pairs of spikes of tone k for which |t_left - t_right - delay_j| < tolerance_us. Delays are
    evenly apart from -distance_m / 343 m/s to distance_m / 343 m/s: positive where the sound comes from the right.
    A tone whose cycle is short answers at several delays; only the true one is common to all tones (`azimuth_deg`).

    Parameters
    ----------
    n_tones, n_delays
        Rows and columns; an odd number of delays has one that is 0.
    f_min_hz, f_max_hz
        Lowest and highest tone; the latter at most a third of the sound's rate.
    distance_m
        From one microphone to the other.
    tolerance_us
        Half of a coincidence's window; None: three quarters of the distance of two delays.
    threshold
        Peaks lower than this part of the highest of their tone and channel do not fire.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or the sound has not two channels, or too low a rate for its tones.
    EncodingError
        When called: a sample is not a number, or the sound is hours long.
    """

    n_tones: int = 40
    n_delays: int = 51
    f_min_hz: float = 200.0
    f_max_hz: float = 4000.0
    distance_m: float = 0.2
    tolerance_us: float | None = None
    threshold: float = 0.05

    takes: ClassVar[Kinds] = Waveform
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_tones": 5, "n_delays": 9, "tolerance_us": 40.0})

    def __post_init__(self) -> None:
        check_whole("mtpc", "n_tones", self.n_tones, 2, 1000)
        check_whole("mtpc", "n_delays", self.n_delays, 3, 10_001)
        check_range("mtpc", "f_min_hz", self.f_min_hz, 1)
        check_range("mtpc", "f_max_hz", self.f_max_hz, self.f_min_hz + 1, 1e7)
        check_range("mtpc", "distance_m", self.distance_m, 1e-4, 100)
        if self.tolerance_us is not None:
            check_range("mtpc", "tolerance_us", self.tolerance_us, 1e-3, 1e6)
        check_range("mtpc", "threshold", self.threshold, 0, 1)

    def delays_us(self) -> NDArray[np.float64]:
        """Delay of each column, t_left - t_right, float64 [n_delays]."""
        most_us = self.distance_m / SOUND_M_PER_S * 1e6
        return np.linspace(-most_us, most_us, self.n_delays)

    def spec(self, form: Form) -> ArraySpec:
        """[tones, delays] counts."""
        found = require_channels("mtpc", form, 2, "the delay between two microphones is what it tells")
        highest = found.rate_hz / SAMPLES_A_CYCLE
        require_bank("mtpc", found.rate_hz, self.n_tones, self.f_min_hz, self.f_max_hz, highest)
        return ArraySpec((self.n_tones, self.n_delays), np.dtype(np.uint32), ("tone", "delay"))

    def encode(self, signal: Waveform, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Count the coincidences over zeros [tones, delays]."""
        samples = finite_samples("mtpc", signal)
        check_memory(f"mtpc: {signal!r} takes", len(samples) * BYTES_A_SAMPLE, "cut the sound into shorter ones")
        filters = wavelets(signal.rate_hz, self.n_tones, self.f_min_hz, self.f_max_hz)
        delays_us = self.delays_us()
        tolerance_us = 0.75 * (delays_us[1] - delays_us[0]) if self.tolerance_us is None else self.tolerance_us
        ears = (each_filtered(np.ascontiguousarray(samples[:, ear]), filters) for ear in (0, 1))
        for row, tones in zip(out, zip(*ears, strict=True), strict=True):
            left_us, right_us = (peak_times(tone, self.threshold) * (1e6 / signal.rate_hz) for tone in tones)
            coincidences(left_us, right_us, delays_us, tolerance_us, row)


def peak_times(tone: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Where a tone [n] has its positive peaks, in samples, to a fraction by the parabola through three of them.

    Peaks lower than `threshold` times the highest are left out.
    """
    before, here, after = tone[:-2], tone[1:-1], tone[2:]
    lowest = threshold * max(0.0, float(tone.max(initial=0.0)))
    at = np.flatnonzero((before < here) & (here >= after) & (here > 0) & (here >= lowest))
    curvature = 2 * here[at] - before[at] - after[at]  # > 0
    times: NDArray[np.float64] = at + 1 + (after[at] - before[at]) / (2 * curvature)
    return times


@kernel
def coincidences(
    left_us: NDArray[np.float64],
    right_us: NDArray[np.float64],
    delays_us: NDArray[np.float64],
    tolerance_us: float,
    counts: NDArray[np.uint32],
) -> None:
    """Add to counts [delays] the pairs of times, both in order, that are the delay apart, less than the tolerance."""
    first = 0
    n = len(delays_us)
    spacing = (delays_us[n - 1] - delays_us[0]) / (n - 1)
    for t in left_us:
        while first < len(right_us) and t - right_us[first] >= delays_us[n - 1] + tolerance_us:
            first += 1
        for i in range(first, len(right_us)):
            apart = t - right_us[i]
            if apart <= delays_us[0] - tolerance_us:
                break
            start = int((apart - tolerance_us - delays_us[0]) / spacing) - 1
            for j in range(max(start, 0), n):
                if delays_us[j] - apart >= tolerance_us:
                    break
                if apart - delays_us[j] < tolerance_us:
                    counts[j] += 1


def reference(
    left_us: NDArray[np.float64], right_us: NDArray[np.float64], delays_us: NDArray[np.float64], tolerance_us: float
) -> NDArray[np.int64]:
    """The definition: [delays] pairs of all."""
    apart = (left_us[:, np.newaxis] - right_us).ravel()  # [pairs]
    met: NDArray[np.int64] = (np.abs(apart - delays_us[:, np.newaxis]) < tolerance_us).sum(axis=1)
    return met


def azimuth_deg(counts: NDArray[np.integer], distance_m: float = 0.2) -> float:
    """Where the sound comes from, in degrees from straight ahead, positive to the right: asin(delay * 343 / distance).

    The delay is that of the peak of what all tones tell together, to a fraction of a column: the centre of the
    columns about the highest that lie above half of it. Rows are weighed by how often they fire.

    Parameters
    ----------
    counts
        [tones, delays] of `Mtpc`, its delays evenly from -distance / 343 to distance / 343.
    distance_m
        From one microphone to the other; the step's.

    Raises
    ------
    EncodingError
        When there are no coincidences, or fewer than 3 delays.
    """
    if counts.ndim != 2 or counts.shape[1] < 3 or not counts.any():
        raise EncodingError(
            f"azimuth_deg: coincidences of shape {counts.shape}, {int(counts.sum())} in number; expected [tones, "
            "delays] with at least 3 delays and one coincidence"
        )
    total = counts.sum(axis=0, dtype=np.float64)  # [delays]
    top = int(total.argmax())
    above = total > total[top] / 2
    start = top - int((~above[top::-1]).argmax() or top + 1) + 1
    stop = top + int((~above[top:]).argmax() or len(total) - top)
    columns = np.arange(start, stop)
    centre = np.average(columns, weights=total[start:stop] - total[top] / 2)
    sine = 2 * centre / (len(total) - 1) - 1
    return float(np.degrees(np.arcsin(np.clip(sine, -1, 1))))


STEP = Mtpc
