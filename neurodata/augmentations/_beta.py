"""Draws from Beta(a, a) as a pure function of uniform numbers.

X / (X + Y) of two Gamma(a) draws, each by G. Marsaglia, W. W. Tsang, "A simple method for generating gamma
variables", ACM Transactions on Mathematical Software 26, 2000: a rejection method that accepts at least 95 % of its
tries. Eight tries are drawn at once; where all fail (one in 10^10), the middle of the distribution is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TRIES = 8
# For a gamma draw: three for each try, and one that takes Gamma(a + 1) to Gamma(a).
_FOR_GAMMA = 3 * _TRIES + 1
N_UNIFORMS = 2 * _FOR_GAMMA


def beta(u: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """One draw from Beta(a, a) for each row of uniform numbers u, float64 [n, N_UNIFORMS]."""
    difference = _log_gamma_draw(u[:, _FOR_GAMMA:], a) - _log_gamma_draw(u[:, :_FOR_GAMMA], a)
    # Logarithms: for small a both draws may be too small for a float64. 709: the largest whose exp is finite.
    stays: NDArray[np.float64] = 1 / (1 + np.exp(np.minimum(difference, 709.0)))
    return stays


def _log_gamma_draw(u: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    d = a + 1 - 1 / 3
    radius, angle, accept = 1 - u[:, :_TRIES], u[:, _TRIES : 2 * _TRIES], u[:, 2 * _TRIES : 3 * _TRIES]
    x = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)  # normal, [n, tries] (Box, Muller 1958)
    v = np.maximum(1 + x / np.sqrt(9 * d), 0) ** 3
    log_v = np.log(np.maximum(v, 1e-300))
    accepted = (v > 0) & (np.log(1 - accept) < x**2 / 2 + d * (1 - v + log_v))
    tried = np.where(accepted, log_v, 0.0)
    first = tried[np.arange(len(u)), accepted.argmax(axis=1)]
    draw: NDArray[np.float64] = np.log(d) + first + np.log(1 - u[:, 3 * _TRIES]) / a
    return draw
