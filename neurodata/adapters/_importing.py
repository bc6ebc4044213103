"""A store of samples that were made elsewhere: looked through once, to see what they are, and then stored."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._imported_head import imported_head
from neurodata.adapters._incoming import Incoming, Seen, as_seen, look_through, told_classes
from neurodata.adapters._labels import class_index, names_of
from neurodata.adapters._passing import CARD, EVENTS, FRAMES, TARGET, Passing
from neurodata.adapters.tonic import to_events
from neurodata.datasets import PARTITIONS, Scheme
from neurodata.errors import FormatError, NeurodataError, SignalError
from neurodata.pipeline import is_finished
from neurodata.progress import Progress
from neurodata.signals import EventArray, Sensor
from neurodata.storage import Lease, Location, cache_root, exclusive
from neurodata.store import (
    Counts,
    EncodedSample,
    EventsLayout,
    SampleRow,
    SchemeIndex,
    StoreHead,
    committed,
    finalise,
    write_shard,
)


def write_store(
    incoming: Incoming,
    layout: str | None,
    samples_per_shard: int,
    cache: str | Path | None,
    progress: Progress,
    on_wait: Callable[[str], None] | None,
) -> Location:
    """The place of a finished store of these samples: the one that is there, or a new one.

    Raises
    ------
    FormatError
        When samples do not go together.
    StoreError, StorageError
        When the layout cannot hold them, or the store cannot be written.
    """
    seen = look_through(incoming, progress)
    try:
        head, classes, scheme = imported_head(incoming, seen, layout, samples_per_shard)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, NeurodataError) or incoming.card is None:
            raise
        raise FormatError(
            f"{incoming.where}: its {CARD} is damaged ({error}); move it away to import the files without it"
        ) from error
    name = f"{head.recipe_name}-{head.recipe_id[:12]}{'-twin' * (head.source_kind == 'twin')}-{head.source_id[:8]}"
    folder = cache_root(cache) / "stores" / head.dataset / name
    with exclusive(folder.parent / f".{name}.lock", f"importing {name}", on_wait) as lease:
        if not is_finished(folder):
            _write(incoming, seen, head, classes, scheme, folder, progress, lease)
    return folder


def _write(
    incoming: Incoming,
    seen: Seen,
    head: StoreHead,
    classes: tuple[str, ...],
    scheme: Scheme,
    folder: Location,
    progress: Progress,
    lease: Lease,
) -> None:
    rows = _rows(seen, classes, told_classes(incoming) is None)
    size = head.layout.samples_per_shard
    n_shards = -(-len(rows) // size)
    samples = as_seen(incoming, seen)
    for shard in range(n_shards):
        of_shard = rows[shard * size : (shard + 1) * size]
        progress("import", shard * size, len(rows), "samples")
        found = islice(samples, len(of_shard))
        if committed(folder, shard, head.layout, of_shard):
            deque(found, maxlen=0)  # passed by: an earlier run stored them
        else:
            lease.check()
            counts = _Counting()
            write_shard(folder, shard, head.layout, counts.encoded(head, of_shard, found), counts.total)
    deque(samples, maxlen=0)  # there must be no more of them
    progress("import", len(rows), len(rows), "samples")
    place = {row.key: k for k, row in enumerate(rows)}
    parts = (np.array([place[key] for key in getattr(scheme, part)], np.int64) for part in PARTITIONS)
    index = SchemeIndex(scheme.description, scheme.sha256, *parts)
    lease.check()
    finalise(folder, head, n_shards, {scheme.name: index})


def _rows(seen: Seen, classes: tuple[str, ...], by_name: bool) -> list[SampleRow]:
    found = names_of(seen.labels) if by_name else seen.labels
    labels = [
        class_index(label, classes, key) if classes else _number(label, key)
        for key, label in zip(seen.order, found, strict=True)
    ]
    return [SampleRow(key, label, group) for key, label, group in zip(seen.order, labels, seen.groups, strict=True)]


def _number(label: int | str, key: str) -> int:
    if not isinstance(label, int):
        raise FormatError(f"{key}: has the label {label!r}, and there are no classes; expected a whole number")
    return label


class _Counting:
    """Events that go by."""

    def __init__(self) -> None:
        self.n_events = 0
        self.notes: Counter[str] = Counter()

    def total(self) -> Counts:
        return Counts(self.n_events, self.n_events, {}, self.notes)

    def encoded(
        self, head: StoreHead, rows: Sequence[SampleRow], samples: Iterator[Passing]
    ) -> Iterator[EncodedSample]:
        for row, sample in zip(rows, samples, strict=True):
            targets = {
                name.removeprefix(TARGET): _native(array)
                for name, array in sample.arrays.items()
                if name.startswith(TARGET)
            }
            signal: NDArray[Any] | EventArray
            n_events, duration_us = sample.measured.get("n_events", 0), sample.measured.get("duration_us", 0)
            start_us = 0
            if isinstance(head.layout, EventsLayout):
                signal, findings = _events(sample, head.layout.sensor, row.key)
                self.n_events += len(signal)
                self.notes += Counter(findings)
                n_events, duration_us, start_us = (
                    n_events or len(signal),
                    duration_us or signal.duration_us,
                    signal.start_us,
                )
            else:
                signal = _native(sample.arrays[FRAMES])
            yield EncodedSample(row, signal, n_events, duration_us, start_us, targets)


def _events(sample: Passing, sensor: Sensor, key: str) -> tuple[EventArray, Mapping[str, int]]:
    shapes = {sample.arrays[name].shape for name in EVENTS}
    if len(shapes) > 1 or len(shape := shapes.pop()) != 1:
        told = ", ".join(f"{name} {sample.arrays[name].shape}" for name in EVENTS)
        raise FormatError(f"{key}: its columns have the shapes {told}; expected one axis, of one length")
    columns = np.empty(shape, [(name, sample.arrays[name].dtype) for name in EVENTS])
    for name in EVENTS:
        columns[name] = sample.arrays[name]
    try:
        reading = to_events(columns, sensor)
    except (FormatError, SignalError) as error:
        raise FormatError(f"{key}: {error}") from error
    assert isinstance(reading.signal, EventArray)
    return reading.signal, reading.findings


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
