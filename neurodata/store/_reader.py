"""Reading a finished store: the sample table and schemes at once, frames one sample at a time, without zarr-python."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS
from neurodata.errors import NeurodataError, StorageError, StoreError
from neurodata.steps import ArraySpec
from neurodata.storage import Location, ShardCache, locate, open_access, read_bytes, stage_folder
from neurodata.store._layout import MANIFEST, ZARR, ArrayLayout
from neurodata.store._manifest import read_manifest
from neurodata.store._records import Counts, Json, SchemeIndex, StoreHead
from neurodata.store._shard import CRC_SIZE_BYTES, DamageError, Shard
from neurodata.store._table import NUMBER_COLUMNS, TEXT_COLUMNS, SampleTable

# Files are opened when first needed and kept, up to this many; macOS allows a process 256 by default.
MAX_OPEN_SHARDS = 64


class StoreReader:
    """A finished store, opened for reading.

    Threads may share a reader. It pickles as its path, and may be used on both sides of a fork. Reading writes
    nothing into the store.

    Parameters
    ----------
    path
        The folder that holds manifest.json, or its URL, such as "s3://lab/neurodata/n-mnist/frames-0123456789ab".
    stage
        An existing folder on a local disk, in which shard files are copied, each once for all processes of this
        user on this machine, before they are read: for stores on object storage and slow network file systems. What
        cannot be copied, and everything without `stage`, is read from the store by ranges.
    stage_limit
        Of all copies there: bytes, or text such as "50GB"; what was unused for longest is deleted. By default a tenth
        of the disk stays free.

    Attributes
    ----------
    path : Path or RemotePath
        The folder, absolute; or its URL.
    manifest : dict
        What manifest.json holds.
    head : StoreHead
        Dataset, recipe, source, classes, sensor and layout.
    counts : Counts
        Events read, encoded and dropped in the whole store.
    array : ArraySpec
        Shape, type and axes of one sample.
    table : SampleTable
        One row per sample; its arrays are read-only.
    schemes : dict of str to SchemeIndex
        Name to indices; the arrays are read-only.

    Raises
    ------
    StoreNotFoundError
        When there is no store at this path.
    StoreError
        When the store is unfinished, damaged or of a version that this release does not read.
    StorageError
        When a file cannot be read.
    """

    def __init__(
        self, path: str | Location, *, stage: str | Path | None = None, stage_limit: str | int | None = None
    ) -> None:
        self.path = locate(path)
        self._options: dict[str, Any] = {"stage": stage, "stage_limit": stage_limit}
        cache = stage_folder(stage, stage_limit)
        self.manifest = read_manifest(self.path)
        try:
            self.head = StoreHead.from_json(self.manifest)
            self.counts = Counts(**self.manifest["counts"])
            self.table = self._read_table(self.manifest["n_samples"])
            self.schemes = {name: self._read_scheme(name, entry) for name, entry in self.manifest["schemes"].items()}
            layout = self.head.layout
            files = [self.manifest["files"][layout.shard_path(shard)] for shard in range(self.manifest["n_shards"])]
            shards = [(entry["size_bytes"], entry["sha256"]) for entry in files]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, NeurodataError):
                raise
            raise StoreError(f"{self.path / MANIFEST}: entry missing or of another type: {error}") from error
        self.array = ArraySpec(layout.array.shape, layout.dtype, layout.array.axes)
        # Indexes stay when their file is closed: 16 bytes a sample.
        indexes: dict[int, NDArray[np.uint64]] = {}
        self._shard = lru_cache(MAX_OPEN_SHARDS)(partial(_open_shard, self.path, layout, shards, indexes, cache))
        self._closed = False

    def read_into(self, index: int, out: NDArray[Any]) -> None:
        """Read one sample into an array of the store's shape and type.

        One read of one chunk, checked by its crc32c; into `out` itself where that is C-contiguous. After an
        error the content of `out` is undefined.

        Parameters
        ----------
        index
            Row of the sample table, 0 to len(self) - 1.
        out
            Writable array of `array.shape` and `array.dtype`.

        Raises
        ------
        StoreError
            When the sample is damaged or its file missing; names the sample's key. Also after `close`.
        StorageError
            When the file cannot be read.
        """
        if not 0 <= index < len(self.table):
            raise IndexError(f"{self.path}: sample {index}; there are {len(self.table)}")
        if out.shape != self.array.shape or out.dtype != self.array.dtype or not out.flags.writeable:
            raise ValueError(
                f"out is {out.dtype} of shape {out.shape}, writable: {out.flags.writeable}; "
                f"expected {self.array.dtype} of shape {self.array.shape}, writable"
            )
        if self._closed:
            raise StoreError(f"{self.path}: the store was closed; open it again")
        if not out.flags.c_contiguous:
            out[...] = self.read(index)
            return
        shard, place = divmod(int(index), self.head.layout.samples_per_shard)
        try:
            self._shard(shard).read_into(place, out)
        except DamageError as damage:
            raise StoreError(
                f"sample {self.table.keys[index]!r}: {damage}; `neurodata verify {self.path}` lists all damage, "
                f"`neurodata prepare {self.head.dataset} --force` with the same options writes the store again"
            ) from damage
        except OSError as error:
            raise StorageError(f"sample {self.table.keys[index]!r} of {self.path} cannot be read: {error}") from error

    def read(self, index: int) -> NDArray[Any]:
        """One sample as a new array of `array.shape` and `array.dtype`; see `read_into`."""
        out = np.empty(self.array.shape, self.array.dtype)
        self.read_into(index, out)
        return out

    def close(self) -> None:
        """Close all files, each as soon as no other thread reads from it; reading afterwards is a StoreError."""
        self._closed = True
        self._shard.cache_clear()

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        layout = self.head.layout.array
        kind = f"{self.head.source_kind}, partial" if self.head.partial else self.head.source_kind
        return f"{type(self).__name__}({self.path} ({kind}): {len(self)} samples, {layout.dtype} {list(layout.shape)})"

    def __reduce__(self) -> tuple[Callable[..., StoreReader], tuple[Any, ...]]:
        return partial(type(self), **self._options), (self.path,)

    def _read_table(self, n_samples: int) -> SampleTable:
        numbers = {name: self._read_indices(f"samples/{name}", n_samples) for name in NUMBER_COLUMNS}
        texts = {name: self._read_array(f"samples/{name}", np.uint8).reshape(n_samples, -1) for name in TEXT_COLUMNS}
        return SampleTable.from_columns({**numbers, **texts})

    def _read_scheme(self, name: str, entry: Json) -> SchemeIndex:
        parts = {
            partition: self._read_indices(f"schemes/{name}/{partition}", entry["counts"][partition])
            for partition in PARTITIONS
        }
        return SchemeIndex(entry["description"], entry["sha256"], **parts)

    def _read_indices(self, name: str, length: int) -> NDArray[np.int64]:
        if length == 0:
            return np.empty(0, np.int64)  # Zarr has no chunk, and so no file, for an empty array
        array = self._read_array(name, np.int64)
        if len(array) != length:
            raise StoreError(f"{self.path}: {name} has {len(array)} entries; {MANIFEST} says {length}")
        return array

    def _read_array(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        """A small array: its only chunk, little-endian, without the crc32c (the manifest's sha256 says more)."""
        chunk = "c/0/0" if dtype is np.uint8 else "c/0"
        content = self._read_file(f"{ZARR}/{name}/{chunk}")
        body = np.frombuffer(memoryview(content)[:-CRC_SIZE_BYTES], np.dtype(dtype).newbyteorder("<"))
        return body.astype(dtype, copy=False)

    def _read_file(self, file: str) -> bytes:
        path = self.path / file
        expected = self.manifest["files"][file]["sha256"]
        try:
            content = read_bytes(path)
        except FileNotFoundError:
            raise StoreError(f"{path}: missing; `neurodata prepare` with the same arguments writes it again") from None
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise StoreError(
                f"{path}: {len(content)} bytes of sha256 {found}; expected {expected}: damaged; "
                f"`neurodata prepare {self.head.dataset} --force` with the same options writes the store again"
            )
        return content


def _open_shard(
    folder: Location,
    layout: ArrayLayout,
    shards: list[tuple[int, str]],
    indexes: dict[int, NDArray[np.uint64]],
    cache: ShardCache | None,
    number: int,
) -> Shard:
    size_bytes, sha256 = shards[number]
    opener = partial(cache.open, sha256=sha256) if cache else open_access
    shard = Shard(folder / layout.shard_path(number), layout, size_bytes, indexes.get(number), opener)
    indexes[number] = shard.index
    return shard
