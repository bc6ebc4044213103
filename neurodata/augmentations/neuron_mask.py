"""A band of channels without events.

SpikeSCR and SpikCommander do this to SHD and SSC: with probability 0.5, fewer than 20 (10) of 140 channels. Their code
draws the width from 0 to one less than its parameter, and never masks the last channels; here `max_width` is the
largest width, and every start at which the band fits is as likely.
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
class NeuronMask(SampleAugmentation):
    """Channels in a row set to zero at all time steps; frames are [B, T, N].

    Parameters
    ----------
    max_width
        The width is drawn from 0 to this one, or to N where that is less.
    p
        Probability for each sample.
    """

    max_width: int = 19
    p: float = 0.5

    moves: ClassVar[Moves] = MOVES_NOTHING
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"max_width": 2, "p": 1.0})
    axes: ClassVar[Axes] = "channels"
    n_draws: ClassVar[int] = 2

    def check(self) -> None:
        """Raise RecipeError when the width is negative."""
        check_range(self.name, "max_width", self.max_width, 0)

    def change(self, frames: Tensor, which: NDArray[np.int64], u: NDArray[np.float64]) -> None:
        """Mask a band of the chosen samples."""
        n_channels = frames.shape[2]
        width = integers(u[:, 0], 0, min(self.max_width, n_channels))
        erase_spans(frames, which, 2, integers(u[:, 1], 0, n_channels - width), width)


AUGMENTATION = NeuronMask
