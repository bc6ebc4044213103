"""One channel of a sound of several: their mean, or one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurodata.errors import RecipeError
from neurodata.forms import WaveformForm
from neurodata.signals import Waveform
from neurodata.steps import Tally, check_whole
from neurodata.transforms._sound import SoundTransform, require_numbers


@dataclass(frozen=True, slots=True)
class Mono(SoundTransform):
    """Sound of one channel, [n]; sound that has one already stays as it is.

    Parameters
    ----------
    channel
        The channel that is kept, from 0; None: the mean of all.

    Raises
    ------
    RecipeError
        When channel is not from 0 to 65535. When called: the sound has no such channel.
    EncodingError
        When called: a sample is not a number.
    """

    channel: int | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"channel": 0})

    def __post_init__(self) -> None:
        if self.channel is not None:
            check_whole("mono", "channel", self.channel, 0, 65535)

    def form_after(self, form: WaveformForm) -> WaveformForm:
        """The same with one channel."""
        if not (self.channel or 0) < form.n_channels:
            raise RecipeError(f"mono: channel is {self.channel}, counted from 0, and there is {form}")
        return dataclasses.replace(form, n_channels=1)

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> Waveform:
        """The channel, or the mean."""
        self.form_after(signal.form)
        require_numbers("mono", signal)
        if signal.samples.ndim == 1:
            return signal
        if self.channel is not None:
            return Waveform(np.ascontiguousarray(signal.samples[:, self.channel]), signal.rate_hz)
        return Waveform(signal.samples.mean(axis=1, dtype=np.float64).astype(np.float32), signal.rate_hz)


STEP = Mono
