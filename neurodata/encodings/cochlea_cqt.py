"""Constant-Q cochlea: the log energies of a sound behind filters that are evenly apart in octaves, frame by frame.

The first two stages of BAE: Pan et al., Frontiers in Neuroscience 13:1420, 2020 (arXiv:1909.01302); see `_cqt` for the
filters. The numbers of filters and frequencies are those known of BAE; its frames are not, and 512 samples 256 apart
(32 and 16 ms at 16 kHz) are those of a later rewrite of an earlier model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._cqt import (
    Wave,
    bins_per_octave,
    centre_frequencies,
    filtered,
    kernels,
    log_energies,
    n_frames,
    require_bank,
)
from neurodata.encodings._sound import finite_samples, require_channels
from neurodata.forms import Form, SeriesForm
from neurodata.signals import Series, Waveform
from neurodata.steps import Kinds, SignalTransform, Tally, check_memory, check_range, check_whole

LONGEST_FRAME = 2**20


@dataclass(frozen=True, slots=True)
class CochleaCqt(SignalTransform):
    """Log (ln) of the sum of squares of each frame behind each filter: [frames, n_filters], rate / hop rows a second.

    Row m begins at sample m * hop; every sample lies in a frame, zeros fill up the last. Filters look half their length
    ahead, 12 ms at 200 Hz.

    Parameters
    ----------
    n_filters
        Filters, evenly apart in octaves.
    f_min_hz, f_max_hz
        Centres of the lowest and the highest filter; f_max_hz is at most half the rate. None: half the rate.
    frame, hop
        Samples of a frame, and from one to the next; hop is at most frame.
    floor
        The smallest energy that is told from silence.

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called, and before: the sound has several channels, f_min_hz is not 1 Hz
        below f_max_hz, f_max_hz is above half the rate, or filters are so narrow that they take more than 2^24 numbers.
    EncodingError
        When called: a sample is not a number, or the result would take more than 4 GiB.
    """

    n_filters: int = 20
    f_min_hz: float = 200.0
    f_max_hz: float | None = 8000.0
    frame: int = 512
    hop: int = 256
    floor: float = 1e-10

    takes: ClassVar[Kinds] = Waveform
    gives: ClassVar[type] = Series
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_filters": 5, "f_max_hz": None, "frame": 100, "hop": 80})

    def __post_init__(self) -> None:
        check_whole("cochlea_cqt", "n_filters", self.n_filters, 2, 4096)
        check_range("cochlea_cqt", "f_min_hz", self.f_min_hz, 1, 1e7)
        if self.f_max_hz is not None:
            check_range("cochlea_cqt", "f_max_hz", self.f_max_hz, 1, 1e7)
        check_whole("cochlea_cqt", "frame", self.frame, 1, LONGEST_FRAME)
        check_whole("cochlea_cqt", "hop", self.hop, 1, self.frame)
        check_range("cochlea_cqt", "floor", self.floor, 1e-30, 1e30)

    def form_after(self, form: Form) -> SeriesForm:
        """Rows of n_filters values, rate / hop a second."""
        form = require_channels("cochlea_cqt", form, 1, "state mono before it")
        self.centres_hz(form.rate_hz)
        n_rows = None if form.n_samples is None else n_frames(form.n_samples, self.frame, self.hop)
        return SeriesForm(int(self.n_filters), form.rate_hz / self.hop, n_rows)

    def centres_hz(self, rate_hz: float) -> NDArray[np.float64]:
        """Centre of each filter for sound of this rate, float64 [n_filters].

        Raises
        ------
        RecipeError
            When they do not fit the rate.
        """
        f_max_hz = self._f_max_hz(rate_hz)
        require_bank("cochlea_cqt", rate_hz, self.n_filters, self.f_min_hz, f_max_hz, rate_hz / 2)
        return centre_frequencies(self.n_filters, self.f_min_hz, f_max_hz)

    def _f_max_hz(self, rate_hz: float) -> float:
        return rate_hz / 2 if self.f_max_hz is None else self.f_max_hz

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Series:
        """The log energies."""
        form = self.form_after(signal.form)
        samples = finite_samples("cochlea_cqt", signal)
        n_rows = n_frames(len(samples), self.frame, self.hop)
        check_memory(f"cochlea_cqt: {n_rows} frames take", n_rows * self.n_filters * 4, "a longer hop")
        rows = log_energies(samples, self._wavelets(signal.rate_hz), self.frame, self.hop, self.floor)
        return Series(rows, form.rate_hz)

    def filtered(self, sound: Waveform) -> NDArray[np.float32]:
        """The sound behind each filter, float32 [n_filters, n], in phase with it; raises as a call does."""
        self.form_after(sound.form)
        samples = finite_samples("cochlea_cqt", sound)
        check_memory(f"cochlea_cqt: {sound!r} takes", samples.size * self.n_filters * 4, "shorter sounds")
        return filtered(samples, self._wavelets(sound.rate_hz))

    def _wavelets(self, rate_hz: float) -> tuple[Wave, ...]:
        return wavelets(rate_hz, self.n_filters, self.f_min_hz, self._f_max_hz(rate_hz))


@lru_cache(maxsize=8)
def wavelets(rate_hz: float, n_filters: int, f_min_hz: float, f_max_hz: float) -> tuple[Wave, ...]:
    """The wavelets of the bank, from the lowest: see `_cqt.kernels`."""
    centres = centre_frequencies(n_filters, f_min_hz, f_max_hz)
    return tuple(kernels(rate_hz, centres, bins_per_octave(n_filters, f_min_hz, f_max_hz)))


STEP = CochleaCqt
