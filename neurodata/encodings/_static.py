"""What encodings of values share, each value in T time steps of its own: pictures, frames of a video, rows of a series.

A picture becomes [T, C, H, W]; n frames of a video [n * T, C, H, W]; n rows of a series [n * T, channels]: the steps
of one frame or row come before those of the next.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import ClipForm, Form, ImageForm, SeriesForm
from neurodata.signals import Clip, Image, Series
from neurodata.steps import MOST_STEPS, ArraySpec, Kinds, SignalEncoding, Tally, check_whole


class StaticEncoding(SignalEncoding):
    """Base of encodings of values, each by itself: a frozen dataclass with a field T that implements `fill`."""

    __slots__ = ()
    takes: ClassVar[Kinds] = (Image, Clip, Series)
    # Of the array.
    dtype: ClassVar[Any] = np.bool_
    # Whether values have to lie between 0 and 1.
    from_zero_to_one: ClassVar[bool] = True

    T: int

    def check_steps(self) -> None:
        """RecipeError when T is no number of time steps."""
        check_whole(type(self).__module__.rpartition(".")[2], "T", self.T, 1, MOST_STEPS)

    def spec(self, form: Form) -> ArraySpec:
        """Pictures [T, C, H, W], videos [n * T, C, H, W], series [n * T, channels]."""
        shape: tuple[int, ...]
        if isinstance(form, SeriesForm):
            shape, n = (form.n_channels,), form.n_steps
        elif isinstance(form, ImageForm | ClipForm):
            shape, n = (form.n_channels, form.height, form.width), form.n_frames if isinstance(form, ClipForm) else 1
        else:
            raise RecipeError(f"{type(self).__name__} takes pictures, video and series, not {form}")
        axes = ("time", "channel", "y", "x")[: 1 + len(shape)]
        return ArraySpec(((n or 0) * self.T, *shape), np.dtype(self.dtype), axes, has_variable_steps=n is None)

    def n_steps(self, signal: Clip | Series) -> int:
        """T for each frame or row."""
        return self.T * len(signal.frames if isinstance(signal, Clip) else signal.values)

    def encode(
        self, signal: Image | Clip | Series, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally
    ) -> None:
        """Write the T steps of each frame or row over `out`."""
        values = values_of(signal)
        n, m = values.shape
        self.check_values(values)
        if values.size:
            self.fill(values, out.reshape(n, self.T, m), rng)

    def check_values(self, values: NDArray[np.float32]) -> None:
        """EncodingError when a value is not a number, or outside 0 to 1 where that is what they have to be in."""
        name = type(self).__name__
        if not np.isfinite(values).all():
            raise EncodingError(f"{name}: a value is not a number (NaN or infinite)")
        if self.from_zero_to_one and values.size and not 0 <= values.min() <= values.max() <= 1:
            raise EncodingError(
                f"{name}: values reach from {values.min():g} to {values.max():g}; expected 0 to 1: state a step before "
                "it that brings them there"
            )

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Write over `out` [n, T, m], zeros, the steps of the values [n, m]: n frames or rows of m values."""
        raise NotImplementedError


def values_of(signal: Image | Clip | Series) -> NDArray[np.float32]:
    """Values of each frame or row, [n, C * H * W] or [n, channels], float32: as they are, and frames' from 0 to 1."""
    if isinstance(signal, Series):
        return signal.values
    if isinstance(signal, Image):
        return np.ascontiguousarray(signal.pixels.transpose(2, 0, 1)).reshape(1, -1)
    frames = signal.frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return frames.reshape(len(frames), -1) if frames.size else np.empty((0, 0), np.float32)
