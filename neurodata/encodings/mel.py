"""Mel spectrogram: how much energy there is in each of n_mels bands of frequency, frame by frame.

Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in continuously
spoken sentences", IEEE Trans. ASSP 28(4), 1980; filters and frames are torchaudio's (see `_mel`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._mel import Norm, Padding, Scale, mel_energies, mel_filters, n_frames, window_of
from neurodata.encodings._sound import finite_samples, require_channels
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Form, SeriesForm
from neurodata.signals import Series, Waveform
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_memory, check_range, check_whole

DeadFilters = Literal["error", "keep"]
LONGEST_WINDOW = 2**20
MOST_WEIGHTS = 2**24  # of all bands: 128 MB
HIGHEST_HZ = 1e7


@dataclass(frozen=True, slots=True)
class Mel(SignalTransform):
    """Energies [frames, n_mels] of sound of one channel, rate / hop rows a second; row m is about sample m * hop.

    Windows are periodic Hann windows. A frame looks n_fft / 2 samples ahead. Frequencies are in Hz whatever the rate
    of the sound: state `resample` before it where rates differ, or where a recipe was made for another one.

    Parameters
    ----------
    n_mels
        Bands.
    n_fft
        Samples of a frame, whose spectrum has n_fft // 2 + 1 frequencies.
    hop
        Samples from one frame to the next.
    window_length
        Samples under the window, in the middle of the frame; None: n_fft. Less makes the spectrum denser, not sharper.
    f_min_hz, f_max_hz
        Lower end of the lowest and upper end of the highest band; None: half the rate of the sound.
    scale
        Of the mels: "htk" or "slaney".
    norm
        "slaney" divides each band by half its width in Hz; "none": triangles reach up to 1.
    power
        2: energy, 1: magnitude.
    padding
        "reflect": the sound is mirrored at its ends by n_fft // 2 samples; "zeros": silence is added; both make
        1 + n // hop frames (for an even n_fft). "none": 1 + (n - n_fft) // hop frames; row m begins at sample m * hop.
    dead_filters
        What to do when a band holds no frequency of the spectrum, so that it is 0 in all samples: "error" or "keep".

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called, and before: the sound has several channels, f_min_hz is not
        1 Hz below f_max_hz, or bands are dead.
    EncodingError
        When called: a sample is not a number, the sound is too short to be mirrored, or the result would take more
        than 4 GiB.
    """

    n_mels: int = 128
    n_fft: int = 512
    hop: int = 160
    window_length: int | None = None
    f_min_hz: float = 0.0
    f_max_hz: float | None = None
    scale: Scale = "htk"
    norm: Norm = "none"
    power: float = 2.0
    padding: Padding = "reflect"
    dead_filters: DeadFilters = "error"

    takes: ClassVar[Kinds] = Waveform
    gives: ClassVar[type] = Series
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"n_mels": 40},
        {"n_mels": 20, "scale": "slaney", "norm": "slaney", "power": 1.0, "padding": "none", "window_length": 400},
    )
    aliases: ClassVar[Mapping[str, str]] = {
        "hop_length": "hop",
        "win_length": "window_length",
        "f_min": "f_min_hz",
        "f_max": "f_max_hz",
        "mel_scale": "scale",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "sample_rate": "the rate is that of the sound: state resample before it",
        "center": 'say padding = "none" for frames that begin at their time, "reflect" or "zeros" for centred ones',
        "pad_mode": 'say padding = "reflect", or "zeros" for constant',
    }

    def __post_init__(self) -> None:
        name = self._name
        check_whole(name, "n_mels", self.n_mels, 1, 65536)
        check_whole(name, "n_fft", self.n_fft, 2, LONGEST_WINDOW)
        check_whole(name, "hop", self.hop, 1, LONGEST_WINDOW)
        check_whole(
            name, "window_length", self.n_fft if self.window_length is None else self.window_length, 1, self.n_fft
        )
        if self.n_mels * (self.n_fft // 2 + 1) > MOST_WEIGHTS:
            raise RecipeError(
                f"{name}: n_mels is {self.n_mels} and n_fft {self.n_fft}: weights of {self.n_fft // 2 + 1} frequencies "
                f"in as many bands are more than {MOST_WEIGHTS}"
            )
        check_range(name, "f_min_hz", self.f_min_hz, 0, HIGHEST_HZ)
        if self.f_max_hz is not None:
            check_range(name, "f_max_hz", self.f_max_hz, 0, HIGHEST_HZ)
        check_range(name, "power", self.power, 0.1, 4)
        for parameter, choices in (
            ("scale", Scale),
            ("norm", Norm),
            ("padding", Padding),
            ("dead_filters", DeadFilters),
        ):
            check_choice(name, parameter, getattr(self, parameter), get_args(choices))

    @property
    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def form_after(self, form: Form) -> Form:
        """Rows of n_mels values, rate / hop a second."""
        return self._rows_of(form)

    def _rows_of(self, form: Form) -> SeriesForm:
        form = require_channels(self._name, form, 1, "state mono before it")
        n_dead = int((~self.filters(form.rate_hz).any(axis=0)).sum())
        if n_dead and self.dead_filters == "error":
            raise RecipeError(
                f"{self._name}: {n_dead} of {self.n_mels} mel filters hold none of the {self.n_fft // 2 + 1} "
                f"frequencies up to {form.rate_hz / 2:g} Hz, and would be constant: state fewer n_mels, a larger n_fft "
                '(with window_length as it was), an f_max_hz of at most half the rate, or dead_filters = "keep"'
            )
        n_rows = None if form.n_samples is None else n_frames(form.n_samples, self.n_fft, self.hop, self.padding)
        return SeriesForm(int(self.n_mels), form.rate_hz / self.hop, n_rows)

    def filters(self, rate_hz: float) -> NDArray[np.float64]:
        """The bands for sound of this rate, float64 [n_fft // 2 + 1, n_mels]: the weight of each frequency.

        Raises
        ------
        RecipeError
            When f_min_hz is less than 1 Hz below f_max_hz.
        """
        f_max_hz = rate_hz / 2 if self.f_max_hz is None else self.f_max_hz
        if not self.f_min_hz + 1 <= f_max_hz:
            raise RecipeError(
                f"{self._name}: f_min_hz is {self.f_min_hz:g} and f_max_hz {f_max_hz:g}; expected at least 1 Hz between"
            )
        return mel_filters(self.n_fft, rate_hz, self.n_mels, self.f_min_hz, f_max_hz, self.scale, self.norm)

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Any:
        """The energies."""
        rate_hz = self._rows_of(signal.form).rate_hz
        energies = self.energies(signal)
        if energies.max(initial=0) > np.finfo(np.float32).max:
            raise EncodingError(
                f"{self._name}: energies reach {energies.max():g}, more than a float32 holds; expected samples from -1 "
                "to 1: state normalize_loudness before it"
            )
        return Series(energies.astype(np.float32), rate_hz)

    def energies(self, sound: Waveform) -> NDArray[np.float64]:
        """|spectrum|^power of each frame in each band, float64 [frames, n_mels]; see the class for what it raises."""
        self._rows_of(sound.form)
        samples = finite_samples(self._name, sound)
        n_rows = n_frames(len(samples), self.n_fft, self.hop, self.padding)
        if self.padding == "reflect" and len(samples) <= self.n_fft // 2:
            raise EncodingError(
                f"{self._name}: {sound!r} is too short to be mirrored by {self.n_fft // 2} samples: state fit_length "
                'before it, or padding = "zeros"'
            )
        check_memory(f"{self._name}: {n_rows} frames of {self.n_mels} take", n_rows * self.n_mels * 8, "a longer hop")
        window = window_of(self.n_fft, self.window_length or self.n_fft)
        return mel_energies(samples, self.filters(sound.rate_hz), window, self.hop, self.power, self.padding)


STEP = Mel
