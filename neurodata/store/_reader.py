"""Reading a finished store: the sample table and schemes at once, one sample at a time, without zarr-python."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS
from neurodata.errors import NeurodataError, StorageError, StoreError, UnknownNameError
from neurodata.signals import EventArray
from neurodata.steps import ArraySpec
from neurodata.storage import Fetched, Location, RemotePath, locate, read_bytes, stage_folder
from neurodata.store._check_table import check_table
from neurodata.store._fetch import fetch_samples
from neurodata.store._layout import MANIFEST, ZARR, DenseLayout, EventsLayout, Layout, SparseLayout
from neurodata.store._manifest import read_manifest
from neurodata.store._records import Counts, Json, SchemeIndex, StoreHead
from neurodata.store._shard import CRC_SIZE_BYTES, DamageError, Verify, as_bytes
from neurodata.store._shards import Shards, chunks_of
from neurodata.store._sparse_code import decode_into
from neurodata.store._table import NUMBER_COLUMNS, TEXT_COLUMNS, SampleTable, Span, spans_of, target_folder

# Files are opened when first needed and kept, up to this many; macOS allows a process 256 by default.
MAX_OPEN_FILES = 64

# The columns of a store of events, as `read_items` calls them.
_ITEMS = ("t", "address", "chunk_t")


class StoreReader:
    """A finished store, opened for reading.

    Threads may share a reader. It pickles as its path, and may be used on both sides of a fork. Reading writes
    nothing into the store.

    Parameters
    ----------
    path
        The folder that holds manifest.json, or its URL, such as "s3://lab/neurodata/n-mnist/frames-0123456789ab".
    verify
        When checksums of chunks are compared: "always", at the "first-read" of each chunk by this reader, or "never".
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
    array : ArraySpec or None
        Shape, type and axes of one sample; None in a store of events, whose frames are made at load.
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
        self,
        path: str | Location,
        verify: Verify = "always",
        *,
        stage: str | Path | None = None,
        stage_limit: str | int | None = None,
    ) -> None:
        if verify not in get_args(Verify):
            raise StoreError(f"verify={verify!r}: expected {' or '.join(get_args(Verify))}")
        self.path = locate(path)
        self._options: dict[str, Any] = {"verify": verify, "stage": stage, "stage_limit": stage_limit}
        self.verify = verify
        self.manifest = read_manifest(self.path)
        try:
            self.head = self._read_head()
            self.counts = Counts(**self.manifest["counts"])
            self.table = self._read_table(self.manifest["n_samples"])
            self.schemes = {name: self._read_scheme(name, entry) for name, entry in self.manifest["schemes"].items()}
            check_table(self.path, self.head, self.table, self.manifest["n_shards"], self.schemes)
            cache = stage_folder(stage, stage_limit)
            self._spans = spans_of(self.table, self.head.layout)
            self._shards = Shards(self.path, self.head.layout, self.manifest, self.table, self._spans, verify, cache)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            if isinstance(error, NeurodataError):
                raise
            raise StoreError(f"{self.path / MANIFEST}: entry missing or of another type: {error}") from error
        self.array = _stored_array(self.head.layout)
        # Looked at for every sample.
        self._columns = self.head.layout.all_columns
        n_columns = len(self.head.layout.columns)
        self._targets = {target.name: (n_columns + k, target) for k, target in enumerate(self.head.targets)}
        self._largest_count = _largest_count(self.array)
        self._open = lru_cache(MAX_OPEN_FILES)(self._shards.open)
        self._scratch = threading.local()
        self._closed = False

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of one stored array."""
        array = self.require_array()
        return (int(self.table.n_steps[index]), *array.shape[1:]) if array.has_variable_steps else array.shape

    def read_into(self, index: int, out: NDArray[Any]) -> None:
        """Read one sample, checked by its crc32c, into an array.

        After an error the content of `out` is undefined.

        Parameters
        ----------
        index
            Row of the sample table, 0 to len(self) - 1.
        out
            Writable, of `shape(index)`. Best of the stored type and C-contiguous: it is read straight into place then.
            Or of a type that holds every number that the stored one can, or float32, which rounds others.

        Raises
        ------
        StoreError
            When the sample is damaged or its file missing; names the sample's key. Also after `close`, and for a
            store of events.
        StorageError
            When the file cannot be read.
        """
        array, layout = self.require_array(), self.head.layout
        self._check_index(index)
        if out.shape != self.shape(index) or not _takes(out.dtype, array.dtype) or not out.flags.writeable:
            raise ValueError(
                f"out is {out.dtype} of shape {out.shape}, writable: {out.flags.writeable}; "
                f"expected {array.dtype} of shape {self.shape(index)}, writable"
            )
        if not out.flags.c_contiguous:
            out[...] = self.read(index)
        elif not isinstance(layout, DenseLayout):
            self._decode(index, out.reshape(-1))
        elif out.dtype == array.dtype:
            self._read_column(index, 0, as_bytes(out))
        else:
            stored = self._read_column(index, 0)
            out[...] = stored.view(array.dtype).reshape(out.shape)

    def read(self, index: int) -> NDArray[Any]:
        """One sample as a new array of `shape(index)` and `array.dtype`; see `read_into`."""
        array = self.require_array()
        self._check_index(index)
        out = np.empty(self.shape(index), array.dtype)
        self.read_into(index, out)
        return out

    def read_events(self, index: int, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """The events of one sample, in a store of events, with their times on the recording's clock; or some of them.

        A part is found by the time index: what is read besides it is the index, which has an entry for 32,768 events,
        and the chunks in which it begins and ends.

        Parameters
        ----------
        index
            Row of the sample table, 0 to len(self) - 1.
        start_us, stop_us
            Only events with start_us <= t < stop_us; None is the start or end of the sample.

        Raises
        ------
        StoreError
            As for `read_into`, and for a store of frames.
        """
        self.require_events()
        self._check_index(index)
        return self._read_events(index, self._items_between(index, start_us, stop_us))

    def _read_events(self, index: int, items: tuple[int, int]) -> EventArray:
        sensor = self.require_events().sensor
        t = self._read_items(index, "t", items).astype(np.int64) + self.table.origin_us[index]
        address = self._read_items(index, "address", items).astype(np.intp)
        rows, x = np.divmod(address, sensor.width)
        p, y = np.divmod(rows, sensor.height)
        if len(p) and int(p.max()) >= sensor.polarities:
            raise StoreError(f"sample {self.table.keys[index]!r} of {self.path}: an address beyond the sensor's pixels")
        p = p.astype(np.bool_) if sensor.polarities == 2 else np.ones(len(p), np.bool_)
        return EventArray(t, x.astype(np.uint16), y.astype(np.uint16), p, sensor)

    def read_code(self, index: int) -> NDArray[np.uint8]:
        """The sparse code of one sample: an array that this thread's next read writes over.

        Raises
        ------
        StoreError
            As for `read_into`, and for a store of another layout.
        """
        if not isinstance(self.head.layout, SparseLayout):
            raise StoreError(f"{self.path}: its layout is {self.head.layout.kind}; only a sparse one has codes")
        self._check_index(index)
        return self._read_column(index, 0)

    def read_items(self, index: int, name: str, first: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Times "t" or addresses "address" as stored: an array that this thread's next read writes over.

        Times are microseconds since `table.origin_us`. `first` and `stop` (half-open) choose among the sample's events.

        Raises
        ------
        StoreError
            As for `read_events`.
        """
        self.require_events()
        self._check_index(index)
        begin, end = int(self.table.start[index]), int(self.table.stop[index])
        return self._read_items(index, name, (begin + first, end if stop is None else min(begin + stop, end)))

    def _read_items(self, index: int, name: str, items: tuple[int, int]) -> NDArray[Any]:
        """The items of a sample's shard from one to the other."""
        number = _ITEMS.index(name)
        return self._read_column(index, number, items=items).view(self._columns[number].dtype)

    def _items_between(self, index: int, start_us: int | None, stop_us: int | None) -> tuple[int, int]:
        """Which items of the shard are the sample's from one time to the other."""
        start = int(self.table.start[index]) if start_us is None else self._first_item(index, start_us)
        stop = int(self.table.stop[index]) if stop_us is None else self._first_item(index, stop_us)
        return start, max(start, stop)

    def _first_item(self, index: int, time_us: int) -> int:
        """The sample's first item at a time or after it; its end where there is none."""
        start, stop = int(self.table.start[index]), int(self.table.stop[index])
        stored_us = min(max(0, time_us - int(self.table.origin_us[index])), 1 << 32)
        size, n_together = self._columns[0].chunk_items, self._columns[_ITEMS.index("chunk_t")].chunk_items
        # The first chunk of the sample that begins at that time or later is one of low to high.
        low, high = start // size + 1, max(start // size + 1, -(-stop // size))
        while low < high:
            middle = (low + high - 1) // 2 // n_together * n_together
            first, last = max(low, middle), min(high, middle + n_together)
            times = self._read_items(index, "chunk_t", (first, last))
            found = first + int(np.searchsorted(times, stored_us))
            low, high = (found if found > first else low), (found if found < last else high)
        begin, end = max(start, (low - 1) * size), min(stop, low * size)
        return begin + int(np.searchsorted(self._read_items(index, "t", (begin, end)), stored_us))

    def time_index(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which events of a sample begin a chunk, after the first one, int64 [k]; and their times as stored, int64 [k].

        Raises
        ------
        StoreError
            As for `read_events`.
        """
        self.require_events()
        self._check_index(index)
        start, stop = int(self.table.start[index]), int(self.table.stop[index])
        size = self._columns[0].chunk_items
        first = start // size + 1
        chunks = first, max(first, -(-stop // size))
        # Read first: a table that is not true is found out before there is memory for what it says.
        times = self._read_items(index, "chunk_t", chunks).astype(np.int64)
        return np.arange(*chunks, dtype=np.int64) * size - start, times

    @property
    def is_remote(self) -> bool:
        """Whether the store is behind a URL, where `fetch` saves requests."""
        return isinstance(self.path, RemotePath)

    def fetch(
        self,
        indices: NDArray[np.int64],
        names: Sequence[str] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Fetched:
        """What the store's files hold of several samples, in few requests; read them in `with fetched.in_use():`.

        A range of a file that is close to the one before shares a request with it, and requests run side by side.
        Nothing is fetched of a store on a local disk, nor of files that are staged. What is damaged, missing or cannot
        be had shows when a sample is read.

        Parameters
        ----------
        indices
            Rows of the sample table, int64 [n], in any order.
        names
            What will be read of the events of a store of events, "t" or "address"; both by default. Targets always are,
            and the time index never is.
        cancelled
            Asked before requests are made; when it is true, nothing more is fetched.

        Raises
        ------
        StoreError
            After `close`.
        """
        if self._closed:
            raise self._is_closed()
        if not self.is_remote:
            return Fetched()
        for index in indices.tolist():
            self._check_index(index)
        n_own = len(self.head.layout.columns)
        own = [number for number in range(n_own) if self._columns[number].every == 1]
        if names is not None:
            own = [*map(_ITEMS.index, names)]
        numbers = [*own, *range(n_own, len(self._columns))]
        return fetch_samples(self._shards, self._open, indices, numbers, cancelled)

    def read_target(self, index: int, name: str) -> NDArray[Any]:
        """A target of one sample, checked by its crc32c, as a new array of the shape and type that `head.targets` says.

        Raises
        ------
        UnknownNameError
            When the store has no target of that name.
        StoreError, StorageError
            As for `read_into`.
        """
        if name not in self._targets:
            raise UnknownNameError(f"{self.path}: no target {name!r}; there is {', '.join(self._targets) or 'none'}")
        self._check_index(index)
        number, target = self._targets[name]
        items = self._read_column(index, number).view(self._columns[number].dtype)
        shape = (-1, *target.item_shape) if target.is_ragged else target.shape
        return items.reshape(shape).astype(target.dtype)

    def _decode(self, index: int, out: NDArray[Any]) -> None:
        """The cells that a sparse code tells, over all of `out`, 1-D."""
        code = self._read_column(index, 0)
        if (n_tokens := decode_into(code, out, self._largest_count)) < 0:
            raise StoreError(
                f"sample {self.table.keys[index]!r} of {self.path}: byte {-1 - n_tokens} of its code names no cell of "
                f"{self.shape(index)} with a {self.require_array().dtype} count"
            )

    def _read_column(
        self, index: int, number: int, out: NDArray[np.uint8] | None = None, items: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """The bytes of one sample in a column: in `out`, if it has the size of whole chunks, or in scratch memory.

        Or those of other items of its shard.
        """
        if self._closed:
            raise self._is_closed()
        column = self._columns[number]
        span = self._spans[number]
        start, stop = items or (int(span.start[index]), int(span.stop[index]))
        first, n_chunks = chunks_of(start, stop, column)
        try:
            # Before there is memory for them: a file that opens has an index of as many chunks as the table says.
            file = self._open(int(self.table.shard[index]), number) if n_chunks else None
            chunks = self._scratch_bytes(n_chunks * column.chunk_bytes) if out is None else out
            if file is not None:
                file.read_into(first, chunks)
        except DamageError as damage:
            raise StoreError(
                f"sample {self.table.keys[index]!r}: {damage}; `neurodata verify {self.path} --deep` lists all damage, "
                f"`neurodata repair {self.path}` makes what is damaged again from its source"
            ) from damage
        except OSError as error:
            raise StorageError(f"sample {self.table.keys[index]!r} of {self.path} cannot be read: {error}") from error
        item_bytes = column.item_bytes
        skipped = (start - first * column.chunk_items) * item_bytes
        return chunks[skipped : skipped + (stop - start) * item_bytes]

    def _scratch_bytes(self, n: int) -> NDArray[np.uint8]:
        """Memory of this thread, n bytes: fresh pages for every sample would cost more than reading it."""
        kept: NDArray[np.uint8] | None = getattr(self._scratch, "bytes", None)
        if kept is None or len(kept) < n:
            kept = self._scratch.bytes = np.empty(max(n, 1 << 16), np.uint8)
        return kept[:n]

    def _is_closed(self) -> StoreError:
        return StoreError(f"{self.path}: the store was closed; open it again")

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self.table):
            raise IndexError(f"{self.path}: sample {index}; there are {len(self.table)}")

    def require_array(self) -> ArraySpec:
        """Shape, type and axes of one stored array; StoreError in a store of events."""
        if self.array is None:
            raise StoreError(
                f"{self.path}: a store of events has no frames until it is said how they are made, as in "
                f'neurodata.load("{self.head.dataset}", T=16, layout="events") or '
                'split.with_view([{"name": "event_frame", "T": 16}])'
            )
        return self.array

    def require_events(self) -> EventsLayout:
        """The layout of a store of events; StoreError in one of frames."""
        layout = self.head.layout
        if not isinstance(layout, EventsLayout):
            raise StoreError(f"{self.path}: holds frames ({layout.kind}), not events; prepare it with --layout events")
        return layout

    def close(self) -> None:
        """Close all files, each as soon as no other thread reads from it; reading afterwards is a StoreError."""
        self._closed = True
        self._open.cache_clear()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def contents(self) -> str:
        """What a sample is, in words: "uint8 [16, 2, 128, 128]", or "events on 128x128x2"."""
        layout = self.head.layout
        return f"events on {layout.sensor}" if isinstance(layout, EventsLayout) else _described(self.require_array())

    def __repr__(self) -> str:
        kind = f"{self.head.source_kind}, partial" if self.head.partial else self.head.source_kind
        return f"{type(self).__name__}({self.path} ({kind}): {len(self)} samples, {self.contents})"

    def __reduce__(self) -> tuple[Callable[..., StoreReader], tuple[Location]]:
        return partial(type(self), **self._options), (self.path,)

    def _read_head(self) -> StoreHead:
        try:
            return StoreHead.from_json(self.manifest)
        except NeurodataError as error:
            raise StoreError(
                f"{self.path / MANIFEST}: {error}; damaged, or of a writer that does not follow the format"
            ) from error

    def _read_table(self, n_samples: int) -> SampleTable:
        numbers = {name: self._read_indices(f"samples/{name}", n_samples) for name in NUMBER_COLUMNS}
        texts = {name: self._read_array(f"samples/{name}", np.uint8).reshape(n_samples, -1) for name in TEXT_COLUMNS}
        ragged = [target.name for target in self.head.targets if target.is_ragged]
        spans = {name: self._read_span(name, n_samples) for name in ragged}
        return SampleTable.from_columns({**numbers, **texts}, spans)

    def _read_span(self, name: str, n_samples: int) -> Span:
        return Span(*(self._read_indices(f"samples/{target_folder(name)}/{end}", n_samples) for end in Span._fields))

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
                f"`neurodata repair {self.path}` makes it again from its source"
            )
        return content


def _stored_array(layout: Layout) -> ArraySpec | None:
    """Shape, type and axes of a stored array, the type in the byte order of the store."""
    array: ArraySpec | None = getattr(layout, "array", None)
    return array and replace(array, dtype=array.dtype.newbyteorder("<"))


def _largest_count(array: ArraySpec | None) -> int:
    """The largest number that an unsigned type holds; 1 for bool."""
    return int(np.iinfo(array.dtype).max) if array is not None and array.dtype.kind == "u" else 1


def _takes(out: np.dtype[Any], stored: np.dtype[Any]) -> bool:
    return out == np.float32 or np.can_cast(stored, out, "safe")


def _described(array: ArraySpec) -> str:
    steps = ["T" if array.has_variable_steps and k == 0 else str(size) for k, size in enumerate(array.shape)]
    return f"{array.dtype} [{', '.join(steps)}]"
