"""Population latency code: each value of a spectrogram by when the neurons of its channel fire, the nearest first.

Pan et al., "Neural population coding for effective temporal classification", IJCNN 2019 (arXiv:1909.08018), with the
Gaussian fields of Bohte, Kok and La Poutre, "Error-backpropagation in temporally encoded networks of spiking neurons",
Neurocomputing 48, 2002: centres C_i = (2i - 3) / 2 / (n - 2), i = 1 ... n, of values from 0 to 1, and widths
1 / (beta (n - 2)). Pan's own numbers of fields and widths were not at hand; the defaults are Bohte's beta, and a field
that is excited by less than 0.1 stays silent, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._rows import check_rows, neurons_of
from neurodata.encodings._threshold_code import at_rows, normalised
from neurodata.errors import EncodingError
from neurodata.forms import Sensor, SeriesForm
from neurodata.signals import EventArray, Series
from neurodata.steps import Kinds, SignalTransform, Tally, check_choice, check_memory, check_range, check_whole

Normalise = Literal["channel", "none"]
BYTES_OF_A_SPIKE = 64  # while they are worked out


@dataclass(frozen=True, slots=True)
class PopulationLatency(SignalTransform):
    """Within each row's time a neuron excited by a fires at (1 - a) of it: row m's spikes are from m to m + 1 rows.

    Neuron channel * n_fields + i of a sensor of n_neurons x 1 x 1 is field i of a channel, from the smallest values.

    Parameters
    ----------
    n_fields
        Gaussian fields a channel.
    beta
        How narrow they are: their standard deviation is 1 / beta of the distance of two centres.
    cutoff
        A neuron excited by less than this stays silent.
    normalise
        "channel": 0 is the smallest value of the channel in this sample, 1 the largest (it looks at the whole sample,
        and so is not causal), and a channel that never changes stays silent. "none": values are taken as they are, and
        have to be from 0 to 1.

    Raises
    ------
    RecipeError
        When a parameter is out of range. When called: the neurons are more than 65536.
    EncodingError
        When called: a value is not a number, or not from 0 to 1 where it has to be, or the spikes may take more than
        4 GiB.
    """

    n_fields: int = 10
    beta: float = 1.5
    cutoff: float = 0.1
    normalise: Normalise = "channel"

    takes: ClassVar[Kinds] = Series
    gives: ClassVar[type] = EventArray
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_fields": 4, "beta": 1.0, "normalise": "none"})

    def __post_init__(self) -> None:
        check_whole("population_latency", "n_fields", self.n_fields, 3, 1000)
        check_range("population_latency", "beta", self.beta, 0.1, 100)
        check_range("population_latency", "cutoff", self.cutoff, 0.01, 1)
        check_choice("population_latency", "normalise", self.normalise, get_args(Normalise))

    def form_after(self, form: SeriesForm) -> Sensor:
        """One row of n_fields neurons for each channel."""
        return neurons_of("population_latency", form, self.n_fields, "n_fields")

    def apply(self, signal: Series, rng: np.random.Generator | None, tally: Tally) -> EventArray:
        """The spikes."""
        sensor = self.form_after(signal.form)
        check_rows("population_latency", signal)
        values, changes = signal.values.astype(np.float64), np.ones(signal.values.shape[1], np.bool_)
        if self.normalise == "channel":
            changes = np.ptp(values, axis=0) > 0 if len(values) else changes
            values = normalised(values)
        elif values.size and not 0 <= values.min() <= values.max() <= 1:
            raise EncodingError(
                f"population_latency: values reach from {values.min():g} to {values.max():g}; expected 0 to 1, or "
                'normalise = "channel"'
            )
        n_most = values.size * self.n_fields
        check_memory(f"population_latency: up to {n_most} spikes take", n_most * BYTES_OF_A_SPIKE, "fewer n_fields")
        rows, neurons = self._spikes(values, changes)
        return at_rows(rows, neurons, signal.rate_hz, sensor)

    def _spikes(
        self, values: NDArray[np.float64], fires: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """When, in rows, and which neuron, of the channels that fire: [k] both."""
        rows, neurons = [np.zeros(0)], [np.zeros(0, np.int64)]
        centres, width = fields(self.n_fields, self.beta)
        for i, centre in enumerate(centres):
            excited = np.exp(-((values - centre) ** 2) / (2 * width**2))  # [n, channels]
            row, channel = np.nonzero((excited >= self.cutoff) & fires)
            rows.append(row + (1 - excited[row, channel]))
            neurons.append(channel * self.n_fields + i)
        return np.concatenate(rows), np.concatenate(neurons)


def fields(n_fields: int, beta: float) -> tuple[NDArray[np.float64], float]:
    """Centres, float64 [n_fields], and the standard deviation of the fields of values from 0 to 1."""
    return (np.arange(n_fields) - 0.5) / (n_fields - 2), 1 / (beta * (n_fields - 2))


def decode(spikes: EventArray, rate_hz: float, n_rows: int, n_fields: int, beta: float = 1.5) -> NDArray[np.float64]:
    """The values, float64 [n_rows, channels], of spikes of a population latency code with these parameters.

    From the first two spikes of each row and channel, whose times tell the value but for their rounding: it is off by
    up to 1e-5 rate_hz / (beta n_fields), ten times what one microsecond makes, at the default cutoff and beta. Where
    there is one spike, the centre of its field; 0 where there is none.
    """
    centres, width = fields(n_fields, beta)
    row_time = (spikes.t + 0.5) * (rate_hz / 1e6)
    row = np.minimum(np.floor(row_time).astype(np.int64), n_rows - 1)
    channel, field = np.divmod(spikes.x.astype(np.int64), n_fields)
    n_channels = spikes.sensor.width // n_fields
    log_excited = np.log(np.clip(1 - (spikes.t * (rate_hz / 1e6) - row), 1e-9, 1))
    place = row * n_channels + channel
    order = np.argsort(place, kind="stable")  # events are in order of time: the first spikes come first
    place, field, log_excited = place[order], field[order], log_excited[order]
    first = np.flatnonzero(np.diff(place, prepend=-1))
    values = np.zeros(n_rows * n_channels)
    values[place[first]] = centres[field[first]]
    second = first[first + 1 < len(place)] + 1
    second = second[place[second] == place[second - 1]]
    i, j = field[second - 1], field[second]
    slope = width**2 * (log_excited[second - 1] - log_excited[second]) / (centres[j] - centres[i])
    values[place[second]] = (centres[i] + centres[j]) / 2 - slope
    return values.reshape(n_rows, n_channels)


STEP = PopulationLatency
