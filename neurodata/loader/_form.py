"""The form in which a sample is delivered: its type, and what is done to its numbers before anything else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.errors import LoaderError
from neurodata.loader._check import check_integer
from neurodata.loader._dtype import check_counts, numpy_dtype
from neurodata.steps import ArraySpec

# "max" (of the sample), a number to divide by, or mean and standard deviation, each one number or one a channel.
Normalize: TypeAlias = str | float | tuple[float | Sequence[float], float | Sequence[float]]


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What becomes of decoded frames [T, C, H, W]: converted, then binarised or normalised, then resized.

    Parameters
    ----------
    spec
        Shape and type of the stored frames.
    dtype
        Type of what is delivered.
    binarize
        1 where there is anything but zero.
    normalize
        None, "max", a divisor, or (mean, std); see `Normalize`.
    resize
        Height and width, reached by bilinear interpolation (with antialiasing where they shrink), or None.

    Raises
    ------
    LoaderError
        When an argument does not fit.
    """

    spec: ArraySpec
    dtype: torch.dtype
    binarize: bool = False
    normalize: Normalize | None = None
    resize: tuple[int, int] | None = None
    # Each a number or [C, 1, 1].
    mean: NDArray[Any] = field(init=False)
    std: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        if self.binarize and self.normalize is not None:
            raise LoaderError("binarize and normalize exclude each other: zeros and ones need no scale")
        for name in ("normalize", "resize"):
            value = getattr(self, name)
            if value is not None and not self.dtype.is_floating_point:
                raise LoaderError(f'{name}={value!r} gives real numbers, and dtype is {self.dtype}: take "float32"')
        mean, std = self._scale()
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)
        if self.resize is not None:
            if len(self.spec.shape) != 4 or not isinstance(self.resize, Sequence) or len(self.resize) != 2:
                raise LoaderError(
                    f"resize={self.resize!r}: expected (height, width), for frames [T, C, H, W]; these are "
                    f"{list(self.spec.shape)}"
                )
            for name, size in zip(("height", "width"), self.resize, strict=True):
                check_integer(f"resize: {name}", size, 1)

    @property
    def step_shape(self) -> tuple[int, ...]:
        """Shape of a delivered sample without its first axis."""
        shape = self.spec.shape[1:]
        return shape if self.resize is None else (shape[0], *self.resize)

    @property
    def is_plain(self) -> bool:
        """Whether frames are delivered as stored, but for their type, and no count needs a look."""
        return self.resize is None and self.is_only_converted

    @property
    def is_only_converted(self) -> bool:
        """Whether this holds before frames are resized."""
        return not self.binarize and self.normalize is None and not self.needs_check

    @property
    def work_dtype(self) -> np.dtype[Any]:
        """The type that NumPy works in: the delivered one, or float32 for narrower reals that it can only store."""
        is_narrow = self.dtype == torch.bfloat16 or (self.dtype == torch.float16 and self.resize is not None)
        return numpy_dtype(torch.float32 if is_narrow else self.dtype)

    @property
    def needs_check(self) -> bool:
        """Whether the delivered type might round a count, so that each sample is looked at in the stored type."""
        is_wide = self.spec.dtype.kind in "ui" and self.spec.dtype.itemsize > 2
        return self.dtype == torch.float32 and is_wide and not self.binarize

    def convert(self, stored: NDArray[Any], out: NDArray[Any], key: str) -> None:
        """Frames as stored into frames as delivered, before they are resized."""
        if self.binarize:
            np.not_equal(stored, 0, out=out, casting="unsafe")
            return
        check_counts(stored, self.dtype, key)
        out[...] = stored
        if self.normalize == "max":
            # Looked for in the stored type, which is narrower.
            largest = max(float(stored.max(initial=0)), -float(stored.min(initial=0)))
            if largest > 0:
                out /= largest
        elif self.normalize is not None:
            if np.any(self.mean):
                out -= self.mean
            out /= self.std

    def _scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation, each a number or [C, 1, 1]."""
        expected = '"max", a number above 0, or (mean, std) with std above 0, each one number or one a channel'
        if self.normalize is None or self.normalize == "max":
            return np.zeros((), np.float32), np.ones((), np.float32)
        try:
            values = self.normalize if isinstance(self.normalize, tuple | list) else (0.0, self.normalize)
            mean, std = (self._per_channel(np.asarray(value, np.float32)) for value in values)
            if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(std)) and np.all(std > 0)):
                raise ValueError
        except (TypeError, ValueError):
            raise LoaderError(f"normalize={self.normalize!r}: expected {expected}") from None
        return mean, std

    def _per_channel(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if values.ndim == 0:
            return values
        if values.shape != self.spec.shape[1:2]:
            raise ValueError
        return values.reshape(-1, *(1 for _ in self.spec.shape[2:]))
