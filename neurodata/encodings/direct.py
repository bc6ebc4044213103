"""Direct coding: the values themselves in every time step; the first layer of the network makes spikes of them.

Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven networks", Frontiers in
Neuroscience 2017, section 2.3 (analog input); since then the usual way to feed pictures to networks trained directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._static import StaticEncoding


@dataclass(frozen=True, slots=True)
class Direct(StaticEncoding):
    """The values, T times: pictures [T, C, H, W] from 0 to 1, series as they are; float32.

    Parameters
    ----------
    T
        How often each picture, frame or row is repeated.

    Raises
    ------
    RecipeError
        When T is not a whole number from 1 to 2^24.
    EncodingError
        When called: a value is not a number.
    """

    T: int = 1

    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"T": 3})
    aliases: ClassVar[Mapping[str, str]] = {"num_steps": "T"}
    dtype: ClassVar[Any] = np.float32
    from_zero_to_one: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.check_steps()

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Write the values T times."""
        out[...] = values[:, np.newaxis]

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The mean over the steps, which is the value up to rounding."""
        mean: NDArray[np.float32] = spikes.mean(axis=1)
        return mean


STEP = Direct
