"""A session of version 7.3: 200 bins of 4 ms, 3 channels of 2 units, one silent, some spikes before the start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.formats.matlab import Cell, version73
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "8350a55e3f9b8c90"}
N_BINS, SHAPE = 200, (3, 2)


def session() -> dict[str, Any]:
    """The variables."""
    t = 1288 + np.arange(N_BINS) * 0.004
    times = [1287.9 + np.sort(golden_numbers(400, 900_000, 60 + k)) / 1e6 for k in range(6)]
    times[4] = np.empty((0, 0))
    path = np.cumsum(golden_numbers(2 * N_BINS, 9, 70).reshape(N_BINS, 2) - 4, axis=0) / 8
    return {
        "chan_names": Cell((3, 1), ["M1 001", "M1 002", "S1 001"]),
        "cursor_pos": path,
        "finger_pos": golden_numbers(6 * N_BINS, 99, 71).reshape(N_BINS, 6) / 8,
        "spikes": Cell(SHAPE, times),
        "t": t[:, None],
        "target_pos": np.floor(path),
        "wf": Cell(SHAPE, [np.zeros((60, 4), np.float32)] * 6),
    }


def content() -> bytes:
    """The file."""
    h5py = pytest.importorskip("h5py", reason="needs the extra `hdf5`")
    return version73(h5py, session())
