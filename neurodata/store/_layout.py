"""How a store keeps its samples: three layouts, what one sample is in each, and the names of the files.

Every layout is one or several columns: arrays of items, kept in one shard file for `samples_per_shard` samples, in
chunks of `chunk_items` items. A sample is the items `start` to `stop` of its shard, the same in every column of the
layout; targets besides the class are columns with places of their own. The format is described in
`docs/store-format.md`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import StoreError
from neurodata.recipe import SPARSE_DTYPES, Compression
from neurodata.signals import EventArray, Sensor
from neurodata.steps import LARGEST_ARRAY_BYTES, STORABLE, ArraySpec
from neurodata.store._sparse_code import encode
from neurodata.targets import TargetSpec, check_targets

MANIFEST = "manifest.json"
COMMITS = "commits"
ZARR = "data.zarr"

SMALL_CHUNK_BYTES = 1 << 14
EVENTS_PER_CHUNK = 1 << 15
CHUNKS_PER_INDEX_CHUNK = 1 << 10
LONGEST_SAMPLE_US = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Column:
    """An array of items: its path inside data.zarr, the type and shape of an item, and how many make a chunk.

    Parameters
    ----------
    is_aligned
        Whether each sample begins a chunk: what fills up its last chunk costs nothing once compressed.
    shard_chunks
        Chunks that the index of a shard has room for, where all shards are parts of one array; None: each shard is an
        array of its own, as long as what it holds.
    axes
        Names of the axes of an item.
    every
        Items of the layout's other columns for which there is one here.
    """

    name: str
    dtype: np.dtype[Any]
    item_shape: tuple[int, ...]
    chunk_items: int
    is_aligned: bool = False
    shard_chunks: int | None = None
    axes: tuple[str, ...] = ()
    every: int = 1

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return math.prod(self.item_shape) * self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one chunk, uncompressed."""
        return self.chunk_items * self.item_bytes

    def n_chunks(self, n_items: int) -> int:
        """Entries of the index of a shard with this many items."""
        return max(1, -(-n_items // self.chunk_items)) if self.shard_chunks is None else self.shard_chunks

    def shard_path(self, shard: int) -> str:
        """Path inside the store of the file of one shard: Zarr names a shard by its place along each axis."""
        inner = "/0" * len(self.item_shape)
        if self.shard_chunks is None:
            return f"{ZARR}/{self.name}/{shard}/c/0{inner}"
        return f"{ZARR}/{self.name}/c/{shard}{inner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the layouts share; a layout is a `DenseLayout`, a `SparseLayout` or an `EventsLayout`.

    Parameters
    ----------
    samples_per_shard
        Samples in one shard; the last shard may hold fewer.
    compression, level
        Of each chunk: "none" or "zstd" of level 1 to 22.
    targets
        What is stored of each sample besides its signal and its class.
    """

    samples_per_shard: int
    compression: Compression = "none"
    level: int = 1
    targets: tuple[TargetSpec, ...] = ()

    kind: ClassVar[str]

    def check_files(self) -> None:
        """StoreError when shards or chunks cannot be made like this."""
        if self.samples_per_shard < 1:
            raise StoreError(f"samples_per_shard is {self.samples_per_shard}; expected at least 1")
        if self.compression not in ("none", "zstd") or not 1 <= self.level <= 22:
            raise StoreError(
                f'compression is {self.compression!r}, level {self.level}; expected "none" or "zstd", level 1 to 22'
            )
        check_targets(self.targets)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the signal."""
        raise NotImplementedError

    @property
    def target_columns(self) -> tuple[Column, ...]:
        """The columns of the targets, one for each."""
        return tuple(map(self._target_column, self.targets))

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Columns of the signal, then those of the targets."""
        return self.columns + self.target_columns

    @property
    def is_packed(self) -> bool:
        """Whether chunks are compressed."""
        return self.compression != "none"

    def _target_column(self, target: TargetSpec) -> Column:
        """A ragged target in small chunks; others an item a sample: a chunk holds one, or all of a shard if small."""
        name, dtype = f"targets/{target.name}", _little_endian(target.dtype)
        if target.is_ragged:
            rows = max(1, SMALL_CHUNK_BYTES // target.item_bytes)
            return Column(name, dtype, target.item_shape, rows, self.is_packed, axes=target.axes[1:])
        is_small = target.item_bytes * self.samples_per_shard <= SMALL_CHUNK_BYTES
        n_chunks = 1 if is_small else self.samples_per_shard
        items = self.samples_per_shard // n_chunks
        return Column(name, dtype, target.shape, items, shard_chunks=n_chunks, axes=target.axes)

    def target_pieces(self, targets: Mapping[str, NDArray[Any]], key: str) -> tuple[NDArray[Any], ...]:
        """The items of one sample in each column of the targets; StoreError when they are not those of the layout."""
        names = [target.name for target in self.targets]
        if set(targets) != set(names):
            raise StoreError(f"sample {key!r} has the targets {sorted(targets)}; expected {sorted(names)}")
        pieces = []
        for target in self.targets:
            found = targets[target.name]
            free = int(target.is_ragged)
            if (
                found.dtype != target.dtype
                or found.ndim != len(target.shape)
                or found.shape[free:] != target.shape[free:]
            ):
                raise StoreError(f"sample {key!r}: target {target} is {found.dtype} of shape {found.shape}")
            pieces.append(found if target.is_ragged else found[np.newaxis])
        return tuple(pieces)

    def pieces(self, signal: Any, key: str) -> tuple[NDArray[Any], ...]:
        """The items of one sample in each column; StoreError when the sample does not fit the layout."""
        raise NotImplementedError

    def n_steps(self, signal: Any) -> int:
        """Length of the sample's first axis; 0 where frames are made at load."""
        raise NotImplementedError

    def shard_paths(self, shard: int) -> list[str]:
        """Paths of all files of a shard."""
        return [column.shard_path(shard) for column in self.all_columns]

    def to_json(self) -> dict[str, Any]:
        """The layout as the store's JSON files hold it."""
        compression = {"name": "none"} if self.compression == "none" else {"name": "zstd", "level": self.level}
        common = {"kind": self.kind, "samples_per_shard": self.samples_per_shard, "compression": compression}
        return common | ({"targets": [target.to_json() for target in self.targets]} if self.targets else {})


@dataclass(frozen=True, slots=True)
class FramesLayout(Layout):
    """What the layouts that store frames share.

    Parameters
    ----------
    array
        Shape, type and axes of one sample.
    """

    array: ArraySpec

    def n_steps(self, signal: NDArray[Any]) -> int:
        """Length of the first axis."""
        return signal.shape[0] if signal.ndim else 1

    def to_json(self) -> dict[str, Any]:
        """The layout as the store's JSON files hold it."""
        array = self.array
        described = {"shape": list(array.shape), "dtype": array.dtype.name, "axes": list(array.axes)}
        return Layout.to_json(self) | described


@dataclass(frozen=True, slots=True)
class DenseLayout(FramesLayout):
    """One array a sample, all of one shape, one sample a chunk: [N, *shape] is one Zarr array.

    Parameters
    ----------
    array
        Shape, type and axes of one sample.

    Raises
    ------
    StoreError
        When the array cannot be stored: an empty axis, an unknown type, axes without names.
    """

    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        self.check_files()
        _check_array(self.array, STORABLE)
        if self.array.has_variable_steps:
            raise StoreError('a dense layout holds samples of one shape; choose layout "sparse" or "events"')

    @property
    def columns(self) -> tuple[Column, ...]:
        """The frames, an item a sample."""
        dtype, shape, axes = _little_endian(self.array.dtype), self.array.shape, self.array.axes
        return (Column("frames", dtype, shape, 1, shard_chunks=self.samples_per_shard, axes=axes),)

    def pieces(self, signal: NDArray[Any], key: str) -> tuple[NDArray[Any], ...]:
        """The sample as one item."""
        _check_sample(signal, self.array, key)
        return (signal[np.newaxis],)


@dataclass(frozen=True, slots=True)
class SparseLayout(FramesLayout):
    """Counts of which most are zero, as a code of about one byte for each that is not (`_sparse_code`).

    Parameters
    ----------
    array
        Shape, type and axes of one sample; the first axis may be as long as the sample (0 in the shape).

    Raises
    ------
    StoreError
        When the numbers are not unsigned counts, or an axis is empty or without a name.
    """

    kind: ClassVar[str] = "sparse"

    def __post_init__(self) -> None:
        self.check_files()
        _check_array(self.array, SPARSE_DTYPES)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The code, an item a byte."""
        return (Column("sparse/code", np.dtype(np.uint8), (), SMALL_CHUNK_BYTES, self.is_packed),)

    def pieces(self, signal: NDArray[Any], key: str) -> tuple[NDArray[Any], ...]:
        """The code of the sample."""
        _check_sample(signal, self.array, key)
        return (encode(signal),)


@dataclass(frozen=True, slots=True)
class EventsLayout(Layout):
    """Events as two columns, from which frames are made when they are loaded, and an index of their times.

    `t` is microseconds since the sample's origin, uint32; `address` is (p * height + y) * width + x in
    the smallest unsigned type that holds every place of the sensor. `chunk_t` is the first time of each chunk of `t`.
    Samples may share items: windows of one recording have the same origin.

    Parameters
    ----------
    sensor
        The pixel grid of the stored events.
    """

    sensor: Sensor
    kind: ClassVar[str] = "events"

    def __post_init__(self) -> None:
        self.check_files()

    @property
    def address_dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every address."""
        sensor = self.sensor
        return np.dtype(np.min_scalar_type(sensor.polarities * sensor.height * sensor.width - 1)).newbyteorder("<")

    @property
    def columns(self) -> tuple[Column, ...]:
        """Time and address, an item an event; and the time index, an item a chunk of these."""
        return (
            Column("events/t", np.dtype("<u4"), (), EVENTS_PER_CHUNK, self.is_packed),
            Column("events/address", self.address_dtype, (), EVENTS_PER_CHUNK, self.is_packed),
            Column("events/chunk_t", np.dtype("<u4"), (), CHUNKS_PER_INDEX_CHUNK, every=EVENTS_PER_CHUNK),
        )

    def pieces(self, signal: EventArray, key: str) -> tuple[NDArray[Any], ...]:
        """Times since the first event, and addresses."""
        if signal.sensor != self.sensor:
            raise StoreError(f"sample {key!r} is from {signal.sensor}; expected {self.sensor}")
        if signal.duration_us > LONGEST_SAMPLE_US:
            raise self.too_long(key, signal.duration_us)
        since_first = (signal.t - signal.t[:1]).astype("<u4")
        return since_first, addresses(signal).astype(self.address_dtype)

    def too_long(self, key: str, duration_us: int) -> StoreError:
        """The error of a sample whose times do not fit; a recording of any length fits as windows of it."""
        return StoreError(
            f"sample {key!r} is {duration_us} us long; an events layout holds up to {LONGEST_SAMPLE_US} us "
            "(71 minutes) a sample: cut it by labels, by --window-us or by time_slice"
        )

    def n_steps(self, signal: EventArray) -> int:
        """0: how many frames there are is said at load."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The layout as the store's JSON files hold it."""
        return Layout.to_json(self) | {"sensor": asdict(self.sensor)}


def layout_from_json(layout: Mapping[str, Any]) -> Layout:
    """The layout that `to_json` wrote."""
    kind, compression = layout["kind"], layout["compression"]
    files: dict[str, Any] = {
        "samples_per_shard": operator.index(layout["samples_per_shard"]),
        "compression": compression["name"],
        "level": compression.get("level", 1),
        "targets": tuple(map(TargetSpec.from_json, layout.get("targets", ()))),
    }
    if kind == EventsLayout.kind:
        return EventsLayout(Sensor(**layout["sensor"]), **files)
    if kind not in (DenseLayout.kind, SparseLayout.kind):
        raise StoreError(f"layout {kind!r}: this release reads dense, sparse and events")
    shape = tuple(map(operator.index, layout["shape"]))
    array = ArraySpec(shape, np.dtype(layout["dtype"]), tuple(layout["axes"]), 0 in shape[:1])
    return DenseLayout(array, **files) if kind == DenseLayout.kind else SparseLayout(array, **files)


def addresses(events: EventArray) -> NDArray[np.int64]:
    """The place of each event in a frame [C, H, W] in C order, int64 [n]."""
    height, width = events.sensor.height, events.sensor.width
    p = events.p if events.sensor.polarities == 2 else np.zeros(len(events), np.bool_)
    return (p.astype(np.int64) * height + events.y) * width + events.x


def commit_path(shard: int) -> str:
    """Path of a shard's commit record inside the store."""
    return f"{COMMITS}/{shard:05d}.json"


def check_scheme_name(name: str) -> None:
    """A scheme's name is a folder's name, on every file system and in Zarr."""
    if not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
        raise StoreError(f"scheme {name!r}: a name is lower-case letters, digits, hyphens and underscores")


def _little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type as stored: little-endian on every machine."""
    return dtype.newbyteorder("<")


def _check_array(array: ArraySpec, dtypes: tuple[str, ...]) -> None:
    if array.dtype.name not in dtypes:
        raise StoreError(f"array of type {array.dtype}: this layout holds {', '.join(dtypes)}")
    if any(size < 1 for size in array.shape[array.has_variable_steps :]):
        raise StoreError(f"array of shape {array.shape}: every axis of a stored array has at least length 1")
    if math.prod(array.shape[array.has_variable_steps :]) * array.dtype.itemsize > LARGEST_ARRAY_BYTES:
        raise StoreError(f"array of shape {array.shape}: a stored array has at most {LARGEST_ARRAY_BYTES} bytes")
    names = set(array.axes) - {"", "sample"}
    if not len(names) == len(array.axes) == len(array.shape):
        raise StoreError(
            f"array of shape {array.shape} with the axes {array.axes}: "
            'expected one name per axis, each different and none of them "sample"'
        )


def _check_sample(found: NDArray[Any], expected: ArraySpec, key: str) -> None:
    free = int(expected.has_variable_steps)
    if (
        found.shape[free:] != expected.shape[free:]
        or found.ndim != len(expected.shape)
        or found.dtype != expected.dtype
    ):
        raise StoreError(
            f"sample {key!r} is {found.dtype} of shape {found.shape}; "
            f"expected {expected.dtype} of shape {expected.shape}"
        )
