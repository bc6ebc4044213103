"""One HDF5 file a split: `train.h5` with frames [N, T, C, H, W], labels [N], keys [N], groups [N].

Arrays of different lengths, and the columns of events, stand one after the other along the first axis, and sample i is
what lies from `NAME_offsets[i]` to `NAME_offsets[i + 1]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._passing import (
    EVENTS,
    FRAMES,
    MEASURED,
    SPLIT_NAMES,
    TARGET,
    Outgoing,
    Passing,
    by_split,
    files_in,
)
from neurodata.datasets import Partition
from neurodata.errors import FormatError
from neurodata.formats._hdf5 import created, damage_named, library, opened, require_readable, require_stored

OFFSETS = "_offsets"
FRAMES_NAMES = (FRAMES, "data", "x", "X", "images", "spikes")
LABEL_NAMES = ("labels", "label", "targets", "target", "y", "Y")
# A chunk holds rows of about so many bytes, or one row; and of a large one no more than h5py keeps unpacked.
CHUNK_BYTES = 1 << 18
LARGEST_CHUNK_BYTES = 1 << 24


class Hdf5File:
    """The layout."""

    lossless = "arrays in the stored type, lzf"

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """One file."""
        path = folder / f"{split.partition}.h5"
        with created(path) as (file, target):
            columns: dict[str, _Column] = {}
            rows: list[Passing] = []
            for sample in samples:
                for name, array in sample.arrays.items():
                    if name not in columns:
                        columns[name] = _Column(file, name, array, name in split.stacked)
                    columns[name].append(array)
                rows.append(sample._replace(arrays={}))
                target.require_written()
            for column in columns.values():
                column.finish()
            text = library(path).string_dtype("utf-8")
            file.create_dataset("labels", data=np.array([row.label for row in rows], np.int64))
            for name, texts in (("keys", [row.key for row in rows]), ("groups", [row.group for row in rows])):
                file.create_dataset(name, data=texts, dtype=text)
            for name in MEASURED:
                file.create_dataset(name, data=np.array([row.measured.get(name, 0) for row in rows], np.int64))
            if split.classes:
                file.create_dataset("classes", data=list(split.classes), dtype=text)

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples in the order of the rows; a file may also have the partitions as groups."""
        top = path if path.is_dir() else path.parent
        for partition, files in by_split(files_in(path, (".h5", ".hdf5")), top).items():
            for file in files:
                for found, sample in _samples(file):
                    yield found or partition, sample

    def recognises(self, path: Path) -> bool:
        """A file, or a folder with one."""
        suffixes = (".h5", ".hdf5")
        return path.suffix in suffixes if path.is_file() else any(f.suffix in suffixes for f in path.rglob("*.h*5"))


LAYOUT = Hdf5File()


class _Column:
    """A dataset that grows: [N, ...] where all samples are of one shape, one after the other where they are not."""

    def __init__(self, file: Any, name: str, first: NDArray[Any], is_stacked: bool) -> None:
        self.file, self.name, self.is_stacked = file, name, is_stacked
        self.item = first.shape if is_stacked else first.shape[1:]
        self.dataset = file.create_dataset(
            name,
            (0, *self.item),
            first.dtype,
            maxshape=(None, *self.item),
            chunks=_chunk(self.item, first.dtype.itemsize),
            compression="lzf",
        )
        self.offsets = [0]

    def append(self, array: NDArray[Any]) -> None:
        """Write the array of one sample."""
        rows = array[np.newaxis] if self.is_stacked else array
        start = self.offsets[-1]
        self.offsets.append(start + len(rows))
        self.dataset.resize(self.offsets[-1], axis=0)
        self.dataset[start:] = rows

    def finish(self) -> None:
        """Write where samples begin, if that is not plain."""
        if not self.is_stacked:
            self.file.create_dataset(self.name + OFFSETS, data=np.array(self.offsets, np.int64))


