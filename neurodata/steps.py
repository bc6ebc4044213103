"""A step of a recipe: one transform (signal -> signal of the same kind) or encoding (signal -> array)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from neurodata.signals import Sensor

# What a step counts while it works, by reason: {"saturated": 12}. Conservation is checked with it.
Tally = Counter[str]


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape, type and axis names of what an encoding gives, known before any sample is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of one array, uncompressed."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Step(Protocol):
    """What a class in `transforms/` or `encodings/` offers; a frozen dataclass whose fields are its parameters.

    `version` is raised whenever the output for the same input and parameters changes: it is part of
    the identity of every store that the step had a hand in.
    """

    version: ClassVar[int]
    takes: ClassVar[type]
    gives: ClassVar[type]
    stochastic: ClassVar[bool]

    def __call__(self, signal: Any, rng: np.random.Generator | None = None, tally: Tally | None = None) -> Any:
        """The transformed or encoded signal; the input is left as it is.

        `rng` is drawn from only by stochastic steps; losses are added to `tally` by reason.
        """
        ...


class Encoding(Step, Protocol):
    """A step whose result is a dense array of a shape that follows from the sensor alone."""

    def spec(self, sensor: Sensor) -> ArraySpec:
        """Shape, type and axes of the array for signals from this sensor."""
        ...
