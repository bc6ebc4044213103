"""Sound of one length: what is longer is cut, what is shorter is filled up with zeros."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.forms import WaveformForm
from neurodata.signals import Waveform
from neurodata.steps import Tally, check_choice, check_whole
from neurodata.transforms._sound import SoundTransform, require_numbers

Anchor = Literal["start", "centre"]
MOST_SAMPLES = 2**28


@dataclass(frozen=True, slots=True)
class FitLength(SoundTransform):
    """The first n_samples of a sound, or the middle ones; silence is added where there are fewer.

    Parameters
    ----------
    n_samples
        Samples of the result: 16000 for a second at 16 kHz.
    anchor
        "start": the end is cut or filled up, as Speech Commands are padded. "centre": both ends, the end by one sample
        more where the difference is odd.

    Raises
    ------
    RecipeError
        When n_samples is not from 1 to 2^28.
    EncodingError
        When called: a sample is not a number.
    """

    n_samples: int
    anchor: Anchor = "start"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"n_samples": 1000}, {"n_samples": 3001, "anchor": "centre"})

    def __post_init__(self) -> None:
        check_whole("fit_length", "n_samples", self.n_samples, 1, MOST_SAMPLES)
        check_choice("fit_length", "anchor", self.anchor, get_args(Anchor))

    def form_after(self, form: WaveformForm) -> WaveformForm:
        """The same, and of one length."""
        return dataclasses.replace(form, n_samples=int(self.n_samples))

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Waveform:
        """The sound, cut or filled up."""
        require_numbers("fit_length", signal)
        samples = signal.samples
        n_more = self.n_samples - len(samples)
        if n_more == 0:
            return signal
        n_before = abs(n_more) // 2 if self.anchor == "centre" else 0
        if n_more < 0:
            return Waveform(samples[n_before : n_before + self.n_samples], signal.rate_hz)
        fitted = np.zeros((self.n_samples, *samples.shape[1:]), np.float32)  # [n_samples] or [n_samples, channels]
        fitted[n_before : n_before + len(samples)] = samples
        return Waveform(fitted, signal.rate_hz)


STEP = FitLength
