"""The brightness of the frames of a video: one value a pixel, from 0 to 255.

Rec. ITU-R BT.601-7 (2011), section 2.5.1: Y' = 0.299 R' + 0.587 G' + 0.114 B', of the values as they are stored (gamma
encoded), unrounded. OpenCV's COLOR_RGB2GRAY, which v2e uses, is the same, rounded to whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import RecipeError
from neurodata.forms import ClipForm

RED, GREEN, BLUE = 0.299, 0.587, 0.114
MOST_PIXELS = 65536  # along a side, as of a sensor


def check_luma(step: str, form: ClipForm) -> None:
    """RecipeError when frames have no brightness: channels are neither grey nor red, green and blue, or no pixels."""
    if form.n_channels not in (1, 3):
        raise RecipeError(f"{step}: {form} has {form.n_channels} channels; expected 1 (grey) or 3 (red, green, blue)")
    if not (1 <= form.width <= MOST_PIXELS and 1 <= form.height <= MOST_PIXELS):
        raise RecipeError(f"{step}: frames of {form.width}x{form.height} pixels; expected 1 to {MOST_PIXELS} a side")


def luma(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness float32 [..., height, width] of frames [..., height, width, channels], of 1 or 3 channels."""
    if frames.shape[-1] == 1:
        return frames[..., 0].astype(np.float32)
    weights: NDArray[Any] = np.array([RED, GREEN, BLUE], np.float32)
    red, green, blue = (frames[..., k] * weights[k] for k in range(3))
    total: NDArray[np.float32] = red + green + blue
    return total
