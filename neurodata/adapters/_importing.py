"""A store of samples that were made elsewhere: looked through once, to see what they are, and then stored."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._map import class_index, classes_of, names_of
from neurodata.adapters._passing import CARD, EVENTS, FRAMES, TARGET, Passing, is_events
from neurodata.adapters.tonic import to_events
from neurodata.datasets import PARTITIONS, Partition, Scheme
from neurodata.errors import FormatError, NeurodataError, StoreError
from neurodata.forms import ClipForm, Form, ImageForm, Sensor, form_from_json
from neurodata.progress import Progress
from neurodata.recipe import SPARSE_DTYPES, STORE_VERSION
from neurodata.signals import EventArray
from neurodata.steps import STORABLE, ArraySpec
from neurodata.storage import cache_root, canonical_json, exclusive
from neurodata.store import (
    Counts,
    DenseLayout,
    EncodedSample,
    EventsLayout,
    SampleRow,
    SchemeIndex,
    SparseLayout,
    StoreHead,
    StoreReader,
    committed,
    finalise,
    write_shard,
)
from neurodata.store import Layout as StoreLayout
from neurodata.targets import TargetSpec

Samples = Callable[[], Iterator[tuple[Partition, Passing]]]
AXES = {4: ("time", "channel", "y", "x"), 3: ("time", "y", "x"), 2: ("time", "channel"), 1: ("time",)}


@dataclass(frozen=True, slots=True)
class Incoming:
    """Samples to be stored, which can be gone through twice, and what is said of them.

    Parameters
    ----------
    where
        They come from, for messages.
    kind
        The layout that they are in.
    name
        Of the dataset.
    samples
        Goes through all of them.
    card
        What the export says of itself.
    classes, axes
        As the caller states them.
    """

    where: str
    kind: str
    name: str
    samples: Samples
    card: Mapping[str, Any] | None
    classes: Sequence[str] | None
    axes: Sequence[str] | None


@dataclass(slots=True)
class Seen:
    """What all samples are, found by looking at each."""

    where: str
    order: list[str] = field(default_factory=list)  # keys as they come; groups and labels likewise
    keys: dict[Partition, list[str]] = field(default_factory=lambda: {part: [] for part in PARTITIONS})
    groups: list[str] = field(default_factory=list)
    labels: list[int | str] = field(default_factory=list)
    shapes: dict[str, set[tuple[int, ...]]] = field(default_factory=dict)
    dtypes: dict[str, set[str]] = field(default_factory=dict)
    largest: tuple[int, int] = (0, 0)  # x, y of events
    content: Any = field(default_factory=hashlib.sha256)

    def add(self, partition: Partition, sample: Passing) -> None:
        """Look at one."""
        key = sample.key or f"{partition}/{len(self.keys[partition])}"
        self._check_names(key, set(sample.arrays))
        self.order.append(key)
        self.keys[partition].append(key)
        self.groups.append(sample.group)
        self.labels.append(sample.label)
        self.content.update(canonical_json([partition, key, sample.label, sample.group]))
        for name, array in sample.arrays.items():
            is_ragged = name in EVENTS
            self.shapes.setdefault(name, set()).add(array.shape[1:] if is_ragged else array.shape)
            self.dtypes.setdefault(name, set()).add(array.dtype.newbyteorder("=").str)
            self.content.update(canonical_json([name, array.dtype.name, list(array.shape)]))
            self.content.update(np.ascontiguousarray(array).data if array.size else b"")
        if is_events(sample.arrays) and len(sample.arrays["x"]):
            x, y = (int(sample.arrays[name].max()) for name in ("x", "y"))
            self.largest = max(self.largest[0], x), max(self.largest[1], y)

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.labels)

    def _check_names(self, key: str, names: set[str]) -> None:
        signal = {name for name in names if not name.startswith(TARGET)}
        if signal not in ({FRAMES}, set(EVENTS)):
            raise FormatError(
                f"{self.where}: sample {key} has the arrays {', '.join(sorted(names))}; "
                "expected frames, or the columns t, x, y, p of events"
            )
        if self.labels and names != set(self.shapes):
            raise FormatError(
                f"{self.where}: sample {key} has the arrays {', '.join(sorted(names))}, and others "
                f"{', '.join(sorted(self.shapes))}"
            )


def write_store(
    incoming: Incoming,
    layout: str | None,
    samples_per_shard: int,
    cache: str | Path | None,
    progress: Progress,
    on_wait: Callable[[str], None] | None,
) -> Path:
    """The folder of a finished store of these samples: the one that is there, or a new one.

    Raises
    ------
    FormatError
        When samples do not go together.
    StoreError, StorageError
        When the layout cannot hold them, or the store cannot be written.
    """
    seen = _seen(incoming, progress)
    try:
        head, classes, scheme = _head(incoming, seen, layout, samples_per_shard)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, NeurodataError) or incoming.card is None:
            raise
        raise FormatError(
            f"{incoming.where}: its {CARD} is damaged ({error}); move it away to import the files without it"
        ) from error
    name = f"{head.recipe_name}-{head.recipe_id[:12]}{'-twin' * (head.source_kind == 'twin')}-{head.source_id[:8]}"
    folder = cache_root(cache) / "stores" / head.dataset / name
    with exclusive(folder.with_name(f".{name}.lock"), f"importing {name}", on_wait):
        if not _is_finished(folder):
            _write(incoming, seen, head, classes, scheme, folder, progress)
    return folder


def _seen(incoming: Incoming, progress: Progress) -> Seen:
    seen = Seen(incoming.where)
    for partition, sample in incoming.samples():
        progress("look through samples", seen.n, None, "samples")
        seen.add(partition, sample)
    if not seen.n:
        raise FormatError(f"{incoming.where}: holds no samples")
    if len(set(seen.order)) < seen.n:
        twice = Counter(seen.order).most_common(1)[0][0]
        raise FormatError(f"{incoming.where}: two samples have the key {twice!r}; take one out")
    return seen


def _head(
    incoming: Incoming, seen: Seen, layout: str | None, samples_per_shard: int
) -> tuple[StoreHead, tuple[str, ...], Scheme]:
    card = incoming.card or {}
    told = _told_classes(incoming)
    classes = tuple(map(str, told)) if told is not None else classes_of([seen.labels], incoming.where)
    stored = _layout(incoming, seen, layout, samples_per_shard)
    scheme_told = card.get("scheme") or {}
    scheme = Scheme(
        str(scheme_told.get("name", "imported")),
        str(scheme_told.get("description", "as folders and files are named")),
        *(tuple(seen.keys[part]) for part in PARTITIONS),
    )
    dataset = re.sub(r"[^\w-]", "-", incoming.name)
    recipe = {
        "store_version": STORE_VERSION,
        "dataset": {"name": dataset, "version": 1},
        "imported": {
            "version": 1,
            "classes": list(classes),
            **({"recipe": card["recipe"]} if "recipe" in card else {}),
        },
        "layout": stored.to_json(),
    }
    kind = card.get("source_kind")
    head = StoreHead(
        dataset=dataset,
        dataset_version=1,
        recipe_name="imported",
        recipe=recipe,
        recipe_id=hashlib.sha256(canonical_json(recipe)).hexdigest(),
        source_id=seen.content.hexdigest(),
        # A look-alike stays one, whatever way it goes.
        source_kind="twin" if kind == "twin" else "folder",
        partial=bool(card.get("partial", False)),
        default_scheme=scheme.name,
        classes=classes,
        form=_form(card, seen, stored),
        layout=stored,
    )
    return head, classes, scheme


def _layout(incoming: Incoming, seen: Seen, wanted: str | None, samples_per_shard: int) -> StoreLayout:
    content = (incoming.card or {}).get("content", {}).get("layout", {})
    files: dict[str, Any] = {
        "samples_per_shard": samples_per_shard,
        "targets": tuple(map(TargetSpec.from_json, content.get("targets", ()))),
    }
    if missing := {TARGET + spec.name for spec in files["targets"]} ^ {n for n in seen.shapes if n.startswith(TARGET)}:
        raise FormatError(f"{seen.where}: {', '.join(sorted(missing))} in the card, or in files, but not in both")
    if is_events(seen.shapes):
        if wanted is not None:
            raise FormatError(f"{seen.where}: holds events, which are stored as such: leave the layout out")
        return EventsLayout(_sensor(incoming, seen), compression="zstd", **files)
    array = _array(incoming, seen, content)
    kind = wanted or content.get("kind") or ("sparse" if array.has_variable_steps else "dense")
    if kind not in ("dense", "sparse"):
        raise FormatError(f"layout {kind!r}; expected dense or sparse")
    if kind == "dense" and array.has_variable_steps:
        raise FormatError(
            f"{seen.where}: samples differ in length: a dense store holds one shape; choose layout sparse"
        )
    if kind == "sparse" and array.dtype.name not in SPARSE_DTYPES:
        way_out = "pad or cut them to one length" if array.has_variable_steps else "choose layout dense"
        raise FormatError(
            f"{seen.where}: frames are {array.dtype}, and a sparse store holds {', '.join(SPARSE_DTYPES)}: {way_out}"
        )
    return DenseLayout(array, compression="zstd", **files) if kind == "dense" else SparseLayout(array, **files)


def _array(incoming: Incoming, seen: Seen, content: Mapping[str, Any]) -> ArraySpec:
    shapes, dtypes = seen.shapes[FRAMES], seen.dtypes[FRAMES]
    dtype = np.dtype(next(iter(dtypes)))
    if len(dtypes) > 1 or dtype.name not in STORABLE:
        raise FormatError(
            f"{seen.where}: frames are {', '.join(sorted(dtypes))}; expected one of {', '.join(STORABLE)}"
        )
    items = {shape[1:] for shape in shapes}
    if len(items) > 1 or len({len(shape) for shape in shapes}) > 1:
        few = ", ".join(map(str, sorted(shapes)[:4]))
        raise FormatError(f"{seen.where}: frames of the shapes {few}; only the first axis may differ")
    is_variable = len(shapes) > 1 or bool(content.get("shape") and content["shape"][0] == 0)
    shape = next(iter(shapes))
    shape = (0, *shape[1:]) if is_variable else shape
    told = incoming.axes if incoming.axes is not None else content.get("axes")
    axes = tuple(told) if told is not None else AXES.get(len(shape), tuple(f"axis{k}" for k in range(len(shape))))
    if len(axes) != len(shape):
        raise FormatError(
            f"{seen.where}: frames have {len(shape)} axes, {shape}, and {len(axes)} names: {', '.join(axes)}"
        )
    return ArraySpec(shape, dtype, axes, is_variable)


def _sensor(incoming: Incoming, seen: Seen) -> Sensor:
    content = (incoming.card or {}).get("content", {}).get("layout", {})
    if "sensor" in content:
        return Sensor(**content["sensor"])
    return Sensor(seen.largest[0] + 1, seen.largest[1] + 1)


def _form(card: Mapping[str, Any], seen: Seen, stored: StoreLayout) -> Form:
    """What samples were before they were made frames; as near as their shape tells."""
    if "form" in card.get("content", {}):
        return form_from_json(card["content"]["form"])
    if isinstance(stored, EventsLayout):
        return stored.sensor
    *_, height, width = (1, 1, *next(iter(seen.shapes[FRAMES])))
    n_axes = len(next(iter(seen.shapes[FRAMES])))
    if n_axes <= 2:
        return Sensor(max(1, min(width, 1 << 16)), 1, 1)
    if n_axes == 3:
        return ImageForm(width, height)
    return ClipForm(width, height, next(iter(seen.shapes[FRAMES]))[-3])


def _write(
    incoming: Incoming,
    seen: Seen,
    head: StoreHead,
    classes: tuple[str, ...],
    scheme: Scheme,
    folder: Path,
    progress: Progress,
) -> None:
    rows = _rows(seen, classes, _told_classes(incoming) is None)
    size = head.layout.samples_per_shard
    n_shards = -(-len(rows) // size)
    again = Seen(incoming.where)
    samples = _looked_at(incoming, again)
    for shard in range(n_shards):
        of_shard = rows[shard * size : (shard + 1) * size]
        progress("import", shard * size, len(rows), "samples")
        found = islice(samples, len(of_shard))
        if committed(folder, shard, head.layout, of_shard):
            deque(found, maxlen=0)  # passed by: an earlier run stored them
        else:
            counts = _Counting()
            write_shard(folder, shard, head.layout, counts.encoded(head, of_shard, found), counts.total)
    if next(samples, None) is not None or again.content.digest() != seen.content.digest():
        raise FormatError(
            f"{incoming.where}: samples are others than a moment ago: leave them alone while they are read"
        )
    progress("import", len(rows), len(rows), "samples")
    place = {row.key: k for k, row in enumerate(rows)}
    parts = (np.array([place[key] for key in getattr(scheme, part)], np.int64) for part in PARTITIONS)
    index = SchemeIndex(scheme.description, scheme.sha256, *parts)
    finalise(folder, head, n_shards, {scheme.name: index})


def _looked_at(incoming: Incoming, seen: Seen) -> Iterator[Passing]:
    for partition, sample in incoming.samples():
        seen.add(partition, sample)
        yield sample


def _told_classes(incoming: Incoming) -> Sequence[Any] | None:
    return incoming.classes if incoming.classes is not None else (incoming.card or {}).get("classes")


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

    def total(self) -> Counts:
        return Counts(self.n_events, self.n_events)

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
                signal = _events(sample, head.layout.sensor, row.key)
                self.n_events += len(signal)
                n_events, duration_us, start_us = (
                    n_events or len(signal),
                    duration_us or signal.duration_us,
                    signal.start_us,
                )
            else:
                signal = _native(sample.arrays[FRAMES])
            yield EncodedSample(row, signal, n_events, duration_us, start_us, targets)


def _events(sample: Passing, sensor: Sensor, key: str) -> EventArray:
    lengths = {len(sample.arrays[name]) for name in EVENTS}
    if len(lengths) > 1:
        raise FormatError(f"{key}: its columns t, x, y, p have the lengths {sorted(lengths)}; expected one")
    columns = np.empty(lengths.pop(), [(name, sample.arrays[name].dtype) for name in EVENTS])
    for name in EVENTS:
        columns[name] = sample.arrays[name]
    signal = to_events(columns, sensor).signal
    assert isinstance(signal, EventArray)
    return signal


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def _is_finished(folder: Path) -> bool:
    try:
        StoreReader(folder)
    except (StoreError, OSError):
        return False
    return True
