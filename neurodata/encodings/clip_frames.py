"""Frames of a video for direct coding: T of them, resized, cropped and normalised; each is one time step.

The first layer of the network makes the spikes, as in SVFormer (Yu et al., "SVFormer: A Direct Training Spiking
Transformer for Efficient Video Action Recognition", 2024). Segments are those of Temporal Segment Networks (Wang et
al., ECCV 2016, section 3.1: one frame of each of T equal parts), strides those of dense sampling (frames `stride`
apart, from one place of the clip; SVFormer's code takes 16 frames 4 apart). Resizing: `_bilinear.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.encodings._bilinear import resized
from neurodata.errors import EncodingError, RecipeError
from neurodata.forms import ClipForm
from neurodata.signals import Clip
from neurodata.steps import (
    MOST_STEPS,
    ArraySpec,
    Kinds,
    SignalEncoding,
    Tally,
    check_choice,
    check_memory,
    check_range,
    check_whole,
)

Sampling = Literal["segments", "stride", "all"]
At = Literal["centre", "first", "random"]
Short = Literal["repeat-last", "loop"]
# One number for all channels, or one for each.
PerChannel: TypeAlias = float | tuple[float, ...]
LARGEST_SIDE = 65536


@dataclass(frozen=True, slots=True)
class ClipFrames(SignalEncoding):
    """Frames of a clip: float32 [T, C, H, W], (value / 255 - mean) / std; [n, C, H, W] where all n are taken.

    A clip without frames is an error. Of a clip shorter than T, segments take frames more than once, in order.

    Parameters
    ----------
    T
        Frames; not stated where all are taken.
    sampling
        "segments": one frame of each of T equal parts of the clip: part k is [k n / T, (k + 1) n / T) of n frames.
        "stride": frames start, start + stride ... "all": every frame.
    stride
        Frames from one to the next, with "stride".
    at
        Which frame of a part, or where in the clip the strided frames start. "centre": floor((k + 1/2) n / T); or as
        many frames before them as after, or one less. "first": floor(k n / T); or frame 0. "random": a place of the
        part, uniform, by itself for each; or a start, uniform (`rng.random(T)`; `rng.integers`).
    short
        What strided frames are beyond the end of a clip that is too short: "repeat-last", or "loop" (from the first
        frame on again).
    short_side
        Resize first so that the shorter side is this, the other in proportion, to the nearest pixel (a half up).
    width, height
        Of the result. With short_side: a window in the centre, from floor((size - width) / 2) on. Without: what
        frames are resized to, whatever their proportions. Not stated: as frames are.
    mean, std
        Of values from 0 to 1; one for all channels or one for each. SVFormer: 0.45 and 0.225.

    Raises
    ------
    RecipeError
        When a parameter is out of range, or does not go with another; when called, or before: when mean and std are
        not one for each channel, or the window reaches over the resized frames.
    EncodingError
        When called: the clip has no frames, or a resized one takes more than 4 GiB.
    """

    T: int | None = None
    sampling: Sampling = "segments"
    stride: int = 1
    at: At = "centre"
    short: Short = "repeat-last"
    short_side: int | None = None
    width: int | None = None
    height: int | None = None
    mean: PerChannel = 0.0
    std: PerChannel = 1.0

    takes: ClassVar[Kinds] = Clip
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"T": 4},
        {"T": 3, "at": "random", "width": 5, "height": 4},
        {"T": 16, "sampling": "stride", "stride": 4, "short": "loop", "short_side": 6, "width": 6, "height": 5},
        {"T": 3, "sampling": "stride", "at": "random", "mean": 0.45, "std": 0.225},
        {"sampling": "all", "width": 12, "height": 3},
    )
    aliases: ClassVar[Mapping[str, str]] = {"num_frames": "T", "n_frames": "T"}
    refused: ClassVar[Mapping[str, str]] = {
        "clip_len": 'say T, and sampling = "stride" with a stride (mmaction\'s frame_interval)',
        "frame_interval": 'say stride, with sampling = "stride"',
    }

    def __post_init__(self) -> None:
        for parameter, choices in (("sampling", Sampling), ("at", At), ("short", Short)):
            check_choice("clip_frames", parameter, getattr(self, parameter), get_args(choices))
        if (self.T is None) != (self.sampling == "all"):
            raise RecipeError(
                f'clip_frames: T is {self.T} and sampling {self.sampling}; expected a T, or sampling = "all" without'
            )
        if self.T is not None:
            check_whole("clip_frames", "T", self.T, 1, MOST_STEPS)
        check_whole("clip_frames", "stride", self.stride, 1, MOST_STEPS)
        if self.stride > 1 and self.sampling != "stride":
            raise RecipeError(f'clip_frames: stride is for sampling = "stride"; sampling is {self.sampling!r}')
        for parameter in ("short_side", "width", "height"):
            if getattr(self, parameter) is not None:
                check_whole("clip_frames", parameter, getattr(self, parameter), 1, LARGEST_SIDE)
        if (self.width is None) != (self.height is None):
            raise RecipeError(f"clip_frames: width is {self.width} and height {self.height}; expected both or none")
        for value in _each(self.mean):
            check_range("clip_frames", "mean", value, -1e6, 1e6)
        for value in _each(self.std):
            check_range("clip_frames", "std", value, 1e-6, 1e6)

    @property
    def stochastic(self) -> bool:
        """Whether frames are drawn."""
        return self.at == "random" and self.sampling != "all"

    def spec(self, form: ClipForm) -> ArraySpec:
        """[T, C, H, W]."""
        self._check_channels(form)
        width, height = self._resized_to(form)
        if self.width is not None and self.height is not None:
            if self.width > width or self.height > height:
                raise RecipeError(
                    f"clip_frames: a window of {self.width}x{self.height} reaches over {form}, resized to "
                    f"{width}x{height}; choose a larger short_side or a smaller window"
                )
            width, height = self.width, self.height
        n_steps = form.n_frames if self.T is None else self.T
        shape = (n_steps or 0, form.n_channels, height, width)
        return ArraySpec(shape, np.dtype(np.float32), ("time", "channel", "y", "x"), has_variable_steps=n_steps is None)

    def n_steps(self, clip: Clip) -> int:
        """T, or all frames."""
        return len(clip.frames) if self.T is None else self.T

    def encode(self, clip: Clip, out: NDArray[Any], rng: np.random.Generator | None, tally: Tally) -> None:
        """Write the frames over `out`."""
        if len(clip.frames) == 0:
            raise EncodingError(f"clip_frames: {clip!r} has no frames")
        width, height = self._resized_to(clip.form)
        check_memory(
            f"clip_frames: a frame of {clip!r} resized to {width}x{height} takes",
            # The picture, and the weights of its rows and columns as they are made, in double precision.
            4 * clip.frames.shape[3] * height * width
            + 24 * (height * clip.frames.shape[1] + width * clip.frames.shape[2]),
            "a smaller short_side, width or height",
        )
        top, left = (height - out.shape[2]) // 2, (width - out.shape[3]) // 2
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))  # [] or [C]
        for step, frame in enumerate(self.frame_numbers(len(clip.frames), rng)):
            picture = resized(clip.frames[frame], height, width)
            window = picture[top : top + out.shape[2], left : left + out.shape[3]] / np.float32(255)
            out[step] = ((window - mean) / std).transpose(2, 0, 1)

    def frame_numbers(self, n: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
        """Which of n frames are taken, int64 [T], or [n] where all are."""
        if self.T is None:
            return np.arange(n)
        k = np.arange(self.T)
        if self.sampling == "segments":
            place = {"centre": 0.5, "first": 0.0}.get(self.at)
            within = _draws(rng).random(self.T) if place is None else place
            return np.minimum(np.floor((k + within) * n / self.T).astype(np.int64), n - 1)
        n_free = max(0, n - 1 - (self.T - 1) * self.stride)
        start = {"centre": n_free // 2, "first": 0}.get(self.at)
        frames = (int(_draws(rng).integers(0, n_free + 1)) if start is None else start) + self.stride * k
        return frames % n if self.short == "loop" else np.minimum(frames, n - 1)

    def _resized_to(self, form: ClipForm) -> tuple[int, int]:
        """Width and height of frames before a window is cut out."""
        if min(form.width, form.height) < 1:
            raise RecipeError(f"clip_frames: {form}: frames have no pixels")
        if self.short_side is None:
            return self.width or form.width, self.height or form.height
        shorter = min(form.width, form.height)
        width, height = (int(self.short_side * side / shorter + 0.5) for side in (form.width, form.height))
        return width, height

    def _check_channels(self, form: ClipForm) -> None:
        for parameter in ("mean", "std"):
            n = len(_each(getattr(self, parameter)))
            if n not in (1, form.n_channels):
                raise RecipeError(f"clip_frames: {n} values of {parameter} for {form}; expected one, or one a channel")


def _each(values: PerChannel) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,)


def _draws(rng: np.random.Generator | None) -> np.random.Generator:
    if rng is None:
        raise RecipeError("clip_frames is random: give it a generator, as in np.random.default_rng(0)")
    return rng


STEP = ClipFrames
