"""What encodings of the rows of a series into spikes of several neurons a channel share."""

from __future__ import annotations

import numpy as np

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import Series

MOST_NEURONS = 65536


def neurons_of(step: str, form: SeriesForm, per_channel: int, parameter: str) -> Sensor:
    """A row of `per_channel` neurons for each channel; RecipeError when there are none or more than addresses."""
    n_neurons = per_channel * form.n_channels
    if not 1 <= n_neurons <= MOST_NEURONS:
        raise RecipeError(
            f"{step}: {per_channel} neurons for each of {form.n_channels} channels are {n_neurons}; expected 1 to "
            f"{MOST_NEURONS}: state another {parameter}, or fewer channels"
        )
    return Sensor(n_neurons, 1, 1)


def check_rows(step: str, signal: Series) -> None:
    """EncodingError when a value is not a number."""
    if not np.isfinite(signal.values).all():
        raise EncodingError(f"{step}: a value of the series is not a number (NaN or infinite)")
