"""SpecAugment without time warping: bands of frequency and stretches of time set to zero.

D. S. Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition", Interspeech 2019,
arXiv:1904.08779: a band is f wide, f drawn from 0 to F, and begins at one of 0 to n - f; a stretch is drawn likewise
with a largest length T that is at most a part p of the steps. Widths and starts are whole numbers here, ends included
(torchaudio draws reals and cuts them, so that F itself never occurs). Zero is not the mean of a spectrogram in
decibels: normalise before, as the paper does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations._contract import Axes, SampleAugmentation
from neurodata.augmentations._draws import integers
from neurodata.augmentations._spans import erase_spans
from neurodata.steps import MOVES_NOTHING, Moves, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecAugment(SampleAugmentation):
    """Bands of channels and stretches of time set to zero; frames are [B, T, N], N being the frequencies.

    The defaults are those of SpikeSCR and SpikCommander for Google Speech Commands.

    Parameters
    ----------
    n_bands, max_width
        How many bands of channels, and the largest width of each.
    n_stretches, max_fraction
        How many stretches of time, and the largest length of each, as a part of the time steps.
    """

    n_bands: int = 1
    max_width: int = 10
    n_stretches: int = 1
    max_fraction: float = 0.25

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"n_bands": 2, "max_width": 3, "n_stretches": 0, "p": 0.5})
    aliases: ClassVar[Mapping[str, str]] = {"F": "max_width"}
    axes: ClassVar[Axes] = "channels"

    def check(self) -> None:
        """Raise RecipeError when a number is out of range."""
        check_range(self.name, "n_bands", self.n_bands, 0)
        check_range(self.name, "max_width", self.max_width, 0)
        check_range(self.name, "n_stretches", self.n_stretches, 0)
        check_range(self.name, "max_fraction", self.max_fraction, 0, 1)

    @property
    def n_draws(self) -> int:  # type: ignore[override]  # as many as there are masks
        """Two for each mask."""
        return 2 * (self.n_bands + self.n_stretches)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Mask bands and stretches of the chosen samples."""
        n_steps, n_channels = frames.shape[1:]
        longest = {1: int(self.max_fraction * n_steps), 2: min(self.max_width, n_channels)}
        for mask, axis in enumerate([2] * self.n_bands + [1] * self.n_stretches):
            length = integers(u[:, 2 * mask], 0, longest[axis])
            erase_spans(frames, which, axis, integers(u[:, 2 * mask + 1], 0, frames.shape[axis] - length), length)


AUGMENTATION = SpecAugment
