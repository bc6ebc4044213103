"""What passes between stores and layouts on disk: samples as arrays by name, and a card that says what they are."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS, Partition
from neurodata.errors import FormatError, StorageError
from neurodata.loader import Split
from neurodata.storage import read_json
from neurodata.store import EventsLayout

CARD = "neurodata.json"
# Columns of events; everything else is "frames" and "target.NAME".
EVENTS = ("t", "x", "y", "p")
EVENT_BYTES = 13
FRAMES = "frames"
TARGET = "target."
# Samples, and bytes, that are fetched at a time from a store behind a URL; a larger sample is fetched alone.
FETCHED = 64
FETCHED_BYTES = 1 << 27
# Numbers of the sample table that go along.
MEASURED = ("n_events", "duration_us")
# What folders and files of others call the partitions.
SPLIT_NAMES: dict[str, Partition] = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


class Passing(NamedTuple):
    """One sample on its way.

    Parameters
    ----------
    key, group
        As in the sample table; empty where a file does not tell.
    label
        Class index, or the name of a class.
    arrays
        "frames" [T, C, H, W], or the columns of events t, x, y, p [n]; and "target.NAME".
    measured
        `n_events` and `duration_us`; 0 where a file does not tell.
    """

    key: str
    label: int | str
    group: str
    arrays: Mapping[str, NDArray[Any]]
    measured: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A split to be written: what its samples have in common.

    Parameters
    ----------
    partition
        "train", "validation" or "test".
    classes
        Names by label.
    n
        Number of samples.
    has_events
        Whether samples are events.
    recipe
        By which they were made, as the store holds it.
    targets
        Names of what they have besides a class.
    stacked
        Names of the arrays that are of one shape in all samples.
    """

    partition: str
    classes: tuple[str, ...]
    n: int
    has_events: bool
    recipe: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    stacked: frozenset[str] = frozenset()


class Layout(Protocol):
    """A way to keep samples in files; a module of this folder offers one as `LAYOUT`."""

    # What it keeps as it is, for people.
    lossless: str

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """Write one split into the folder, which other splits may be in.

        Raises
        ------
        FormatError
            When the layout cannot hold samples like these.
        """
        ...

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples in the order of each split.

        Raises
        ------
        FormatError
            When a file is damaged or of another layout.
        """
        ...

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder without a card looks like it."""
        ...


def outgoing(split: Split) -> tuple[Outgoing, Callable[[], Iterator[Passing]]]:
    """What a split has in common, and its samples in order: events as stored where it is a store of events."""
    store, has_events = split.store, holds_events(split)
    stacked = {TARGET + spec.name for spec in split.target_specs if not spec.is_ragged}
    if not has_events and not split.spec.has_variable_steps:
        stacked.add(FRAMES)
    common = Outgoing(
        split.origin.partition,
        split.classes,
        len(split),
        has_events,
        store.head.recipe,
        tuple(spec.name for spec in split.target_specs),
        frozenset(stacked),
    )

    def sample(i: int) -> Passing:
        index, row = int(split.indices[i]), split.row(i)
        arrays: dict[str, NDArray[Any]]
        if has_events:
            events = store.read_events(index)
            arrays = {"t": events.t, "x": events.x, "y": events.y, "p": events.p}
        else:
            arrays = {FRAMES: split.source.read(index)}
        for spec in split.target_specs:
            arrays[TARGET + spec.name] = store.read_target(index, spec.name)
        return Passing(row.key, row.target, row.group, arrays, dict(row.meta))

    def samples() -> Iterator[Passing]:
        for some in _fetched_together(split):
            with store.fetch(split.indices[some.start : some.stop]).in_use():
                yield from map(sample, some)

    return common, samples


def _fetched_together(split: Split) -> Iterator[range]:
    """Runs of samples, of a bounded size unpacked."""
    table, array = split.store.table, split.store.array
    if array is None:
        n_bytes = table.n_events[split.indices] * EVENT_BYTES
    else:
        n_bytes = table.n_steps[split.indices] * (math.prod(array.shape[1:]) * array.dtype.itemsize)
    first, total = 0, 0
    for k, size in enumerate(n_bytes.tolist()):
        if k > first and (total + size > FETCHED_BYTES or k - first == FETCHED):
            yield range(first, k)
            first, total = k, 0
        total += size
    yield range(first, len(split))


def holds_events(split: Split) -> bool:
    """Whether samples are events as stored, and no frames that a view makes of them."""
    return isinstance(split.store.head.layout, EventsLayout) and split.source.view is None


def is_events(arrays: Mapping[str, Any]) -> bool:
    """Whether there are the columns of events."""
    return set(EVENTS) <= set(arrays)


def described(sample: Passing) -> dict[str, Any]:
    """Everything of a sample but its arrays, as JSON values."""
    return {"key": sample.key, "group": sample.group, **{name: int(n) for name, n in sample.measured.items()}}


def measured(told: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of the sample table that a file tells, as far as they can be ones."""
    found = {name: told[name] for name in MEASURED if isinstance(told.get(name), int | np.integer)}
    return {name: int(value) for name, value in found.items() if 0 <= value < 1 << 63}


def read_card(path: Path) -> dict[str, Any] | None:
    """What an export says of itself; None where there is no card.

    Raises
    ------
    FormatError
        When it is damaged.
    """
    file = (path if path.is_dir() else path.parent) / CARD
    if not file.is_file():
        return None
    try:
        card = read_json(file)
    except StorageError as error:
        raise FormatError(str(error)) from error
    kinds = {"version": int, "kind": str, "classes": list, "scheme": dict, "content": dict}
    is_card = isinstance(card, dict) and all(isinstance(card.get(name), kind) for name, kind in kinds.items())
    if not is_card or card["version"] != 1:
        raise FormatError(f"{file}: is no card of an export of version 1; move it away to import the files without it")
    found: dict[str, Any] = card
    return found


def split_of(words: Iterable[str]) -> Partition | None:
    """The partition that a part of a path names."""
    return next((SPLIT_NAMES[word.lower()] for word in words if word.lower() in SPLIT_NAMES), None)


def files_in(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file, or the files of a folder and those below it, by name; hidden ones are left out.

    Raises
    ------
    FormatError
        When there are none.
    """
    if path.is_file():
        return [path]
    found = [
        file
        for file in path.rglob("*")
        if file.suffix in suffixes and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise FormatError(f"{path}: no {' or '.join(suffixes)} files there")
    return sorted(found)


def by_split(files: Iterable[Path], top: Path) -> dict[Partition, list[Path]]:
    """Files by the partition that their path below `top` names; those that name none are for training.

    A folder names one that is called so; a file, where a word of its name does: `test-0001.tar`, `shd_test.h5`.
    """
    found: dict[Partition, list[Path]] = {part: [] for part in PARTITIONS}
    for file in files:
        *folders, name = file.relative_to(top).parts
        part = split_of(folders) or split_of(re.split(r"[\W_]+", name)) or split_of([top.name])
        found[part or "train"].append(file)
    return {part: own for part, own in found.items() if own}


def npy_bytes(array: NDArray[Any]) -> bytes:
    """An array as an .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(
        file, np.ascontiguousarray(array).reshape(array.shape), version=(1, 0), allow_pickle=False
    )
    return file.getvalue()


def json_of(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    FormatError
        When it is none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: no JSON ({error})") from error
    if not isinstance(found, dict):
        raise FormatError(f"{where}: holds a JSON {type(found).__name__}; expected an object")
    return found
