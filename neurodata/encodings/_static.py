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
from neurodata.kernel import kernel
from neurodata.signals import Clip, Image, Series
from neurodata.steps import MOST_STEPS, ArraySpec, Kinds, SignalEncoding, Tally, check_whole

LARGEST = np.finfo(np.float32).max


class StaticEncoding(SignalEncoding):
    """Base of encodings of values, each by itself: a frozen dataclass with a field T that implements `fill`."""

    __slots__ = ()
    takes: ClassVar[Kinds] = (Image, Clip, Series)
    # Of the array.
    dtype: ClassVar[Any] = np.bool_
    # Whether values have to lie between 0 and 1.
    from_zero_to_one: ClassVar[bool] = True

    T: int

    @property
    def fields_per_value(self) -> int:
        """Neurons for each value; those of a channel stand side by side, so that there are as many times channels."""
        return 1

    def check_steps(self) -> None:
        """RecipeError when T is no number of time steps."""
        check_whole(step_name(self), "T", self.T, 1, MOST_STEPS)

    def spec(self, form: Form) -> ArraySpec:
        """Pictures [T, C, H, W], videos [n * T, C, H, W], series [n * T, channels]; C and channels times the fields."""
        shape: tuple[int, ...]
        if isinstance(form, SeriesForm):
            shape, n = (form.n_channels,), form.n_steps
        elif isinstance(form, ImageForm | ClipForm):
            shape, n = (form.n_channels, form.height, form.width), form.n_frames if isinstance(form, ClipForm) else 1
        else:
            raise RecipeError(f"{type(self).__name__} takes pictures, video and series, not {form}")
        shape = (shape[0] * self.fields_per_value, *shape[1:])
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
        self.check_values(values)
        if values.size:
            activity = self.activity(values, signal.form.n_channels)
            self.fill(activity, out.reshape(len(values), self.T, -1), rng)

    def check_values(self, values: NDArray[np.float32]) -> None:
        """EncodingError when a value is not a number, or outside 0 to 1 where that is what they have to be in."""
        require = require_zero_to_one if self.from_zero_to_one else require_numbers
        require(step_name(self), values)

    def activity(self, values: NDArray[np.float32], n_channels: int) -> NDArray[np.float32]:
        """What each neuron encodes, [n, m]: here the values [n, m] themselves, those of a channel side by side."""
        return values

    def fill(self, values: NDArray[np.float32], out: NDArray[Any], rng: np.random.Generator | None) -> None:
        """Write over `out` [n, T, m], zeros, the steps of the values [n, m]: n frames or rows of m values."""
        raise NotImplementedError

    def decode(self, spikes: NDArray[Any]) -> NDArray[np.float32]:
        """The values [n, ...] that an array [n * T, ...] of this step stands for; how well is said of each step.

        Raises
        ------
        EncodingError
            When the first axis is no multiple of T.
        """
        n, left = divmod(len(spikes), self.T)
        if left:
            raise EncodingError(f"{step_name(self)}: {len(spikes)} time steps; expected a multiple of T = {self.T}")
        steps = spikes.reshape(n, self.T, *spikes.shape[1:])
        return self.read(steps).astype(np.float32)

    def read(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """The values [n, ...] of spikes [n, T, ...]."""
        raise NotImplementedError


def step_name(step: SignalEncoding) -> str:
    """Its name in a recipe."""
    return type(step).__module__.rpartition(".")[2]


def require_numbers(step: str, values: NDArray[np.float32]) -> None:
    """EncodingError when a value is NaN or infinite."""
    if n_outside(values.ravel(), -LARGEST, LARGEST):
        raise EncodingError(f"{step}: a value is not a number (NaN or infinite)")


def require_zero_to_one(step: str, values: NDArray[np.float32]) -> None:
    """EncodingError when a value is not a number, or outside 0 to 1."""
    if n_outside(values.ravel(), np.float32(0), np.float32(1)):
        require_numbers(step, values)
        raise EncodingError(
            f"{step}: values reach from {values.min():g} to {values.max():g}; expected 0 to 1: "
            "the step rescale before it brings a series there"
        )


@kernel
def n_outside(values: NDArray[np.float32], low: np.float32, high: np.float32) -> int:
    """How many values [n] are not from low to high; NaN is not."""
    n = np.int32(0)
    for i in range(len(values)):
        n += np.int32(not (low <= values[i] <= high))
    return int(n)


def outside_reference(values: NDArray[np.float32], low: np.float32, high: np.float32) -> int:
    """What `n_outside` gives."""
    return int(np.count_nonzero(~((values >= low) & (values <= high))))


def first_spike(spikes: NDArray[Any]) -> NDArray[np.int64]:
    """Step of the first spike of each neuron, [n, ...], of spikes [n, T, ...]; T where there is none."""
    fired = spikes.astype(np.bool_)
    first: NDArray[np.int64] = fired.argmax(axis=1)
    first[~fired.any(axis=1)] = spikes.shape[1]
    return first


@kernel
def mark(times: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """One spike at the time [n, m] of each neuron in out [n, T, m]; none where the time is T or later."""
    n, n_steps, m = out.shape
    for i in range(n):
        for j in range(m):
            if times[i, j] < n_steps:
                out[i, times[i, j], j] = True


def mark_reference(times: NDArray[np.int64], out: NDArray[np.bool_]) -> None:
    """What `mark` does, by comparing each step with the time."""
    out |= times[:, np.newaxis] == np.arange(out.shape[1])[:, np.newaxis]


def values_of(signal: Image | Clip | Series) -> NDArray[np.float32]:
    """Values of each frame or row, [n, C * H * W] or [n, channels], float32: as they are, and frames' from 0 to 1."""
    if isinstance(signal, Series):
        return signal.values
    if isinstance(signal, Image):
        return np.ascontiguousarray(signal.pixels.transpose(2, 0, 1)).reshape(1, -1)
    frames = signal.frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return frames.reshape(len(frames), -1) if frames.size else np.empty((0, 0), np.float32)
