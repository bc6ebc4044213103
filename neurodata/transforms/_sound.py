"""What transforms of sound share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neurodata.errors import EncodingError
from neurodata.signals import Waveform
from neurodata.steps import Kinds, SignalTransform


class SoundTransform(SignalTransform):
    """Base of transforms of sound."""

    __slots__ = ()
    takes: ClassVar[Kinds] = Waveform
    gives: ClassVar[type] = Waveform


def require_numbers(step: str, sound: Waveform) -> None:
    """EncodingError when a sample is not a number."""
    if not np.isfinite(sound.samples).all():
        raise EncodingError(f"{step}: a sample of {sound!r} is not a number (NaN or infinite)")
