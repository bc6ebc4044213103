"""Population threshold code: each channel of a spectrogram by the times at which it crosses levels, and its peak.

Pan et al., "Neural population coding for effective temporal classification", IJCNN 2019 (arXiv:1909.08018); what of it
was verifiable, and what is decided here, is told in `_threshold_code`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from neurodata.encodings._rows import check_rows, neurons_of
from neurodata.encodings._threshold_code import encode, neurons_per_channel, normalised
from neurodata.errors import EncodingError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import EventArray, Series
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_whole

Normalise = Literal["channel", "none"]


@dataclass(frozen=True, slots=True)
class PopulationThreshold(SignalTransform):
    """Spikes where a channel crosses one of n_levels levels, and at its peak: 2 n_levels + 1 neurons a channel.

    Neuron x of a sensor of n_neurons x 1 x 1: channel * (2 n_levels + 1) + k, where k = 0 ... n_levels - 1 are the
    levels upwards from the lowest, then as many downwards, then the peak. 20 channels make the 620 neurons of
    Spike-TIDIGITS, whose own order is not published. It looks at the whole sample, and so is not causal; a channel
    that never changes, such as one of a dead mel filter, has no spikes.

    Parameters
    ----------
    n_levels
        Levels i / (n_levels + 1) between 0 and 1.
    normalise
        "channel": 0 is the smallest value of the channel in this sample, 1 the largest. "none": values are taken as
        they are, and have to be from 0 to 1.

    Raises
    ------
    RecipeError
        When n_levels is not from 1 to 1000. When called: the neurons are more than 65536.
    EncodingError
        When called: a value is not a number, or not from 0 to 1 where it has to be.
    """

    n_levels: int = 15
    normalise: Normalise = "channel"

    takes: ClassVar[Kinds] = Series
    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_levels": 3, "normalise": "none"})

    def __post_init__(self) -> None:
        check_whole("population_threshold", "n_levels", self.n_levels, 1, 1000)
        check_choice("population_threshold", "normalise", self.normalise, get_args(Normalise))

    def form_after(self, form: SeriesForm) -> Sensor:
        """One row of 2 n_levels + 1 neurons for each channel."""
        return neurons_of("population_threshold", form, neurons_per_channel(self.n_levels), "n_levels")

    def apply(self, signal: Series, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The spikes."""
        self.form_after(signal.form)
        check_rows("population_threshold", signal)
        values = signal.values
        if self.normalise == "channel":
            return encode(normalised(values), signal.rate_hz, self.n_levels)
        if values.size and not 0 <= values.min() <= values.max() <= 1:
            raise EncodingError(
                f"population_threshold: values reach from {values.min():g} to {values.max():g}; expected 0 to 1, or "
                'normalise = "channel"'
            )
        return encode(values.astype(np.float64), signal.rate_hz, self.n_levels)


STEP = PopulationThreshold
