"""Frames of another size, by interpolation. Counts become reals, and their sum changes with the area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from neurodata.augmentations._contract import Augmentation, Axes
from neurodata.augmentations._draws import Draws
from neurodata.errors import RecipeError
from neurodata.steps import MOVES_SPACE, Moves, check_choice, check_range

MODES = ("bilinear", "bicubic", "nearest", "area")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize(Augmentation):
    """Frames [B, T, C, H, W] as [B, T, C, height, width]; nothing is drawn.

    To pool events into larger pixels without losing any, downsample the events instead.

    Parameters
    ----------
    height, width
        New size, in pixels.
    mode
        As `torch.nn.functional.interpolate` has them, pixels being areas (align_corners=False); "nearest" is its
        "nearest-exact", which takes the pixel under the new one's centre.
    antialias
        Smooth before shrinking; for "bilinear" and "bicubic".
    """

    height: int
    width: int
    mode: Literal["bilinear", "bicubic", "nearest", "area"] = "bilinear"
    antialias: bool = False

    moves: ClassVar[Moves] = MOVES_SPACE
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"height": 3, "width": 2},
        {"height": 7, "width": 9, "mode": "nearest"},
        {"height": 2, "width": 2, "mode": "bicubic", "antialias": True},
        {"height": 2, "width": 3, "mode": "area"},
    )
    axes: ClassVar[Axes] = "image"

    def check(self) -> None:
        """Raise RecipeError when a size is not positive, a choice is none, or there is nothing to smooth."""
        check_range(self.name, "height", self.height, 1)
        check_range(self.name, "width", self.width, 1)
        check_choice(self.name, "mode", self.mode, MODES)
        if self.antialias and self.mode not in ("bilinear", "bicubic"):
            raise RecipeError(f'resize: antialias with mode {self.mode!r}; expected mode "bilinear" or "bicubic"')

    @property
    def random(self) -> bool:
        """Nothing is drawn."""
        return False

    @property
    def moves_only(self) -> bool:
        """New numbers are computed."""
        return False

    def apply(self, frames: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The resized batch, in the type it had."""
        pixels = frames.flatten(1, -3)  # [B, T * C, H, W]
        reals = pixels if frames.dtype == torch.float64 else pixels.float()
        mode = "nearest-exact" if self.mode == "nearest" else self.mode
        resized = interpolate(reals, (self.height, self.width), mode=mode, antialias=self.antialias)
        return resized.to(frames.dtype).view(*frames.shape[:-2], self.height, self.width), targets


AUGMENTATION = Resize
