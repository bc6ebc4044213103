"""The folders of tonic's DiskCachedDataset: `train/12_0.hdf5` with the datasets data/0 and target/0.

That is what tonic 1.7 reads from and writes to its cache, as its source shows. A file is made in memory and then
written: HDF5 would end the process on a full disk.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._passing import EVENTS, FRAMES, Outgoing, Passing, by_split, described, files_in, measured
from neurodata.datasets import Partition
from neurodata.errors import FormatError
from neurodata.formats._hdf5 import damage_named, library, opened, require_readable, require_stored
from neurodata.signals import TONIC_EVENT_DTYPE

_NAME = re.compile(r"(\d+)_(\d+)\.hdf5")


class TonicCache:
    """The layout."""

    lossless = "frames in the stored type, events structured as tonic's (x and y int16), lzf"

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """A file a sample."""
        if split.targets:
            raise FormatError(
                f"samples have the targets {', '.join(split.targets)}, and tonic's cache is written for a class alone: "
                "choose webdataset, hdf5 or npz"
            )
        home = folder / split.partition
        home.mkdir()
        for k, sample in enumerate(samples):
            (home / f"{k}_0.hdf5").write_bytes(_file(home, sample))

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples by number, copy 0 of each."""
        top = path if path.is_dir() else path.parent
        for partition, files in by_split(files_in(path, (".hdf5",)), top).items():
            numbered = [
                (int(name[1]), file) for file in files if (name := _NAME.fullmatch(file.name)) and name[2] == "0"
            ]
            for _, file in sorted(numbered):
                yield partition, _sample(file)

    def recognises(self, path: Path) -> bool:
        """A folder with a file of such a name."""
        return path.is_dir() and any(_NAME.fullmatch(file.name) for file in path.rglob("*.hdf5"))


LAYOUT = TonicCache()


def structured(arrays: Any) -> NDArray[Any]:
    """Columns of events as tonic's record array.

    Raises
    ------
    FormatError
        When a coordinate does not fit int16.
    """
    largest = max((int(arrays[name].max()) for name in ("x", "y") if len(arrays[name])), default=0)
    if largest > np.iinfo(np.int16).max:
        raise FormatError(f"an event lies at {largest}; tonic's int16 coordinates reach to 32767")
    events = np.empty(len(arrays["t"]), TONIC_EVENT_DTYPE)
    for name in EVENTS:
        events[name] = arrays[name]
    return events


def _file(home: Path, sample: Passing) -> bytes:
    h5py = library(home)
    memory = io.BytesIO()
    data = structured(sample.arrays) if FRAMES not in sample.arrays else sample.arrays[FRAMES]
    with h5py.File(memory, "w") as file:
        file.create_dataset("data/0", data=data, compression="lzf" if data.ndim and data.size else None)
        file.create_dataset("target/0", data=sample.label)
        for name, value in described(sample).items():
            file.attrs[name] = value
    return memory.getvalue()


def _sample(path: Path) -> Passing:
    with opened(path) as file, damage_named(path):
        data, target = (_dataset(path, file, f"{name}/0") for name in ("data", "target"))
        if "data/1" in file:
            raise FormatError(f"{path}: a sample of several arrays; only one, of frames or events, can be imported")
        require_stored(path, {"data/0": data})
        array, label = data[()], target[()]
        told = {name: file.attrs[name] for name in ("key", "group", "n_events", "duration_us") if name in file.attrs}
    arrays = {FRAMES: array}
    if names := array.dtype.names:
        arrays = {name: array[name] for name in EVENTS if name in names}
    if np.size(label) != 1 or np.asarray(label).dtype.kind not in "iubO":
        raise FormatError(f"{path}: target/0 is {label!r}; expected a class, as a whole number or a name")
    value = np.asarray(label).reshape(-1)[0]
    name = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else int(value)
    return Passing(str(told.get("key", "")), name, str(told.get("group", "")), arrays, measured(told))


def _dataset(path: Path, file: Any, name: str) -> Any:
    found = file.get(name)
    if not isinstance(found, library(path).Dataset):
        raise FormatError(f"{path}: has no dataset {name}, which a file of tonic's cache has")
    require_readable(path, file, found, name)
    return found
