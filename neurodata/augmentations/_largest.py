"""Where the largest numbers of an array are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A sample of so many numbers brackets the one looked for, and this part of them lies between the brackets.
_SAMPLE = 4096
_BRACKET = 0.04


def largest(values: NDArray[np.float64], part: float) -> NDArray[np.bool_]:
    """Where the largest numbers are, bool of the same shape: round(part * size) of them, the first ones where equal."""
    n, numbers = round(part * values.size), values.reshape(-1)
    if n == 0:
        return np.zeros(values.shape, np.bool_)
    least = nth_largest(numbers, n)
    chosen = numbers >= least
    if surplus := int(np.count_nonzero(chosen)) - n:
        chosen[np.flatnonzero(numbers == least)[-surplus:]] = False
    return chosen.reshape(values.shape)


def nth_largest(numbers: NDArray[np.float64], n: int) -> float:
    """The n-th largest of the numbers [m], 1 <= n <= m.

    A sample of them tells between which two it probably lies. Where it does, only those in between are left to look
    through (R. W. Floyd, R. L. Rivest, "Expected time bounds for selection", CACM 18, 1975); where not, all are.
    """
    if len(numbers) > 4 * _SAMPLE:
        sample = numbers[:: len(numbers) // _SAMPLE | 1]  # an odd stride: not always the same columns
        middle, margin = len(sample) * (1 - n / len(numbers)), len(sample) * _BRACKET / 2
        ranks = np.clip([middle - margin, middle + margin], 0, len(sample) - 1).astype(np.int64)
        low, high = np.partition(sample, ranks)[ranks]
        n_above = int(np.count_nonzero(numbers > high))
        between = numbers[(numbers >= low) & (numbers <= high)]
        if n_above < n <= n_above + len(between):
            numbers, n = between, n - n_above
    return float(np.partition(numbers, -n)[-n])
