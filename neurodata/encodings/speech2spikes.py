"""Speech2Spikes: the log-mel spectrogram of a sound by spikes where a band has risen or fallen by a threshold.

Stewart et al., "Speech2Spikes: efficient audio encoding pipeline for real-time neuromorphic systems", NICE 2023. Made
from the published numbers: 20 bands from 20 to 4000 Hz, frames of 512 samples 80 apart, ln(energy + 1e-6), threshold 1,
a first level that is the first value rounded to a whole number. That the mels are HTK's without a norm, of energies
(torchaudio's defaults), was not verifiable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._threshold_code import at_rows
from neurodata.encodings.log_mel import Log, LogMel
from neurodata.forms import Form, Sensor
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Waveform
from neurodata.steps import Tally, check_range


@dataclass(frozen=True, slots=True)
class Speech2Spikes(LogMel):
    """Events of sound of one channel on a sensor of n_mels x 1 x 2: ON where band x has risen, OFF where it has fallen.

    Each band has a level, at first its first value rounded. In each row it fires once at most: ON where the value is
    above the level by more than `threshold`, which then goes up by the threshold, OFF likewise downwards. Row m is at
    m * hop / rate seconds. All parameters of `log_mel` (`mel`) can be stated; the published ones are the defaults.

    Parameters
    ----------
    threshold
        In the unit of the logarithm.

    Raises
    ------
    RecipeError
        When a parameter is out of range; and as `log_mel`.
    EncodingError
        As `log_mel`.
    """

    n_mels: int = 20
    hop: int = 80
    f_min_hz: float = 20.0
    f_max_hz: float | None = 4000.0
    log: Log = "ln"
    threshold: float = 1.0

    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_mels": 8, "threshold": 0.25, "padding": "zeros"})

    def __post_init__(self) -> None:
        LogMel.__post_init__(self)
        check_range("speech2spikes", "threshold", self.threshold, 1e-6, 1e6)

    def form_after(self, form: Form) -> Sensor:
        """One row of n_mels neurons, of two polarities."""
        return Sensor(self._rows_of(form).n_channels, 1, 2)

    def apply(self, signal: Waveform, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The events."""
        rows = self.log_energies(signal)
        signs = np.zeros(rows.values.shape, np.int8)  # [frames, n_mels]
        send_on_delta(rows.values, self.threshold, signs)
        row, band = np.nonzero(signs)
        events = at_rows(row.astype(np.float64), band.astype(np.int64), rows.rate_hz, self.form_after(signal.form))
        # At one time by band, as the nonzero values are: the order is the same.
        return EventArray(events.t, events.x, events.y, signs[row, band] > 0, events.sensor)


@kernel
def send_on_delta(values: NDArray[np.float32], threshold: float, signs: NDArray[np.int8]) -> None:
    """Write over `signs` [n, channels], zeros, 1 where a channel has risen and -1 where it has fallen."""
    for c in range(values.shape[1]):
        level = 0.0
        for m in range(values.shape[0]):
            value = np.float64(values[m, c])
            if m == 0:
                level = np.rint(value)
            if value - level > threshold:
                signs[m, c] = 1
                level += threshold
            elif value - level < -threshold:
                signs[m, c] = -1
                level -= threshold


def reference(values: NDArray[np.float32], threshold: float) -> NDArray[np.int8]:
    """The definition, row by row: int8 [n, channels]."""
    signs = np.zeros(values.shape, np.int8)
    level = np.rint(values[:1].astype(np.float64)).sum(axis=0)
    for m, row in enumerate(values.astype(np.float64)):
        signs[m] = (row - level > threshold).astype(np.int8) - (row - level < -threshold)
        level = level + threshold * signs[m]
    return signs


def decode(signs: NDArray[np.int8], first_level: NDArray[np.floating], threshold: float) -> NDArray[np.float64]:
    """The levels after each row, float64 [n, channels]: the first one and the spikes so far, a threshold each.

    They are off by at most the threshold as long as values change by no more than it from row to row.
    """
    return first_level + threshold * np.cumsum(signs, axis=0, dtype=np.float64)


STEP = Speech2Spikes
