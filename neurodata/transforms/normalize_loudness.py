"""Sound of one loudness: of a stated peak, or of a stated root of the mean square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.signals import Waveform
from neurodata.steps import Tally, check_choice, check_range
from neurodata.transforms._sound import SoundTransform, require_numbers

Method = Literal["peak", "rms"]


@dataclass(frozen=True, slots=True)
class NormalizeLoudness(SoundTransform):
    """The sound times one number, such that its loudness over all channels is `level`; silence stays silence.

    It looks at the whole sound, and so is not causal.

    Parameters
    ----------
    level
        1 is full scale. Sounds of an RMS of 0.3, as Lauscher's, can reach beyond it: nothing is clipped.
    method
        "peak": the largest sample, of either sign. "rms": the root of the mean of the squares.

    Raises
    ------
    RecipeError
        When level is not from 1e-6 to 1.
    EncodingError
        When called: a sample is not a number.
    """

    level: float = 1.0
    method: Method = "peak"

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"level": 0.3, "method": "rms"})

    def __post_init__(self) -> None:
        check_range("normalize_loudness", "level", self.level, 1e-6, 1)
        check_choice("normalize_loudness", "method", self.method, get_args(Method))

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Waveform:
        """The sound at that level."""
        require_numbers("normalize_loudness", signal)
        samples = signal.samples.astype(np.float64)
        loudness = np.abs(samples).max(initial=0) if self.method == "peak" else np.sqrt((samples**2).sum())
        if loudness == 0:
            return signal
        n = 1 if self.method == "peak" else samples.size
        return Waveform((samples / loudness * (self.level * np.sqrt(n))).astype(np.float32), signal.rate_hz)


STEP = NormalizeLoudness
