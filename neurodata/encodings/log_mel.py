"""Log-mel spectrogram: the mel spectrogram on a scale of loudness.

Energies in decibels are those of torchaudio's `AmplitudeToDB`, by its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings.mel import Mel
from neurodata.errors import RecipeError
from neurodata.signals import Series, Waveform
from neurodata.steps import Tally, check_choice, check_range

Log = Literal["dB", "ln", "log1p"]
# 101 x 140 of a second of Speech Commands: after fit_length to 16000 samples and resample to 8000 Hz, half_width 6.
GSC = {"n_mels": 140, "n_fft": 256, "hop": 80, "f_min_hz": 50.0, "f_max_hz": 14000.0, "dead_filters": "keep"}
GSC_REPAIRED = {"n_mels": 140, "n_fft": 512, "window_length": 256, "hop": 80, "f_min_hz": 50.0, "f_max_hz": 4000.0}


@dataclass(frozen=True, slots=True)
class LogMel(Mel):
    """Log energies [frames, n_mels] of sound of one channel: all parameters of `mel`, and the kind of logarithm.

    Parameter sets that papers use for Speech Commands, in the order of `examples`:

    - DCLS (SNN-delays), SpikeSCR and SpikCommander, `GSC`: sounds filled up to 16000 samples, resampled to 8000 Hz,
      101 x 140. Bands go up to 14000 Hz, as if the sound had a rate of 28000: the 53 from number 87 on lie above its
      highest frequency, and are -100 dB in every sample. dead_filters = "keep" has them as they are.
    - The same repaired, `GSC_REPAIRED`: bands up to 4000 Hz; they are narrower, so that the spectrum is made denser
      (n_fft) under the same window, or else 7 bands below 500 Hz would hold no frequency.

    Parameters
    ----------
    log
        "dB": 10 log10(max(e, floor)), times 2 / power; "ln": ln(e + floor); "log1p": ln(1 + e / floor).
    floor
        The smallest energy that is told from silence; None: 1e-10 for dB, 1e-6 for ln (NeuroBench's), 1 for log1p.
    top_db
        For dB: values lower than the highest of the sample by more than this are raised to there; None: all are kept.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or top_db is stated for a log that is not dB; and as `mel`.
    EncodingError
        As `mel`.
    """

    log: Log = "dB"
    floor: float | None = None
    top_db: float | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        GSC,
        GSC_REPAIRED,
        {"n_mels": 20, "log": "ln", "padding": "zeros"},
        {"n_mels": 10, "log": "log1p", "power": 1.0},
        {"n_mels": 40, "top_db": 80.0},
    )

    def __post_init__(self) -> None:
        Mel.__post_init__(self)
        check_choice(self._name, "log", self.log, get_args(Log))
        if self.floor is not None:
            check_range(self._name, "floor", self.floor, 1e-30, 1e30)
        if self.top_db is not None:
            check_range(self._name, "top_db", self.top_db, 0, 1e6)
            if self.log != "dB":
                raise RecipeError(f'{self._name}: top_db is for log = "dB"; log is {self.log!r}')

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Any:
        """The log energies."""
        return self.log_energies(signal)

    def log_energies(self, sound: Waveform) -> Series:
        """Log of the energy of each frame in each band, float32 [frames, n_mels]."""
        return Series(self.logarithm(self.energies(sound)).astype(np.float32), sound.rate_hz / self.hop)

    def logarithm(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """The log of energies of one sample, of any shape."""
        if self.log == "ln":
            return np.log(energies + (1e-6 if self.floor is None else self.floor))
        if self.log == "log1p":
            return np.log1p(energies / (1.0 if self.floor is None else self.floor))
        decibels = 20 / self.power * np.log10(np.maximum(energies, 1e-10 if self.floor is None else self.floor))
        if self.top_db is not None and decibels.size:
            decibels = np.maximum(decibels, decibels.max() - self.top_db)
        return decibels


STEP = LogMel
