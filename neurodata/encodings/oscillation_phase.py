"""Phase coding: a spike in every cycle of a reference oscillation, the earlier in the cycle the larger the value.

The phase is 2 pi (1 - x), as of Hopfield, "Pattern recognition computation using action potential timing for stimulus
representation", Nature 1995, where a stronger input advances the spike within the cycle. A neuron may also wait for the
next peak of a faster oscillation of its own, A cos(omega t + phi_i), as in the phase coding of sound and pictures
(Nadasdy 2009; Hu et al. 2013; Pan et al. 2019): those papers' constants were not checked, so all are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding, first_spike, mark
from neurodata.errors import RecipeError
from neurodata.steps import check_whole


@dataclass(frozen=True, slots=True)
class OscillationPhase(StaticEncoding):
    """A spike of each value in every cycle, bool: pictures [T, C, H, W], series [n * T, channels].

    In a cycle of P steps the spike is in step floor((1 - x) P); a value of 0 has none (its phase, 2 pi, is the start of
    the next cycle, which is that of 1). With peaks every K steps neuron i, counted along channels, rows and columns,
    has its peaks at i mod K, K + i mod K ..., and fires at the first one that is not before its spike was due; one
    whose peak is past its cycle does not fire. `decode` gives the value within 1 / (2 P); with peaks
    within K / (2 P), and for those that do not fire 0, within K / P.

    Parameters
    ----------
    T
        Time steps of each picture, frame or row; what is left of a last cycle that is not whole has its part of it.
    period
        Steps of a cycle, P, no more than T; None: T.
    peak_every
        Steps from peak to peak, K, of the oscillations that neurons wait for; period is a multiple. 1: none is waited
        for.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or period no multiple of peak_every.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    period: int | None = None
    peak_every: int = 1

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 6}, {"T": 20, "period": 8, "peak_every": 4})

    def __post_init__(self) -> None:
        self.check_steps()
        check_whole("oscillation_phase", "period (T where it is not stated)", self.cycle, 1, self.T)
        check_whole("oscillation_phase", "peak_every", self.peak_every, 1, self.cycle)
        if self.cycle % self.peak_every:
            raise RecipeError(
                f"oscillation_phase: a period of {self.cycle} steps with peaks every {self.peak_every}; "
                "expected a multiple, so that all cycles are alike"
            )

    @property
    def cycle(self) -> int:
        """Steps of a cycle."""
        return self.T if self.period is None else self.period

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Mark the spikes of each cycle."""
        due = np.floor((1 - values.astype(np.float64)) * self.cycle).astype(np.int64)
        peak = np.arange(values.shape[1]) % self.peak_every  # [m]
        times = due + (peak - due) % self.peak_every
        for start in range(0, self.T, self.cycle):
            mark(times, out[:, start : start + self.cycle])

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The middle of the values that fire at the first spike of a neuron."""
        t = first_spike(spikes[:, : self.cycle])
        x = np.minimum(1 - (t + 1 - self.peak_every / 2) / self.cycle, 1)
        return np.where(t == self.cycle, 0, x)


STEP = OscillationPhase
