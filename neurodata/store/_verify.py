"""Proof of what is in a store: every file against the manifest, every chunk against its checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import MissingExtraError, NeurodataError, StoreError
from neurodata.progress import Progress, silent
from neurodata.storage import Fetched, Location, locate, read_bytes
from neurodata.store._files import Files, files_of, others_of, problem_of
from neurodata.store._layout import MANIFEST, Column
from neurodata.store._manifest import SEAL, manifest_bytes, read_manifest
from neurodata.store._reader import StoreReader
from neurodata.store._records import Json
from neurodata.store._shard import MISSING, DamageError, ShardFile
from neurodata.store._table import items_of_shards, spans_of
from neurodata.store._verify_books import commit_problems, conservation_problems, head_problems

# Of a store behind a URL: what samples may take that are fetched in the same requests.
_TOGETHER_BYTES = 32 << 20
# Events of a sample that are in memory at a time.
_EVENTS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found: one sentence per problem; the numbers of files and samples that the manifest lists."""

    problems: tuple[str, ...]
    n_files: int
    n_samples: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(path: str | Location, deep: bool = False, progress: Progress = silent) -> Verification:
    """Check a store; damage is reported, never raised.

    Always: the manifest against its own hash, existence and size of every file, files that do not belong there,
    the sample table and schemes, the index of every shard, what data.zarr says of itself, and that all events were
    encoded or dropped for a reason. With `deep`, also the sha256 of every file, the crc32c and decoding of every chunk,
    and that the commit records add up to manifest and sample table: a single changed byte anywhere is found. That the
    frames of a sample sum to its number of events is not checked: it is a property of some encodings, not of the
    format.

    Parameters
    ----------
    path
        The store: its folder, or its URL where what is behind it can be listed (not of web servers).
    deep
        Read everything.
    progress
        Told about files, and with `deep` about bytes and samples.

    Raises
    ------
    StorageError
        When the files behind a URL cannot be listed.
    MissingExtraError
        When a library that reads the URL is not installed.
    """
    path = locate(path)
    try:
        manifest = read_manifest(path)
    except MissingExtraError:
        raise
    except NeurodataError as error:
        return Verification((str(error),), 0, 0)
    files: dict[str, Json] = manifest["files"]
    found = files_of(path)
    problems = [
        *_manifest_form(path, manifest),
        *conservation_problems(path, manifest),
        *_files(path, files, found, deep, progress),
        *_orphans(path, files, found),
    ]
    try:
        with closing(StoreReader(path)) as reader:
            problems += head_problems(reader)
            if deep:
                problems += commit_problems(reader)
            problems += _samples(reader, deep, progress)
    except NeurodataError as error:
        problems.append(str(error))
    return Verification(tuple(problems), len(files) + 1, manifest["n_samples"])


def _manifest_form(path: Location, manifest: Json) -> Iterator[str]:
    rest = {name: entry for name, entry in manifest.items() if name != SEAL}
    if read_bytes(path / MANIFEST) != manifest_bytes(rest):
        yield f"{path / MANIFEST}: true, but not in the form that it was written in: edited or damaged"


def _files(path: Location, files: dict[str, Json], found: Files, deep: bool, progress: Progress) -> Iterator[str]:
    total = sum(entry["size_bytes"] for entry in files.values())
    done = 0
    for name, entry in files.items():
        problem = _file_problem(found, name, entry, deep)
        if problem:
            yield f"{path / name}: {problem}"
        done += entry["size_bytes"]
        progress("verify files", done, total, "B")


def _file_problem(found: Files, name: str, entry: Json, deep: bool) -> str | None:
    try:
        return problem_of(found, name, entry, deep)
    except (OSError, EOFError) as error:
        return getattr(error, "strerror", None) or str(error)


def _orphans(path: Location, files: dict[str, Json], found: Files) -> Iterator[str]:
    for name in others_of(path, found.names(), files):
        # Locks and the desktop's own files are hidden ones beside the manifest; what killed writers left ends in .tmp.
        is_control = "/" not in name and name.startswith(".") and not name.endswith(".tmp")
        if name != MANIFEST and not is_control:
            yield f"{path / name}: does not belong to the store (the manifest does not list it); delete it"


