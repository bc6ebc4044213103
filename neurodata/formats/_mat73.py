"""MATLAB files of version 7.3: HDF5 behind a header of 512 bytes, with what MATLAB needs in attributes.

Source: MathWorks, `save` with "-v7.3" (the container); how MATLAB lays out its arrays is not published and is known
from files: axes are stored in reverse, `MATLAB_class` names the class, a cell array is a dataset of references, a
struct a group, and an array without elements a dataset of its dimensions, marked by `MATLAB_empty` (they are not its
values).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._hdf5 import MOST_PACKED, SMALL_BYTES, damage_named, library, require_readable
from neurodata.formats._mat5 import MOST_AXES, MOST_NUMBERS, NUMBERS, text_of

HEADER = b"MATLAB 7.3 MAT-file"
HDF5_AT = 512
INTERNAL = ("#refs#", "#subsystem#")


@dataclass(slots=True, eq=False)
class Budget:
    """Bytes that may still be read from a file: references can make a small file a large one."""

    path: Path
    left: int

    def take(self, n_bytes: int, name: str) -> None:
        """Count bytes before they are allocated."""
        self.left -= n_bytes
        if self.left < 0:
            raise FormatError(
                f"{self.path}: {name}: {n_bytes} bytes more than such a file holds; it is damaged, or made to fill "
                "memory"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Array73:
    """An `Array` of a file of version 7.3; see `neurodata.formats._mat`."""

    path: Path
    file: Any  # h5py.File
    node: Any  # h5py.Dataset or h5py.Group
    name: str
    budget: Budget

    @property
    def kind(self) -> str:
        """MATLAB's class; "" where none is stated."""
        with damage_named(self.path):
            found = self.node.attrs.get("MATLAB_class", b"")
        return found.decode("latin-1") if isinstance(found, bytes) else str(found)

    @property
    def shape(self) -> tuple[int, ...]:
        """In MATLAB's order of axes."""
        if not self._is_dataset:
            return (1, 1)
        with damage_named(self.path):
            if not self._is_empty:
                return tuple(self.node.shape[::-1]) if self.node.shape is not None else ()
            if self.node.ndim != 1 or len(self.node) > MOST_AXES or self.node.dtype.kind not in "ui":
                raise self._other("the dimensions of an array without elements")
            shape = tuple(self._read().tolist())
        if 0 not in shape or min(shape) < 0 or math.prod(n or 1 for n in shape) > MOST_NUMBERS:
            raise FormatError(
                f"{self.path}: {self.name} is marked as empty, with the shape {shape}; the file is damaged"
            )
        return shape

    @property
    def place(self) -> str:
        """Where it stands in the file."""
        return self.name

    def numbers(self) -> NDArray[Any]:
        """Its numbers, of its shape; where no class is stated, as other tools write files, the type tells."""
        if self.kind not in NUMBERS | {""}:
            raise self._other("real numbers")
        return self._stored()

    def text(self) -> str:
        """Its characters, first axis fastest."""
        if self.kind != "char":
            raise self._other("text")
        return text_of(self._stored())

    def _stored(self) -> NDArray[Any]:
        with damage_named(self.path):
            if not self._is_dataset or self.node.dtype.kind not in "fui" or self.node.dtype.itemsize > 8:
                raise self._other("real numbers")
        if self._is_empty:
            return np.empty(self.shape)
        found: NDArray[Any] = self._read().T
        return found

    def cells(self) -> list[Array73]:
        """What a cell array holds, first axis fastest."""
        if not self._is_dataset or self.kind != "cell":
            raise self._other("a cell array")
        if self._is_empty:
            return []
        h5py = library(self.path)
        with damage_named(self.path):
            if h5py.check_ref_dtype(self.node.dtype) is not h5py.Reference:
                raise self._other("references")
        found = []
        for k, reference in enumerate(self._read().ravel()):
            name = f"{self.name}[{k}]"
            with damage_named(self.path):
                if not reference:
                    raise FormatError(f"{self.path}: {name} refers to nothing; the file is damaged: get it again")
                node = self.file[reference]
            found.append(Array73(self.path, self.file, node, name, self.budget))
        return found

    def fields(self) -> dict[str, Array73]:
        """What a struct of shape [1, 1] holds, by name."""
        if self._is_dataset or self.kind != "struct":
            raise self._other("one struct")
        return members(self.path, self.file, self.node, self.name + ".", self.budget)

    @property
    def _is_dataset(self) -> bool:
        return isinstance(self.node, library(self.path).Dataset)

    @property
    def _is_empty(self) -> bool:
        with damage_named(self.path):
            return bool(np.any(self.node.attrs.get("MATLAB_empty", 0)))

    def _read(self) -> NDArray[Any]:
        with damage_named(self.path):
            require_readable(self.path, self.file, self.node, self.name)
            n_bytes = math.prod(self.node.shape) * self.node.dtype.itemsize
            n_stored = self.node.id.get_storage_size()
            if n_stored > self.path.stat().st_size or n_bytes > max(SMALL_BYTES, MOST_PACKED * n_stored):
                raise FormatError(
                    f"{self.path}: {self.name}: {n_stored} bytes are to become {n_bytes}; the file is damaged, or made "
                    "to fill memory"
                )
            self.budget.take(n_bytes, self.name)
            return np.asarray(self.node[()])

    def _other(self, expected: str) -> FormatError:
        with damage_named(self.path):
            what = (
                f"{self.kind or 'an array'} of type {self.node.dtype}" if self._is_dataset else self.kind or "a group"
            )
        return FormatError(f"{self.path}: {self.name} is {what}; expected {expected}")


def members(path: Path, file: Any, group: Any, prefix: str, budget: Budget) -> dict[str, Array73]:
    """The arrays in a group by name, without what MATLAB keeps for itself; links to other files are left out."""
    h5py = library(path)
    with damage_named(path):
        names = [name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]
        return {name: Array73(path, file, group[name], prefix + name, budget) for name in names if name not in INTERNAL}


def budget_of(path: Path) -> Budget:
    """What may be read from a file in all."""
    return Budget(path, max(SMALL_BYTES, MOST_PACKED * path.stat().st_size))
