"""What encodings by deconvolution share: the filter that a spike stands for, and the sum of them that decodes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._series import SeriesEncoding
from neurodata.encodings._static import require_zero_to_one, step_name
from neurodata.steps import check_range, check_whole


class DeconvolutionEncoding(SeriesEncoding):
    """Base of encodings whose spikes stand for a low-pass filter: a dataclass with the fields n_taps and cutoff."""

    __slots__ = ()
    has_polarity: ClassVar[bool] = False

    n_taps: int
    cutoff: float

    def check_filter(self) -> None:
        """RecipeError when the filter cannot be made."""
        check_whole(step_name(self), "n_taps", self.n_taps, 2, 4096)
        check_range(step_name(self), "cutoff", self.cutoff, 1e-6, 0.999999)

    def check_values(self, values: NDArray[np.float32]) -> None:
        """EncodingError when a value is not from 0 to 1."""
        require_zero_to_one(step_name(self), values)

    @property
    def filter(self) -> NDArray[np.float64]:
        """What one spike stands for, [n_taps]."""
        return low_pass(self.n_taps, self.cutoff)

    def decode(self, spikes: NDArray[Any]) -> NDArray[np.float64]:
        """A filter from each spike on, added up, [n, channels], for spikes [n, channels]."""
        n, n_channels = spikes.shape
        decoded = np.zeros((n + self.n_taps - 1, n_channels))
        for k, tap in enumerate(self.filter):
            decoded[k : k + n] += tap * spikes
        return decoded[:n]


def low_pass(n_taps: int, cutoff: float) -> NDArray[np.float64]:
    """A low-pass filter by a Hamming window, taps [n_taps] that add up to 1; cutoff in parts of half the rate.

    As `scipy.signal.firwin(n_taps, cutoff)` makes it: Oppenheim and Schafer, "Discrete-time signal processing", 7.5.
    """
    k = np.arange(n_taps) - (n_taps - 1) / 2
    taps = np.sinc(cutoff * k) * np.hamming(n_taps)
    normal: NDArray[np.float64] = taps / taps.sum()
    return normal
