"""How a store keeps its arrays: the names of its files, and how samples are laid out in shards and chunks.

The format is described in `docs/store-format.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurodata.errors import StoreError
from neurodata.steps import ArraySpec

MANIFEST = "manifest.json"
COMMITS = "commits"
ZARR = "data.zarr"

# Types that Zarr v3, NumPy and torch all know.
DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """One dense array per sample, one sample per chunk, `samples_per_shard` chunks per file.

    Parameters
    ----------
    array
        Shape, type and axes of one sample.
    samples_per_shard
        Chunks in a shard file; the last shard may hold fewer.
    compression, level
        "none" (chunks are read straight into place) or "zstd" of level 1 to 22.

    Raises
    ------
    StoreError
        When the array cannot be stored: an empty axis, an unknown type, axes without names.
    """

    array: ArraySpec
    samples_per_shard: int
    compression: Literal["none", "zstd"] = "none"
    level: int = 1

    def __post_init__(self) -> None:
        array = self.array
        if array.dtype.name not in DTYPES:
            raise StoreError(f"array of type {array.dtype}: a store holds {', '.join(DTYPES)}")
        if any(size < 1 for size in array.shape):
            raise StoreError(f"array of shape {array.shape}: every axis of a stored array has at least length 1")
        names = set(array.axes) - {"", "sample"}
        if not len(names) == len(array.axes) == len(array.shape):
            raise StoreError(
                f"array of shape {array.shape} with the axes {array.axes}: "
                'expected one name per axis, each different and none of them "sample"'
            )
        if self.samples_per_shard < 1:
            raise StoreError(f"samples_per_shard is {self.samples_per_shard}; expected at least 1")
        if self.compression not in ("none", "zstd") or not 1 <= self.level <= 22:
            raise StoreError(
                f'compression is {self.compression!r}, level {self.level}; expected "none" or "zstd", level 1 to 22'
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored numbers: little-endian on every machine."""
        return self.array.dtype.newbyteorder("<")

    def shard_path(self, shard: int) -> str:
        """Path of a shard file inside the store; Zarr names it by its place along each axis."""
        return "/".join([ZARR, "frames", "c", str(shard), *("0" for _ in self.array.shape)])

    def to_json(self) -> dict[str, Any]:
        """The layout as the store's JSON files hold it."""
        compression = {"name": "none"} if self.compression == "none" else {"name": "zstd", "level": self.level}
        return {
            "kind": "dense",
            "shape": list(self.array.shape),
            "dtype": self.array.dtype.name,
            "axes": list(self.array.axes),
            "samples_per_shard": self.samples_per_shard,
            "compression": compression,
        }

    @classmethod
    def from_json(cls, layout: Mapping[str, Any]) -> ArrayLayout:
        """The layout that `to_json` wrote."""
        spec = ArraySpec(tuple(layout["shape"]), np.dtype(layout["dtype"]), tuple(layout["axes"]))
        compression = layout["compression"]
        return cls(spec, layout["samples_per_shard"], compression["name"], compression.get("level", 1))


def commit_path(shard: int) -> str:
    """Path of a shard's commit record inside the store."""
    return f"{COMMITS}/{shard:05d}.json"


def files_below(folder: Path, *parts: str) -> list[str]:
    """Paths inside the store, sorted, of all files (and links) below some of its folders."""
    paths = (path for part in parts for path in (folder / part).rglob("*"))
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_symlink() or not path.is_dir())


def check_scheme_name(name: str) -> None:
    """A scheme's name is a folder's name, on every file system and in Zarr."""
    if not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
        raise StoreError(f"scheme {name!r}: a name is lower-case letters, digits, hyphens and underscores")