def _chunk(item: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Shape of a chunk of rows of this shape."""
    chunk = [max(1, CHUNK_BYTES // (math.prod(item) * itemsize)), *item]
    for axis in range(len(chunk)):
        chunk[axis] = min(chunk[axis], max(1, chunk[axis] * LARGEST_CHUNK_BYTES // (math.prod(chunk) * itemsize)))
    return tuple(chunk)


def _samples(path: Path) -> Iterator[tuple[Partition | None, Passing]]:
    with opened(path) as file, damage_named(path):
        group = library(path).Group
        parts = {name: SPLIT_NAMES[name] for name in file if name in SPLIT_NAMES and isinstance(file[name], group)}
        for name, partition in parts.items():
            for sample in _Rows(path, file, file[name]).samples():
                yield partition, sample
        if not parts:
            for sample in _Rows(path, file, file).samples():
                yield None, sample


class _Rows:
    """The samples of a group."""

    def __init__(self, path: Path, file: Any, group: Any) -> None:
        self.path, self.file, self.group = path, file, group
        self.labels = self._labels()
        self.texts = {name: self._texts(name) for name in ("keys", "groups")}
        self.numbers = {name: self._column(name, "iu") for name in MEASURED if name in group}
        names = [name for name in group if name in EVENTS or name.startswith(TARGET)]
        self.arrays = [name for name in names if not name.endswith(OFFSETS)]
        self.frames = None
        if not set(EVENTS) <= set(names):
            self.arrays = [name for name in self.arrays if name not in EVENTS]
            self.frames = next((name for name in FRAMES_NAMES if name in group), None)
            if self.frames is None:
                raise FormatError(
                    f"{path}: has the datasets {', '.join(group)}; expected one of {', '.join(FRAMES_NAMES)}"
                )
            self.arrays.append(self.frames)
        self.datasets = {name: self._dataset(name) for name in self.arrays}
        require_stored(path, self.datasets)
        self.offsets = {name: self._offsets(name) for name in self.arrays}

    def samples(self) -> Iterator[Passing]:
        """One after the other."""
        for i, label in enumerate(self.labels):
            arrays = {FRAMES if name == self.frames else name: self._array(name, i) for name in self.arrays}
            key, group = (self.texts[name][i] if self.texts[name] else "" for name in ("keys", "groups"))
            measured = {name: int(numbers[i]) for name, numbers in self.numbers.items()}
            yield Passing(key, label, group, arrays, measured)

    def _labels(self) -> list[int | str]:
        name = next((name for name in LABEL_NAMES if name in self.group), None)
        if name is None:
            raise FormatError(f"{self.path}: has no labels; expected a dataset of one of {', '.join(LABEL_NAMES)}")
        column = self._column(name, "iubfOS").reshape(-1)
        if column.dtype.kind == "f" and not (column == np.floor(column)).all():
            raise FormatError(f"{self.path}: {name} holds numbers that are not whole; expected classes")
        if column.dtype.kind in "OS":
            return [_text(value) for value in column]
        return [int(value) for value in column]

    def _texts(self, name: str) -> list[str]:
        if name not in self.group:
            return []
        return [_text(value) for value in self._column(name, "OS")]

    def _column(self, name: str, kinds: str) -> NDArray[Any]:
        dataset = self._dataset(name)
        require_stored(self.path, {name: dataset})
        if dataset.dtype.kind not in kinds or dataset.ndim not in (1, 2) or dataset.size != dataset.shape[0]:
            raise FormatError(f"{self.path}: {name} is {dataset.dtype} {dataset.shape}; expected one entry a sample")
        if hasattr(self, "labels") and len(dataset) != len(self.labels):
            raise FormatError(f"{self.path}: {name} has {len(dataset)} entries for {len(self.labels)} labels")
        values: NDArray[Any] = dataset[()]
        return values

    def _dataset(self, name: str) -> Any:
        found = self.group[name]
        if not isinstance(found, library(self.path).Dataset):
            raise FormatError(f"{self.path}: {name} is no dataset")
        require_readable(self.path, self.file, found, name)
        return found

    def _offsets(self, name: str) -> list[int] | None:
        """Where samples begin and end; None where the first axis is samples."""
        n = len(self.labels)
        length = len(self.datasets[name])
        if name + OFFSETS not in self.group:
            if length != n:
                raise FormatError(f"{self.path}: {name} has {length} rows for {n} labels")
            return None
        dataset = self._dataset(name + OFFSETS)
        require_stored(self.path, {name + OFFSETS: dataset})
        offsets: list[int] = dataset[()].tolist()
        if len(offsets) != n + 1 or offsets[0] != 0 or offsets[-1] != length or sorted(offsets) != offsets:
            raise FormatError(f"{self.path}: {name}{OFFSETS} are not where {n} samples of {length} rows begin and end")
        return offsets

    def _array(self, name: str, i: int) -> NDArray[Any]:
        offsets = self.offsets[name]
        array = self.datasets[name][i] if offsets is None else self.datasets[name][offsets[i] : offsets[i + 1]]
        return np.asarray(array)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
