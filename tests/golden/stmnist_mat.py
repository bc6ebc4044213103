"""300 spikes in 200 moments: some columns have none, some two; times in steps of 16 ns."""

from __future__ import annotations

import numpy as np

from tests.formats.matlab import level5, variable
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "43af3d3b06ff303f"}


def content() -> bytes:
    """The file."""
    step, taxel, p, moment = (
        golden_numbers(300, *pair).astype(int) for pair in ((900, 41), (50, 42), (2, 43), (150, 44))
    )
    matrix = np.zeros((101, 200))
    for k in range(300):  # two spikes to a moment are of other halves of the array
        free = np.flatnonzero(matrix[50 * (k % 2) + taxel[k], :] == 0)
        matrix[50 * (k % 2) + taxel[k], free[moment[k] % len(free)]] = 2 * p[k] - 1
    matrix[100] = np.cumsum(step[:200] * 16e-9 * 1000)
    return level5(variable("spiketrain", matrix))
