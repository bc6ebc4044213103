"""What delta encodings share: spikes tell by how much a level that the receiver keeps goes up (ON) or down (OFF)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError


def levels(spikes: NDArray[Any], threshold: float, start: NDArray[Any] | float = 0.0) -> NDArray[np.float64]:
    """The level after each step, [n, channels]: start (of each channel, or all), and threshold times ON less OFF.

    Raises
    ------
    EncodingError
        When the spikes are not [n, 2, channels].
    """
    if spikes.ndim != 3 or spikes.shape[1] != 2:
        raise EncodingError(f"decoding: spikes of the shape {spikes.shape}; expected [n, 2, channels]")
    net = spikes[:, 1].astype(np.int64) - spikes[:, 0]
    decoded: NDArray[np.float64] = start + threshold * np.cumsum(net, axis=0)
    return decoded
