"""What encodings of the rows of a series into spikes of several neurons a channel share."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import require_numbers
from neurodata.encodings._threshold_code import normalised
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import Series

MOST_NEURONS = 65536
Normalise = Literal["channel", "none"]


def neurons_of(step: str, form: SeriesForm, per_channel: int, parameter: str) -> Sensor:
    """A row of `per_channel` neurons for each channel; RecipeError when there are none or more than addresses."""
    n_neurons = per_channel * form.n_channels
    if not 1 <= n_neurons <= MOST_NEURONS:
        raise RecipeError(
            f"{step}: {per_channel} neurons for each of {form.n_channels} channels are {n_neurons}; expected 1 to "
            f"{MOST_NEURONS}: state another {parameter}, or fewer channels"
        )
    return Sensor(n_neurons, 1, 1)


def rows_of(step: str, signal: Series, normalise: Normalise) -> NDArray[np.float64]:
    """Its values from 0 to 1, [n, channels]: each channel's range brought there, or as they are.

    Raises
    ------
    EncodingError
        When a value is not a number, or taken as it is not from 0 to 1.
    """
    values = signal.values
    require_numbers(step, values)
    if normalise == "channel":
        return normalised(values)
    if values.size and not 0 <= values.min() <= values.max() <= 1:
        raise EncodingError(
            f'{step}: values reach from {values.min():g} to {values.max():g}; expected 0 to 1, or normalise = "channel"'
        )
    return values.astype(np.float64)
