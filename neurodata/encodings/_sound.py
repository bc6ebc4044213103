"""What steps on sound ask of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import Form, WaveformForm
from neurodata.signals import Waveform


def require_channels(step: str, form: Form, n_channels: int, way_out: str) -> WaveformForm:
    """The form, which is sound of so many channels; RecipeError when it is not."""
    if not isinstance(form, WaveformForm) or form.n_channels != n_channels:
        raise RecipeError(f"{step} takes sound of {n_channels} channel{'s' * (n_channels > 1)}, not {form}; {way_out}")
    return form


def finite_samples(step: str, sound: Waveform) -> NDArray[np.float64]:
    """Its samples as float64, [n] for one channel and [n, channels] for more; EncodingError when one is no number."""
    samples = sound.samples.astype(np.float64)
    if not np.isfinite(samples).all():
        raise EncodingError(f"{step}: a sample of {sound!r} is not a number (NaN or infinite)")
    return samples.reshape(-1) if sound.form.n_channels == 1 else samples


def event_times_us(steps: NDArray[np.integer], rate_hz: float) -> NDArray[np.int64]:
    """Times of steps of a clock of rate_hz, int64 us, to the nearest."""
    times: NDArray[np.int64] = np.rint(steps * (1e6 / rate_hz)).astype(np.int64)
    return times
