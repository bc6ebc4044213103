"""Population coding: each value excites several neurons, whose receptive fields are Gaussians along its range.

Bohte et al., "Error-backpropagation in temporally encoded networks of spiking neurons", Neurocomputing 2002, section 5:
n fields with centres (2 i - 3) / 2 / (n - 2), i = 1 ... n, of the range, so that the outer two lie outside it, and
width sigma = 1 / (beta (n - 2)). The formulas are as they are quoted and implemented elsewhere (two independent
implementations agree on the centres, one has 1 / sigma for sigma); the paper itself was not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding, first_spike, mark
from neurodata.encodings.rate import draw_spikes, drawn_key
from neurodata.errors import RecipeError
from neurodata.steps import check_choice, check_range, check_whole

Readout = Literal["latency", "rate"]


@dataclass(frozen=True, slots=True)
class Population(StaticEncoding):
    """Spikes of n_fields neurons for each value, bool: pictures [T, C * n_fields, H, W], series [n * T, C * n_fields].

    The fields of a channel stand side by side, by their centres. A field is active by exp(-(x - centre)^2 / (2
    sigma^2)); every value from 0 to 1 excites one to exp(-beta^2 / 8) at least (0.75 with a beta of 1.5). `decode`
    gives the mean of the centres by activity: with "latency" and T from 8 on within 1 / (n_fields - 2), the
    distance of two centres.

    Parameters
    ----------
    T
        Time steps of each picture, frame or row.
    n_fields
        Neurons for each value, 3 to 4096.
    beta
        How narrow fields are: the distance of two centres by sigma; 1 to 2 is usual.
    readout
        "latency": one spike in step (T - 1)(1 - activity), rounded to the nearest, and none where the activity is below
        silent_below. "rate": in every step a spike with the activity as its probability, as the step rate has them.
    silent_below
        With "latency": the least activity that fires.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or so narrow fields leave gaps, in which values fire no neuron.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    n_fields: int = 8
    beta: float = 1.5
    readout: Readout = "latency"
    silent_below: float = 0.1

    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 6},
        {"T": 3, "n_fields": 5, "beta": 2.0, "readout": "rate"},
    )

    aliases: ClassVar[Mapping[str, str]] = {"pop_dim": "n_fields", "spike_ts": "T"}
    refused: ClassVar[Mapping[str, str]] = {
        "std": "say beta: the width of a field is 1 / (beta (n_fields - 2)) of the range",
        "mean_range": "fields cover 0 to 1: the step rescale before this one maps a range to it",
    }

    def __post_init__(self) -> None:
        self.check_steps()
        check_whole("population", "n_fields", self.n_fields, 3, 4096)
        check_range("population", "beta", self.beta, 0.1, 100)
        check_choice("population", "readout", self.readout, get_args(Readout))
        check_range("population", "silent_below", self.silent_below, 0, 1)
        weakest = float(np.exp(-(self.beta**2) / 8))
        if self.readout == "latency" and weakest < self.silent_below:
            raise RecipeError(
                f"population: between two centres the activity is {weakest:.3g} with beta {self.beta:g}, but neurons "
                f"are silent below {self.silent_below:g}: some values would fire none; a smaller beta or silent_below"
            )

    @property
    def stochastic(self) -> bool:
        """With the read-out by rate."""
        return self.readout == "rate"

    @property
    def fields_per_value(self) -> int:
        """Neurons for each value."""
        return self.n_fields

    def centres(self) -> NDArray[np.float64]:
        """Centres of the fields, [n_fields]: the outer two half a distance outside 0 to 1."""
        return (np.arange(self.n_fields) - 0.5) / (self.n_fields - 2)

    def activity(self, values: NDArray[np.float32], n_channels: int) -> NDArray[np.float32]:
        """How active each field is, from 0 to 1, [n, channels * n_fields * places]."""
        by_channel = values.reshape(len(values), n_channels, 1, -1)
        from_centre = (by_channel - self.centres().astype(np.float32)[:, np.newaxis]) * np.float32(
            self.beta * (self.n_fields - 2)
        )
        active: NDArray[np.float32] = np.exp(np.float32(-0.5) * from_centre * from_centre)  # [n, C, n_fields, places]
        return active.reshape(len(values), -1)

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Read the activities out."""
        if self.readout == "rate":
            assert rng is not None  # a random step is not called without
            draw_spikes(values, drawn_key(rng), out)
        else:
            times = np.rint((self.T - 1) * (1 - values)).astype(np.int64)
            mark(np.where(values < self.silent_below, self.T, times), out)

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The mean of the centres by activity; 0 where nothing fires (a random read-out may be silent)."""
        n, _, n_neurons = spikes.shape[:3]
        if self.readout == "rate":
            active = spikes.mean(axis=1, dtype=np.float64)
        else:
            active = np.where(spikes.any(axis=1), 1 - first_spike(spikes) / max(self.T - 1, 1), 0.0)
        active = active.reshape(n, n_neurons // self.n_fields, self.n_fields, *spikes.shape[3:])
        total = active.sum(axis=2)
        mean: NDArray[np.float64] = np.moveaxis(active, 2, -1) @ self.centres() / np.where(total, total, 1)
        return np.clip(mean, 0, 1)


STEP = Population
