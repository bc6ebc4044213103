"""Targets besides the class of a sample: numbers, boxes, maps and series; and what would part them from it.

A sample has at most one class index; everything else that a network is to say of it is a target with a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, get_args

import numpy as np

from neurodata.errors import RecipeError
from neurodata.steps import LARGEST_ARRAY_BYTES, SPACE, STORABLE, TIME, Moves

TargetKind = Literal["values", "boxes", "map", "series"]
TARGET_KINDS: tuple[TargetKind, ...] = get_args(TargetKind)
# What batches call the class index.
CLASS = "class"


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Name, shape and type of one target, known before any sample is read.

    Parameters
    ----------
    name
        Lower-case letters, digits, hyphens and underscores: also the name of an array of the store. Not "class".
    kind
        "values": an array of one shape, such as indices of several classes, a multi-hot vector, a regression vector or
        number. "boxes": [n, k], n of the sample's own. "map": an array of one shape that lies over the pixels, such as
        [H, W] or [T, H, W]. "series": [n_steps, ...], rows along time, as many as the sample has.
    dtype
        One that Zarr, NumPy and torch all know.
    shape
        Of one sample's array; boxes and series have 0 for their first axis, which is free.
    axes
        One name an axis, each different and none of them "sample".

    Raises
    ------
    RecipeError
        When any of these does not fit.
    """

    name: str
    kind: TargetKind
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    axes: tuple[str, ...]

    def __post_init__(self) -> None:
        check_target_name(self.name)
        if self.kind not in TARGET_KINDS:
            raise self._error(f"kind is {self.kind!r}; expected {', '.join(TARGET_KINDS)}")
        if self.dtype.name not in STORABLE:
            raise self._error(f"its type is {self.dtype}; expected {', '.join(STORABLE)}")
        least, most = {"values": (0, 32), "boxes": (2, 2), "map": (2, 32), "series": (1, 32)}[self.kind]
        if not least <= len(self.shape) <= most:
            raise self._error(f"its shape is {self.shape}; {self.kind} have {_expected_axes(least, most)}")
        if self.shape[: self.is_ragged] != (0,) * self.is_ragged or any(size < 1 for size in self.item_shape):
            first = "0 for the first axis, which is free, and " if self.is_ragged else ""
            raise self._error(f"its shape is {self.shape}; {self.kind} have {first}at least 1 along every axis")
        names = set(self.axes) - {"", "sample"}
        if not len(names) == len(self.axes) == len(self.shape):
            raise self._error(
                f'axes {self.axes} for the shape {self.shape}; expected one name an axis, each different, none "sample"'
            )
        if self.item_bytes > LARGEST_ARRAY_BYTES:
            raise self._error(f"{self.shape} {self.dtype} takes {self.item_bytes / 1e9:.1f} GB; expected at most 4.3")

    @property
    def is_ragged(self) -> bool:
        """Whether the first axis is as long as the sample makes it."""
        return self.kind in ("boxes", "series")

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of a row of a ragged target, or of the whole array of another."""
        return self.shape[self.is_ragged :]

    @property
    def item_bytes(self) -> int:
        """Bytes of such an item."""
        return prod(self.item_shape) * self.dtype.itemsize

    @property
    def tied_to(self) -> Moves:
        """What must stay where it is, or the target is no longer that of the sample.

        Boxes and maps are tied to pixels; series, boxes (which belong to a moment) and maps with a time axis to time.
        Values are tied to neither.
        """
        ties = {"values": set(), "boxes": {SPACE, TIME}, "map": {SPACE}, "series": {TIME}}[self.kind]
        return frozenset(ties | {TIME} if self.kind == "map" and TIME in self.axes else ties)

    def to_json(self) -> dict[str, Any]:
        """The target as a store's JSON files and the identity of a recipe hold it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "dtype": self.dtype.name,
            "shape": list(self.shape),
            "axes": list(self.axes),
        }

    @classmethod
    def from_json(cls, target: Mapping[str, Any]) -> TargetSpec:
        """The target that `to_json` wrote."""
        shape, axes = tuple(target["shape"]), tuple(target["axes"])
        return cls(target["name"], target["kind"], np.dtype(target["dtype"]), shape, axes)

    def __str__(self) -> str:
        sizes = ", ".join("n" if self.is_ragged and k == 0 else str(size) for k, size in enumerate(self.shape))
        return f"{self.name} ({self.kind}, {self.dtype.name} [{sizes}])"

    def _error(self, what: str) -> RecipeError:
        return RecipeError(f"target {self.name}: {what}")


def check_target_name(name: str) -> None:
    """RecipeError unless a target can be called so: on every file system, in Zarr, and beside the class in a batch."""
    if not re.fullmatch("[a-z0-9][a-z0-9_-]*", name) or name == CLASS:
        raise RecipeError(
            f"target {name!r}: a name is lower-case letters, digits, hyphens and underscores, and not {CLASS!r}"
        )


def check_targets(specs: tuple[TargetSpec, ...]) -> None:
    """RecipeError when two targets have one name."""
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise RecipeError(f"targets {', '.join(names)}: expected names that all differ")


def parted_by(specs: tuple[TargetSpec, ...], moves: Moves, changes_meaning: bool = False) -> str | None:
    """Why a step that moves this (and may change what a sample means) cannot be done to a sample with these targets.

    None where it can: where it moves nothing that any of them is tied to.
    """
    for spec in specs:
        if parted := sorted(spec.tied_to & moves):
            what = " and ".join({SPACE: "pixels", TIME: "time"}[name] for name in parted)
            return f"it moves {what}, and the target {spec} does not move with it"
        if changes_meaning and spec.kind == "values":
            return (
                f"it can change what a sample means, and the target {spec} does not change with it: say "
                'labels = "keep" if everything stays what it is'
            )
    return None


def _expected_axes(least: int, most: int) -> str:
    axes = "axis" if least == 1 else "axes"
    return f"{least} {axes}" if least == most else f"{least} {axes} at least"
