"""Numbers for golden files and events: by arithmetic alone, no generator whose stream might change."""

from __future__ import annotations

import numpy as np


def golden_numbers(n: int, modulus: int, seed: int) -> np.ndarray:
    """n numbers below modulus that look random."""
    return (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed)) % np.uint64(modulus)
