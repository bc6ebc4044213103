"""Weighted phase coding: the binary digits of a value, one in each time step, the heaviest first.

Kim et al., "Deep neural networks with weighted spikes", Neurocomputing 2018; the definition is the one that
SpikingJelly's `WeightedPhaseEncoder` has of it: a spike in phase k = 1 ... K weighs 2^-k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding
from neurodata.steps import check_whole


@dataclass(frozen=True, slots=True)
class WeightedPhase(StaticEncoding):
    """The first K binary digits of a value, bool, again every K steps: pictures [T, C, H, W], series [n * T, channels].

    Values from 1 - 2^-K up, 1 among them, have K ones. `decode` gives the largest number of K digits that is no more
    than the value, or less by 2^-K at most. Spikes are not multiplied by their weights: networks do that, or the step
    weighs them itself, phase k by 2^-k.

    Parameters
    ----------
    T
        Time steps of each picture, frame or row: a last period that is not whole has the heavier digits only.
    K
        Digits, 1 to 24, no more than T; None: T of them.

    Raises
    ------
    RecipeError
        When T or K is out of range.
    EncodingError
        When called: a value is not from 0 to 1.
    """

    T: int
    K: int | None = None

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"T": 4}, {"T": 7, "K": 3})

    def __post_init__(self) -> None:
        self.check_steps()
        check_whole("weighted_phase", "K (T where it is not stated)", self.n_digits, 1, min(self.T, 24))

    @property
    def n_digits(self) -> int:
        """Digits of a value, and steps of a period."""
        return self.T if self.K is None else self.K

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Write one digit after the other."""
        digits = np.minimum(values * np.float32(2**self.n_digits), 2**self.n_digits - 1).astype(np.int32)
        for t in range(self.T):
            np.not_equal(digits & (1 << self.n_digits - 1 - t % self.n_digits), 0, out=out[:, t])

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The sum of the first K digits by their weights."""
        weights = 0.5 ** np.arange(1, self.n_digits + 1)
        return np.tensordot(weights, spikes[:, : self.n_digits], axes=(0, 1))


STEP = WeightedPhase
