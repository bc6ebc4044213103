"""Events in HDF5: files opened by the extra `hdf5`, and datasets of columns or of records as a `Source`.

Every failure of the library on a damaged file is a FormatError; sizes are compared with what is stored before
anything is allocated; links to other files are not followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, MissingExtraError, NeurodataError, SignalError
from neurodata.formats._blocks import Columns
from neurodata.formats._columns import checked, require_types
from neurodata.formats._file import RecordingFile
from neurodata.signals import Sensor
from neurodata.storage import writing

MAGIC = b"\x89HDF\r\n\x1a\n"
NAMES = ("t", "x", "y", "p")
CACHE_BYTES = 1 << 24  # of each dataset: chunks up to this size are unpacked once for all blocks in them
LARGEST_CHUNK_BYTES = 1 << 28
# Events never pack so well; what does is made to fill memory.
MOST_PACKED = 250
SMALL_BYTES = 1 << 26


def library(path: Path) -> Any:
    """The module h5py, with the filters of hdf5plugin."""
    try:
        import_module("hdf5plugin")
        return import_module("h5py")
    except ImportError as error:
        raise MissingExtraError(
            f'{path}: HDF5 is read by h5py and hdf5plugin: pip install "neurodata-pipeline[hdf5]"'
        ) from error


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what h5py raises on damaged files into a FormatError."""
    try:
        yield
    except NeurodataError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise FormatError(f"{path}: HDF5 cannot be read ({error}); the file is damaged: get it again") from error


@contextmanager
def opened(path: Path, fingerprint: tuple[int, int] | None = None, at: int = 0) -> Iterator[Any]:
    """An h5py.File to read, whose HDF5 begins at a byte."""
    with RecordingFile(path, fingerprint) as file:
        if file.read(len(MAGIC), at) != MAGIC:
            raise FormatError(f"{path}: byte {at}: does not begin as HDF5")
    h5py = library(path)
    with damage_named(path):
        found = h5py.File(path, "r", locking=False, rdcc_nbytes=CACHE_BYTES)
    try:
        yield found
    finally:
        with damage_named(path):
            found.close()


class Target(RawIOBase):
    """The file that HDF5 writes to; a failed write inside HDF5 would end the process, so it is told of afterwards."""

    def __init__(self, file: BinaryIO) -> None:
        self._file: Any = file
        self._error: OSError | None = None

    def require_written(self) -> None:
        """Raise the OSError of what has failed."""
        if self._error is not None:
            raise self._error

    def _tried(self, action: Callable[..., int | None], *arguments: Any) -> int:
        if self._error is None:
            try:
                return action(*arguments) or 0
            except OSError as error:
                self._error = error
        return 0

    def seek(self, at: int, whence: int = 0) -> int:
        """As for files."""
        return self._tried(self._file.seek, at, whence)

    def readinto(self, buffer: Any) -> int:
        """As for files."""
        return self._tried(self._file.readinto, buffer)

    def write(self, data: Any) -> int:
        """As for files."""
        return self._tried(self._file.write, data)

    def truncate(self, size: int | None = None) -> int:
        """As for files."""
        return self._tried(self._file.truncate, size)

    def flush(self) -> None:
        """As for files."""
        self._tried(self._file.flush)


@contextmanager
def created(path: Path) -> Iterator[tuple[Any, Target]]:
    """An h5py.File to write, which appears when it is complete, and the target to ask whether that goes well."""
    h5py = library(path)
    with writing(path) as raw:
        target = Target(raw)
        with h5py.File(target, "w") as file:
            yield file, target
        target.require_written()


def reason_not(head: bytes, path: Path, names: tuple[str, ...], groups: tuple[str, ...] = ()) -> str | None:
    """None for HDF5 with datasets and groups of these names, else why not: what formats sniff by."""
    if not head.startswith(MAGIC):
        return "does not begin as HDF5"
    try:
        with opened(path) as file, damage_named(path):
            h5py = library(path)
            missing = [name for name in names if not isinstance(file.get(name), h5py.Dataset)]
            missing += [name for name in groups if not isinstance(file.get(name), h5py.Group)]
    except (FormatError, MissingExtraError) as error:
        return str(error).removeprefix(f"{path}: ")
    return f"has no {', '.join(missing)}" if missing else None


