"""Three samples of training and two of test with 62 neurons; rows filled up with 0, not-a-number or infinity."""

from __future__ import annotations

import numpy as np

from tests.formats.matlab import Cell, column, level5, packed, variable
from tests.golden.numbers import golden_numbers

DIGESTS = {1: "ed6311f34f8a096c"}
N_NEURONS = 62


def sample(seed: int, fill: float) -> np.ndarray:
    """Times [n_neurons, 3] in ms, the first n of each row filled."""
    times = np.cumsum(golden_numbers(3 * N_NEURONS, 40_000, seed).reshape(N_NEURONS, 3) + 1, axis=1) / 1000
    n_spikes = golden_numbers(N_NEURONS, 4, seed + 50)
    return np.where(np.arange(3) < n_spikes[:, None], times, fill)


def content() -> bytes:
    """The file."""
    train = Cell((3, 1), [sample(51, 0.0), sample(52, np.nan), np.empty((N_NEURONS, 0))])
    test = Cell((2, 1), [sample(53, np.inf), sample(54, 0.0)])
    return level5(
        packed(variable("train_pattern", train), level=0),
        variable("train_labels", column([11, 1, 2], "u1")),
        variable("test_pattern", test),
        variable("test_labels", column([5, 11], "f8")),
    )
