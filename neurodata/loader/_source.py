"""Where frames come from: a store that holds them, or a view of the events that it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.loader._view import View
from neurodata.steps import ArraySpec
from neurodata.storage import Fetched
from neurodata.store import StoreReader


@dataclass(frozen=True, slots=True, eq=False)
class FrameSource:
    """The frames of a store's samples; `view` makes them of its events, and is None where frames are stored."""

    store: StoreReader
    view: View | None = None

    @property
    def spec(self) -> ArraySpec:
        """Shape, type and axes of a sample's frames; StoreError when events are stored and there is no view."""
        return self.store.require_array() if self.view is None else self.view.spec

    @property
    def random(self) -> bool:
        """Whether frames depend on seed and epoch."""
        return self.view is not None and self.view.random

    def lengths(self, indices: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Time steps of each sample, int64 [n], or None where that is known only once the frames are there."""
        if not self.spec.has_variable_steps:
            return np.full(len(indices), self.spec.shape[0] if self.spec.shape else 1, np.int64)
        return self.store.table.n_steps[indices] if self.view is None else None

    def fetch(self, indices: NDArray[np.int64], cancelled: Callable[[], bool] = lambda: False) -> Fetched:
        """What reading these samples needs of a store behind a URL, in few requests; see `StoreReader.fetch`."""
        names = None if self.view is None else self.view.columns
        return self.store.fetch(indices, names, cancelled)

    def read(self, index: int, seed: int = 0, epoch: int = 0) -> NDArray[Any]:
        """The frames of one sample as a new array, of the type that `spec` tells."""
        return self.store.read(index) if self.view is None else self.view.read(self.store, index, seed, epoch)

    def read_into(self, index: int, out: NDArray[Any], seed: int = 0, epoch: int = 0) -> None:
        """The frames of one sample over `out`, of a type that holds them."""
        if self.view is None:
            self.store.read_into(index, out)
        else:
            self.view.read_into(self.store, index, out, seed, epoch)