def _samples(reader: StoreReader, deep: bool, progress: Progress) -> Iterator[str]:
    """Problems of the shards' indexes and, with `deep`, of the chunks and what they hold."""
    layout, table, n_shards = reader.head.layout, reader.table, reader.manifest["n_shards"]
    spans = spans_of(table, layout)
    sizes = sum(
        ((span.stop - span.start) * column.item_bytes for column, span in zip(layout.all_columns, spans, strict=True)),
        np.zeros(len(table), np.int64),
    )
    n_items = [items_of_shards(table.shard, span.stop, n_shards) for span in spans]
    size = layout.samples_per_shard
    for shard in range(n_shards):
        samples = np.arange(shard * size, min((shard + 1) * size, len(reader)))
        for column, n in zip(layout.all_columns, n_items, strict=True):
            yield from _column(reader, column, shard, n[shard], samples)
        if deep:
            yield from _read_problems(reader, samples, sizes[samples])
        progress("verify samples", int(samples[-1]) + 1, len(reader), "samples")


def _read_problems(reader: StoreReader, samples: NDArray[np.int64], sizes_bytes: NDArray[np.int64]) -> Iterator[str]:
    for together in _together(samples, sizes_bytes):
        with (reader.fetch(together) if len(together) > 1 else Fetched()).in_use():
            for index in together.tolist():
                yield from _sample(reader, index)


def _together(samples: NDArray[np.int64], sizes_bytes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Neighbouring samples that take no more than `_TOGETHER_BYTES`, or one alone."""
    bounds, total = [0], 0
    for k, size_bytes in enumerate(sizes_bytes.tolist()):
        if total + size_bytes > _TOGETHER_BYTES and k > bounds[-1]:
            bounds.append(k)
            total = 0
        total += size_bytes
    return np.split(samples, bounds[1:])


def _sample(reader: StoreReader, index: int) -> Iterator[str]:
    """Problems of the chunks of one sample, and of what they hold."""
    reads: list[Callable[[], object]] = [
        partial(_check_events, reader, index) if reader.array is None else partial(reader.read, index)
    ]
    reads += [partial(reader.read_target, index, target.name) for target in reader.head.targets]
    for read_part in reads:
        try:
            read_part()
        except NeurodataError as error:
            yield str(error)


def _check_events(reader: StoreReader, index: int) -> None:
    """Raise StoreError where a sample's events are none, or are others than the time index says; a part at a time."""
    sensor = reader.require_events().sensor
    n_places = sensor.polarities * sensor.height * sensor.width
    n_events = int(reader.table.stop[index] - reader.table.start[index])
    places, times = reader.time_index(index)
    last = 0
    for first in range(0, n_events, _EVENTS_AT_ONCE):
        stop = first + _EVENTS_AT_ONCE
        t = reader.read_items(index, "t", first, stop)
        if t[0] < last or (t[1:] < t[:-1]).any():
            raise _untrue(reader, index, f"of the events {first} to {min(stop, n_events)} some are before others")
        last = t[-1]
        here = slice(*np.searchsorted(places, (first, stop)))
        if (wrong := np.flatnonzero(t[places[here] - first] != times[here])).size:
            place, told = places[here][wrong[0]], times[here][wrong[0]]
            found = t[place - first]
            raise _untrue(reader, index, f"the time index has {told} for its event {place}, which is at {found}")
        if (reader.read_items(index, "address", first, stop) >= n_places).any():
            raise _untrue(reader, index, "an address beyond the sensor's pixels")


def _untrue(reader: StoreReader, index: int, what: str) -> StoreError:
    return StoreError(f"sample {reader.table.keys[index]!r} of {reader.path}: {what}")


def _column(reader: StoreReader, column: Column, shard: int, n_items: int, samples: NDArray[np.int64]) -> Iterator[str]:
    """Problems of the index of one column of one shard."""
    layout = reader.head.layout
    n_chunks = -(-n_items // column.chunk_items)
    path = column.shard_path(shard)
    try:
        file = ShardFile(
            reader.path / path,
            column,
            layout.compression,
            column.n_chunks(n_items),
            reader.manifest["files"][path]["size_bytes"],
        )
    except (DamageError, OSError) as error:
        first, last = (reader.table.keys[index] for index in samples[[0, -1]])
        yield f"{error}; lost are {len(samples)} samples, {first!r} to {last!r}"
        return
    for place in range(n_chunks):
        try:
            file.extent(place)
        except DamageError as error:
            yield str(error)
    if np.any(file.index[n_chunks:] != MISSING):
        yield f"{reader.path / path}: the index has more chunks than the {n_chunks} of the table's samples"
