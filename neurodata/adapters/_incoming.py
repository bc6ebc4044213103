"""Samples that are to be stored, and what looking at each of them tells."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodata.adapters._passing import EVENTS, FRAMES, TARGET, Passing, is_events
from neurodata.datasets import PARTITIONS, Partition
from neurodata.errors import FormatError
from neurodata.progress import Progress
from neurodata.storage import canonical_json

Samples = Callable[[], Iterator[tuple[Partition, Passing]]]


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
    is_part
        Whether these may be fewer samples than the export says it has: one file of several was named.
    """

    where: str
    kind: str
    name: str
    samples: Samples
    card: Mapping[str, Any] | None
    classes: Sequence[str] | None
    axes: Sequence[str] | None
    is_part: bool = False


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
    digests: list[bytes] = field(default_factory=list)  # of the content up to each sample

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
        self.digests.append(self.content.digest())
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


def look_through(incoming: Incoming, progress: Progress) -> Seen:
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


def as_seen(incoming: Incoming, seen: Seen) -> Iterator[Passing]:
    """The samples once more; each is compared with what it was before anybody gets it.

    Raises
    ------
    FormatError
        When one is another, or there are more or fewer of them: nothing of it may be stored.
    """
    again = Seen(incoming.where)
    for k, (partition, sample) in enumerate(incoming.samples()):
        again.add(partition, sample)
        if again.digests[k:] != seen.digests[k : k + 1]:
            raise FormatError(_changed(incoming, f"the first is {again.order[k]}"))
        yield sample
    if again.n < seen.n:
        raise FormatError(_changed(incoming, f"there were {seen.n}, and are {again.n}"))


def _changed(incoming: Incoming, what: str) -> str:
    return f"{incoming.where}: samples are others than a moment ago ({what}): leave them alone while they are read"


def told_classes(incoming: Incoming) -> Sequence[Any] | None:
    """Names of the classes, by the caller or the card; None where labels have to tell."""
    return incoming.classes if incoming.classes is not None else (incoming.card or {}).get("classes")
