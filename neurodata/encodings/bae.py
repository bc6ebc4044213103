"""Biologically plausible auditory encoding: a cochlea's bands, what they mask left out, told by level crossings.

Z. Pan, Y. Chua, J. Wu, M. Zhang, H. Li, E. Ambikairajah, "An efficient and perceptually motivated auditory neural
encoding and decoding algorithm for spiking neural networks", Frontiers in Neuroscience 13:1420, 2020
(arXiv:1909.01302). Its stages are known: constant-Q filters, log energy of frames, simultaneous masking as in MPEG-1,
forward masking that decays exponentially, and the threshold code of 31 neurons a band, 620 in all as in Spike-TIDIGITS.
Its text and code were not at hand. From third parties' rewrites: 20 filters from 200 to 8000 Hz, frames of 32 ms every
16 ms. From memory of it, unverified: the decay of 0.4. From MPEG-1: the masking and 96 dB for full scale. Decided here:
what `_cqt`, `_masking` and `_threshold_code` say is, and that a crossing is masked when its band's nearest frame is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings import _threshold_code
from neurodata.encodings._cqt import Wave, centre_frequencies, each_filtered, energies, n_frames, require_bank
from neurodata.encodings._masking import forward_db, simultaneous_db
from neurodata.encodings._sound import finite_samples, require_channels
from neurodata.encodings._threshold_code import at_rows, crossings, neurons_per_channel, normalised, peaks
from neurodata.encodings.cochlea_cqt import wavelets
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Form, Sensor
from neurodata.signals import EventArray, Waveform
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_memory, check_range, check_whole

Masking = Literal["both", "simultaneous", "temporal", "none"]
BYTES_A_SAMPLE = 128  # while one band is worked out
BYTES_A_LEVEL = 256  # of one band in one frame


@dataclass(frozen=True, slots=True)
class Bae(SignalTransform):
    """Spikes of n_filters * (2 n_levels + 1) neurons for sound of one channel: events on a sensor of one row.

    Each band's level in dB, frame by frame, is brought to 0 (its least in this sound) to 1 (its most). A neuron fires
    where it crosses its level upwards, another where it crosses it downwards, and one at the band's peak: neuron
    band * (2 n_levels + 1) + k, where k counts the levels upwards, then downwards, each from the lowest, then the peak.
    Spikes of frames that are masked are left out. Frame m is at the time of its first sample, m * hop_us. It looks at
    the whole sound (the range of a band), and so is not causal.

    Parameters
    ----------
    n_filters
        Bands, evenly apart in octaves.
    f_min_hz, f_max_hz
        Centres of the lowest and of the highest; the latter at most half of the sound's rate.
    frame_us, hop_us
        Length of a frame, and from one frame to the next, to the nearest sample.
    n_levels
        Levels i / (n_levels + 1) of each band.
    masking
        What silences a frame of a band: louder bands in the same frame and the threshold in quiet ("simultaneous"),
        louder frames before ("temporal"), the larger of these ("both"), or nothing ("none").
    full_scale_db
        Level of a sine from -1 to 1, dB SPL; lower than 0 dB counts as 0.
    tonal_db
        A band that lies so much above its neighbours masks as a tone does, and not as noise.
    decay
        Of temporal masking, from frame to frame: of the level in dB.

    Raises
    ------
    RecipeError
        When a parameter is out of range, the sound has more than one channel, or its rate does not fit the bands.
    EncodingError
        When called: a sample is not a number, or the sound is hours long.
    """

    n_filters: int = 20
    f_min_hz: float = 200.0
    f_max_hz: float = 8000.0
    frame_us: int = 32_000
    hop_us: int = 16_000
    n_levels: int = 15
    masking: Masking = "both"
    full_scale_db: float = 96.0
    tonal_db: float = 7.0
    decay: float = 0.4

    takes: ClassVar[Kinds] = Waveform
    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"f_max_hz": 3600.0},
        {"f_max_hz": 2000.0, "n_filters": 6, "n_levels": 4, "masking": "none"},
    )

    def __post_init__(self) -> None:
        check_whole("bae", "n_filters", self.n_filters, 2, 1000)
        check_range("bae", "f_min_hz", self.f_min_hz, 1)
        check_range("bae", "f_max_hz", self.f_max_hz, self.f_min_hz + 1, 1e7)
        check_whole("bae", "frame_us", self.frame_us, 1, 10**9)
        check_whole("bae", "hop_us", self.hop_us, 1, self.frame_us)
        check_whole("bae", "n_levels", self.n_levels, 1, 1000)
        check_choice("bae", "masking", self.masking, get_args(Masking))
        check_range("bae", "full_scale_db", self.full_scale_db, 0, 300)
        check_range("bae", "tonal_db", self.tonal_db, 0)
        check_range("bae", "decay", self.decay, 0, 1)
        if self.n_neurons > 65536:
            raise RecipeError(f"bae: {self.n_neurons} neurons; expected at most 65536: fewer n_filters or n_levels")

    @property
    def n_neurons(self) -> int:
        """Neurons of all bands."""
        return self.n_filters * neurons_per_channel(self.n_levels)

    def centres_hz(self) -> NDArray[np.float64]:
        """Centre of each band, float64 [n_filters]."""
        return centre_frequencies(self.n_filters, self.f_min_hz, self.f_max_hz)

    def form_after(self, form: Form) -> Sensor:
        """n_neurons x 1 x 1."""
        found = require_channels("bae", form, 1, "state a step before it that takes one of them")
        require_bank("bae", found.rate_hz, self.n_filters, self.f_min_hz, self.f_max_hz, found.rate_hz / 2)
        self._frame_and_hop(found.rate_hz)
        return Sensor(self.n_neurons, 1, 1)

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The spikes; times count from the start of the sound."""
        sensor = self.form_after(signal.form)
        levels_db = self.levels_db(signal)
        if not levels_db.size:
            return EventArray.empty(sensor)
        values = normalised(levels_db)
        found = [crossings(values, self.n_levels), peaks(values, self.n_levels)]
        rows, neurons = (np.concatenate(columns) for columns in zip(*found, strict=True))
        masked = levels_db < self.threshold_db(levels_db)
        kept = ~masked[np.rint(rows).astype(np.int64), neurons // neurons_per_channel(self.n_levels)]
        return at_rows(rows[kept], neurons[kept], self.rows_hz(signal.rate_hz), sensor)

    def rows_hz(self, rate_hz: float) -> float:
        """Frames a second of sound at rate_hz."""
        return rate_hz / self._frame_and_hop(rate_hz)[1]

    def bands(self, sound: Waveform) -> list[NDArray[np.float64]]:
        """The sound through each filter: n_filters of float64 [n].

        Raises
        ------
        EncodingError
            When a sample is not a number, or the sound is hours long.
        """
        samples = finite_samples("bae", sound)
        frame, hop = self._frame_and_hop(sound.rate_hz)
        n_bytes = len(samples) * (BYTES_A_SAMPLE + 8 * self.n_filters) + frame * BYTES_A_SAMPLE
        n_bytes += BYTES_A_LEVEL * self.n_filters * n_frames(len(samples), frame, hop)
        check_memory(
            f"bae: {sound!r} takes", n_bytes, "cut the sound into shorter ones, or fewer bands or shorter frames"
        )
        return list(each_filtered(samples, self.wavelets(sound.rate_hz)))

    def wavelets(self, rate_hz: float) -> tuple[Wave, ...]:
        """The filters, from the lowest, for sound of this rate: see `_cqt.kernels`."""
        return wavelets(rate_hz, self.n_filters, self.f_min_hz, self.f_max_hz)

    def levels_db(self, sound: Waveform) -> NDArray[np.float64]:
        """Level of each frame of each band, dB SPL of at least 0, float64 [frames, n_filters]."""
        return self.levels_of(self.bands(sound), sound.rate_hz)

    def levels_of(self, bands: Sequence[NDArray[np.float64]], rate_hz: float) -> NDArray[np.float64]:
        """Level of each frame of bands at rate_hz, dB SPL of at least 0, float64 [frames, n_filters]."""
        frame, hop = self._frame_and_hop(rate_hz)
        power = np.stack([energies(band, frame, hop) for band in bands], axis=1) * (2 / frame)
        return np.maximum(self.full_scale_db + 10 * np.log10(np.maximum(power, 1e-99)), 0.0)

    def threshold_db(self, levels_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """Level under which each frame of each band is masked, float64 [frames, n_filters]."""
        threshold = np.zeros_like(levels_db)
        if self.masking in ("both", "simultaneous"):
            threshold = simultaneous_db(levels_db, self.centres_hz(), self.tonal_db)
        if self.masking in ("both", "temporal"):
            threshold = np.maximum(threshold, forward_db(levels_db, self.decay))
        return threshold

    def _frame_and_hop(self, rate_hz: float) -> tuple[int, int]:
        """In samples; RecipeError when a hop is less than one."""
        hop = round(self.hop_us * rate_hz / 1e6)
        if hop < 1:
            raise RecipeError(f"bae: hop_us is {self.hop_us}, for sound at {rate_hz:g} Hz; expected a sample or more")
        return max(hop, round(self.frame_us * rate_hz / 1e6)), hop


@dataclass(frozen=True, slots=True, eq=False)
class FineStructure:
    """What spikes do not tell of a sound: each band without its loudness, and the range of its levels.

    Parameters
    ----------
    carriers
        float32 [n_filters, n]: the bands divided by their level.
    least_db, most_db
        float64 [n_filters]: levels that stand for 0 and 1.
    rate_hz
        Samples a second.
    """

    carriers: NDArray[np.float32]
    least_db: NDArray[np.float64]
    most_db: NDArray[np.float64]
    rate_hz: float


def fine_structure(sound: Waveform, step: Bae) -> FineStructure:
    """The fine structure of a sound that is long enough to have a frame.

    Raises
    ------
    RecipeError
        When the step does not take such sound.
    EncodingError
        When it is empty, a sample is not a number, or it is hours long.
    """
    step.form_after(sound.form)
    if not len(sound.samples):
        raise EncodingError("bae: the fine structure of a sound without samples; expected at least one")
    bands = step.bands(sound)
    levels_db = step.levels_of(bands, sound.rate_hz)
    carriers = np.empty((len(bands), len(sound.samples)), np.float32)
    for k, band in enumerate(bands):
        carriers[k] = band / amplitudes(levels_db[:, k], len(band), sound.rate_hz, step)
    return FineStructure(carriers, levels_db.min(axis=0), levels_db.max(axis=0), sound.rate_hz)


def amplitudes(levels_db: NDArray[np.float64], n: int, rate_hz: float, step: Bae) -> NDArray[np.float64]:
    """Amplitude of a band at each of n samples, from its levels [frames] by straight lines between frames' middles."""
    frame, hop = step._frame_and_hop(rate_hz)
    middles = np.arange(len(levels_db)) * hop + (frame - 1) / 2
    found: NDArray[np.float64] = 10 ** ((np.interp(np.arange(n), middles, levels_db) - step.full_scale_db) / 20)
    return found


def decode(spikes: EventArray, fine: FineStructure, step: Bae) -> Waveform:
    """Sound from spikes and the fine structure of what they tell of.

    Levels are straight lines through the crossings that are left (`_threshold_code.decode`: without masking off by at
    most 1 / (n_levels + 1) of the band's range); bands are the carriers at these levels; their sum, divided by what the
    filters together pass on average between f_min_hz and f_max_hz, is the sound. A band without spikes stays at the
    least of its levels. Sound outside these frequencies is lost.

    Parameters
    ----------
    spikes
        Of `step`.
    fine
        Of `fine_structure` with the same step.

    Raises
    ------
    EncodingError
        When the spikes are on other neurons than the step's, or the fine structure is of other bands.
    """
    if spikes.sensor != Sensor(step.n_neurons, 1, 1) or len(fine.carriers) != step.n_filters:
        raise EncodingError(
            f"bae: spikes on {spikes.sensor} and {len(fine.carriers)} bands; expected {step.n_neurons} neurons of "
            f"{step.n_filters} bands, as the step has them"
        )
    n = fine.carriers.shape[1]
    n_rows = n_frames(n, *step._frame_and_hop(fine.rate_hz))
    values = _threshold_code.decode(spikes, step.rows_hz(fine.rate_hz), step.n_levels, n_rows)
    levels_db = fine.least_db + values * (fine.most_db - fine.least_db)
    sound = np.zeros(n)
    for carrier, of_band in zip(fine.carriers, levels_db.T, strict=True):
        sound += carrier * amplitudes(of_band, n, fine.rate_hz, step)
    return Waveform((sound / passed(step, fine.rate_hz)).astype(np.float32), fine.rate_hz)


def passed(step: Bae, rate_hz: float) -> float:
    """What the filters together pass, on average over octaves from f_min_hz to f_max_hz: about 2, as they overlap."""
    centres = step.centres_hz()
    tones_hz = np.geomspace(centres[0], centres[-1], 200)
    total = np.zeros(len(tones_hz))
    for wavelet in step.wavelets(rate_hz):
        at = np.arange(len(wavelet)) - len(wavelet) // 2
        total += np.cos(2 * np.pi / rate_hz * np.outer(tones_hz, at)) @ wavelet
    return float(total.mean())


STEP = Bae
