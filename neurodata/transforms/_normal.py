"""Normal random numbers made of uniform ones, so that they stay the same when NumPy changes its own method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def normal(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Independent numbers of mean 0 and standard deviation 1, at most 8.6 from zero: float64 [n].

    Box and Muller, "A Note on the Generation of Random Normal Deviates", Ann. Math. Statist. 29 (1958): of m =
    ceil(n / 2) radii sqrt(-2 ln(1 - u)) (`rng.random(m)`) and m angles 2 pi v (`rng.random(m)`), first all cosines,
    then all sines.
    """
    m = (n + 1) // 2
    radius = np.sqrt(-2 * np.log1p(-rng.random(m)))
    angle = 2 * np.pi * rng.random(m)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n]