@dataclass(frozen=True, slots=True)
class Datasets:
    """A `Source`: four datasets t, x, y, p, or one of records with these fields.

    Parameters
    ----------
    path
        The file.
    names
        Of the datasets.
    n_events
        Length of each.
    offset_us
        Added to every time.
    """

    path: Path
    names: tuple[str, ...]
    n_events: int
    offset_us: int = 0

    @contextmanager
    def opened(self, fingerprint: tuple[int, int] | None = None) -> Iterator[DatasetReader]:
        """The file, open."""
        with opened(self.path, fingerprint) as file:
            with damage_named(self.path):
                found = [file[name] for name in self.names]
            yield DatasetReader(self, found)


@dataclass(frozen=True, slots=True)
class DatasetReader:
    """Reads stretches of the datasets."""

    source: Datasets
    datasets: list[Any]

    def read(self, first: int, last: int) -> Columns:
        """Events first to last - 1, in the order of the file."""
        with damage_named(self.source.path):
            found = [dataset[first:last] for dataset in self.datasets]
        t, x, y, p = found if len(found) == len(NAMES) else (found[0][name] for name in NAMES)
        return checked(self.source.path, (t, x, y, p), self.place, first, self.source.offset_us)

    def place(self, k: int) -> str:
        """Event k, and the byte at which it or its chunk begins."""
        dataset = self.datasets[-1]
        with damage_named(self.source.path):
            if dataset.chunks is None:
                byte = (dataset.id.get_offset() or 0) + k * dataset.dtype.itemsize
            else:
                byte = dataset.id.get_chunk_info_by_coord((k // dataset.chunks[0] * dataset.chunks[0],)).byte_offset
        return f"event {k}, byte {byte}"


def require_sound(path: Path, file: Any, names: tuple[str, ...]) -> int:
    """Check types, sizes and filters of the datasets; returns their length.

    Raises
    ------
    FormatError
        When one is missing, elsewhere, of another type or shape, larger than what is stored can unpack to, or
        packed by a filter that is not installed.
    """
    with damage_named(path):
        datasets = {name: sound_dataset(path, file, name) for name in names}
        types = (
            {name.rsplit("/", 1)[-1]: dataset.dtype for name, dataset in datasets.items()}
            if len(names) == len(NAMES)
            else {name: datasets[names[0]].dtype[name] for name in NAMES}
        )
        require_types(path, types)
        lengths = {name: dataset.shape[0] for name, dataset in datasets.items()}
    if len(set(lengths.values())) != 1:
        raise FormatError(f"{path}: the columns have different lengths ({lengths}); the file is damaged")
    require_stored(path, datasets)
    return int(lengths[names[0]])


def require_stored(path: Path, datasets: Mapping[str, Any]) -> None:
    """Refuse datasets, by name, that are larger than what is stored of them can unpack to."""
    with damage_named(path):
        n_bytes = sum(math.prod(dataset.shape) * dataset.dtype.itemsize for dataset in datasets.values())
        n_stored = sum(dataset.id.get_storage_size() for dataset in datasets.values())
    if n_stored > path.stat().st_size or n_bytes > max(SMALL_BYTES, MOST_PACKED * n_stored):
        raise FormatError(
            f"{path}: {n_stored} bytes are to become {n_bytes} in {', '.join(datasets)}; the file is damaged, or made "
            "to fill memory"
        )


def whole_column(path: Path, file: Any, name: str, kinds: str) -> NDArray[Any]:
    """All of a dataset of one axis, of a NumPy type of these kinds ("iu", "f", "S").

    Raises
    ------
    FormatError
        As `require_sound`.
    """
    with damage_named(path):
        dataset = sound_dataset(path, file, name)
        if dataset.dtype.kind not in kinds:
            raise FormatError(f"{path}: {name} holds {dataset.dtype}; expected one of the kinds {', '.join(kinds)}")
        require_stored(path, {name: dataset})
        values: NDArray[Any] = dataset[:]
    return values


def whole_number(path: Path, holder: Any, name: str) -> int | None:
    """A scalar dataset or attribute; None when there is none."""
    with damage_named(path):
        found = holder.get(name)
        if found is None:
            return None
        value = np.asarray(found if isinstance(found, np.generic) else found[()])
    if value.shape not in ((), (1,)) or value.dtype.kind not in "iu" or abs(int(value.item())) > 2**61:
        raise FormatError(f"{path}: {name} is {value.dtype} of shape {value.shape}; expected one whole number")
    return int(value.item())


def told_sensor(path: Path, holder: Any) -> Sensor | None:
    """The sensor of datasets or attributes `width` and `height`, with `polarities` where we wrote them."""
    with damage_named(path):
        width, height = (whole_number(path, holder, name) for name in ("width", "height"))
        if width is None or height is None:
            return None
        polarities = whole_number(path, holder, "polarities")
    try:
        return Sensor(width, height, 2 if polarities is None else polarities)
    except SignalError as error:
        raise FormatError(f"{path}: {error}; the file is damaged") from error


def tell_sensor(file: Any, sensor: Sensor) -> None:
    """Write it into the attributes of a file."""
    for name, size in (("width", sensor.width), ("height", sensor.height), ("polarities", sensor.polarities)):
        file.attrs[name] = np.int64(size)


def sound_dataset(path: Path, file: Any, name: str, n_axes: tuple[int, ...] = (1,)) -> Any:
    """A dataset of so many axes (one of these numbers) that `require_readable` accepts.

    Raises
    ------
    FormatError
        When it is missing, of another shape, or cannot be read.
    """
    dataset = file.get(name)
    if not isinstance(dataset, library(path).Dataset) or len(dataset.shape or ()) not in n_axes:
        raise FormatError(f"{path}: {name} is no dataset of {_one_of(n_axes)}; the file is of another layout")
    require_readable(path, file, dataset, name)
    return dataset


def require_readable(path: Path, file: Any, dataset: Any, name: str) -> None:
    """Refuse a dataset that lies in another file, has huge chunks, or is packed by a filter that is not installed."""
    if dataset.is_virtual or dataset.external or dataset.file.filename != file.filename:
        raise FormatError(f"{path}: {name} lies in another file; such links are not followed: copy it into one file")
    n_in_chunk = math.prod(dataset.chunks or ())
    if n_in_chunk * dataset.dtype.itemsize > LARGEST_CHUNK_BYTES:
        raise FormatError(f"{path}: {name} has chunks of {n_in_chunk} elements; rewrite it with smaller ones")
    h5py = library(path)
    created = dataset.id.get_create_plist()
    for k in range(created.get_nfilters()):
        number, _, _, title = created.get_filter(k)
        if not h5py.h5z.filter_avail(number):
            raise FormatError(
                f"{path}: {name} is packed by the HDF5 filter {number} ({title.decode('utf-8', 'replace')}), which "
                f"is not installed; {_ways_out(number)}"
            )


def _one_of(n_axes: tuple[int, ...]) -> str:
    words = {1: "one axis", 2: "two axes", 3: "three axes"}
    return " or ".join(words[n] for n in n_axes)


ECF = 0x8ECF


def _ways_out(number: int) -> str:
    if number == ECF:
        return (
            "build Prophesee's plugin https://github.com/prophesee-ai/hdf5_ecf and name its folder in "
            "HDF5_PLUGIN_PATH, or convert the file with metavision_file_to_csv and read it as csv_xypt_us"
        )
    return "name the folder of its plugin in HDF5_PLUGIN_PATH"
