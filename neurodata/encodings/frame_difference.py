"""Changes from one frame of a video to the next, signed or as ON and OFF.

The plain way from video to spikes, without an event camera's model: no logarithm, no reference that is kept until a
threshold is passed, one step a frame. `dvs_pixel` has these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._luma import check_luma, luma
from neurodata.forms import ClipForm
from neurodata.signals import Clip
from neurodata.steps import ArraySpec, Kinds, SignalEncoding, Tally, check_choice, check_range

Output = Literal["signed", "polarity"]


@dataclass(frozen=True, slots=True)
class FrameDifference(SignalEncoding):
    """Difference of the luma (BT.601, from 0 to 1) of each frame and the one before: [n, C, H, W] for n frames.

    The first step is zeros, as nothing is before it: step k is frame k, and a clip of one frame gives zeros. It is
    causal.

    Parameters
    ----------
    output
        "polarity": spikes, bool, C = 2: channel 0 where the luma falls by more than the threshold, channel 1 where it
        rises so. "signed": float32, C = 1: the difference, and 0 where it is not beyond the threshold.
    threshold
        From 0 to 1. A difference of exactly the threshold is none.

    Raises
    ------
    RecipeError
        When a parameter is out of range; when called, or before: frames have neither 1 nor 3 channels, or no pixels.
    """

    output: Output = "polarity"
    threshold: float = 0.1

    takes: ClassVar[Kinds] = Clip
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"output": "signed", "threshold": 0.0})

    def __post_init__(self) -> None:
        check_choice("frame_difference", "output", self.output, get_args(Output))
        check_range("frame_difference", "threshold", self.threshold, 0, 1)

    def spec(self, form: ClipForm) -> ArraySpec:
        """[n, C, H, W]."""
        check_luma("frame_difference", form)
        spikes = self.output == "polarity"
        shape = (form.n_frames or 0, 2 if spikes else 1, form.height, form.width)
        axes = ("time", "polarity" if spikes else "channel", "y", "x")
        return ArraySpec(shape, np.dtype(np.bool_ if spikes else np.float32), axes, form.n_frames is None)

    def n_steps(self, clip: Clip) -> int:
        """One for each frame."""
        return len(clip.frames)

    def encode(self, clip: Clip, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the differences over `out`."""
        threshold = np.float32(self.threshold)
        before = None
        for k, frame in enumerate(clip.frames):
            now = luma(frame) / np.float32(255)  # [H, W]
            if before is not None:
                change = now - before
                if self.output == "polarity":
                    out[k, 0], out[k, 1] = change < -threshold, change > threshold
                else:
                    out[k, 0] = np.where(np.abs(change) > threshold, change, 0)
            before = now


STEP = FrameDifference
