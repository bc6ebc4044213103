"""Events of MATLAB files, as a `Source` in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import Columns
from neurodata.formats._columns import checked
from neurodata.formats._file import RecordingFile
from neurodata.formats._mat import Array, whole


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A `Source` in memory."""

    path: Path
    columns: Columns
    begin: str  # where the coordinates stand

    @property
    def n_events(self) -> int:
        """Events in the file."""
        return len(self.columns.t)

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[Loaded]:
        """Itself, when the file is still the same."""
        with RecordingFile(self.path, fingerprint):
            yield self

    def read(self, first: int, last: int) -> Columns:
        """Events first to last - 1, in the order of the file."""
        return self.columns.part(first, last)

    def place(self, k: int) -> str:
        """Event k, and where the coordinates begin."""
        return f"event {k}, {self.begin}"


def load(path: Path, arrays: Sequence[Array], names: Sequence[str], base: int) -> Loaded:
    """Events from arrays of time, x, y and polarity, coordinates counting from `base`.

    Raises
    ------
    FormatError
        When their lengths differ, or a value is none that an event can have.
    """
    numbers = [whole(path, name, array) for name, array in zip(names, arrays, strict=True)]
    lengths = dict(zip(names, map(len, numbers), strict=True))
    if len(set(lengths.values())) != 1:
        raise FormatError(f"{path}: the columns have different lengths ({lengths}); the file is damaged")
    t, x, y, p = numbers
    begin = arrays[1].place
    if base:
        x, y, p = _from_zero(x, base), _from_zero(y, base), _from_one(p)
    return Loaded(path, checked(path, (t, x, y, p), lambda k: f"event {k}, {begin}", 0), begin)


def _from_zero(values: NDArray[Any], base: int) -> NDArray[np.int64]:
    return values.astype(np.int64) - base


def _from_one(p: NDArray[Any]) -> NDArray[Any]:
    """Polarities 1 (OFF) and 2 (ON) as 0 and 1; others as they are."""
    return p.astype(np.int64) - 1 if len(p) and p.min() == 1 and p.max() == 2 else p
