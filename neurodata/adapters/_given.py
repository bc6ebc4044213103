"""Map-style objects that a caller gives, as a dataset: items are read for what nothing else tells of them."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._labels import classes_of, names_of, plain
from neurodata.adapters._map import Listed, MapDataset, MapStyle, item_of, length_of
from neurodata.datasets import PARTITIONS, Partition, SampleRef
from neurodata.errors import FormatError, NeurodataError, RecipeError
from neurodata.formats import Reading
from neurodata.forms import Form, admits
from neurodata.signals import Signal

# (data of an item) to its signal, and what was put right on the way.
ToSignal = Callable[[Any], Reading]


class GivenDataset(MapDataset):
    """Map-style objects of the caller.

    With threads (the default of `neurodata.prepare`) they are shared: `dataset[index]` is called from several at once.
    With processes they are pickled, once for each shard.

    Parameters
    ----------
    parts
        The datasets, by partition.
    to_signal
        Makes a signal of the data of an item.
    classes
        Names of the classes; None: told by the labels.
    targets, groups
        Label and group of each item by partition, where known without reading them; else items are read for labels.
    keys
        Names of the items by partition, in the order of which samples are listed, whatever the order of the items: that
        of files differs between machines. Numbers where None.
    files
        Files that all samples come from, below `folder`, and whatever else items depend on: the identity of the source.
        None: every item is read once and hashed before any is prepared, together with its label.
    folder
        Where files are looked for.

    Raises
    ------
    FormatError
        When an item cannot be read, or is no pair.
    RecipeError
        When there is no dataset, or labels, keys or groups do not fit.
    """

    def __init__(
        self, name: str, title: str, form: Form, parts: Mapping[Partition, MapStyle], to_signal: ToSignal, *,
        classes: Sequence[str] | None = None, targets: Mapping[Partition, Sequence[Any]] | None = None,
        groups: Mapping[Partition, Sequence[Any]] | None = None, keys: Mapping[Partition, Sequence[str]] | None = None,
        files: tuple[Sequence[Path], object] | None = None, folder: Path | None = None,
        reader: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name, title, form)
        self.parts = {name: parts[name] for name in PARTITIONS if name in parts}
        if not any(length_of(data, f"{name}: {part}") for part, data in self.parts.items()):
            raise RecipeError(f"{name}: no samples; give a dataset that has some")
        self.to_signal = to_signal
        self.own_folder = (folder or Path()).absolute()
        self._reader = dict(reader or {"name": "map", "version": 1})
        self._files = files
        self._packed: bytes | None = None
        self._digest = ""
        # What each item was when it was hashed, and the label that it was listed with; nothing where files tell, or
        # the items themselves.
        self._marks: dict[Partition, NDArray[np.uint64]] = {}
        self._told = {part: tuple(map(plain, of)) for part, of in (targets or {}).items()}
        # Items are numbered in the order of their keys: that in which files are listed differs between machines.
        self._order = {part: sorted(range(len(of)), key=of.__getitem__) for part, of in (keys or {}).items()}
        if files or targets:
            found = {part: self._labels(part, (targets or {}).get(part)) for part in self.parts}
        else:
            found = self._look_at_all()
        if classes is None:
            self.classes = classes_of(found.values(), name)
            found = {part: names_of(labels) for part, labels in found.items()}
        else:
            self.classes = tuple(classes)
        self._listed = {
            part: self._list(part, (keys or {}).get(part), found[part], (groups or {}).get(part)) for part in self.parts
        }

    def __getstate__(self) -> dict[str, Any]:
        """What a task needs to travel with: the datasets, packed once, and not the lists of samples."""
        if self._packed is None:
            try:
                self._packed = pickle.dumps((self.parts, self.to_signal))
            except Exception as error:
                raise RecipeError(
                    f"{self.name}: cannot be sent to another process ({error}): prepare with threads, which "
                    "neurodata.prepare does by default, or make the dataset and its transforms of module-level code"
                ) from error
        left_out = ("parts", "to_signal", "_listed", "_files")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As it was packed."""
        vars(self).update(state)
        self.parts, self.to_signal = pickle.loads(state["_packed"])

    def readers(self) -> dict[str, Any]:
        """The library that reads items, and its version."""
        return dict(self._reader)

    def listed(self, root: Path) -> Mapping[Partition, Listed]:
        """As the datasets told."""
        return self._listed

    def read(self, root: Path, partition: Partition, index: int) -> Reading:
        """The signal of one item.

        Raises
        ------
        FormatError
            Also when it is another than when it was hashed, or has another label than the dataset told.
        """
        index = self._order[partition][index] if partition in self._order else index
        data, label = self._item(partition, index)
        reading = self._signal(partition, index, data)
        where = f"{self.name}: item {index} of {partition}"
        if partition in self._told and plain(label) != self._told[partition][index]:
            raise FormatError(f"{where} has the label {label!r}; `targets` says {self._told[partition][index]!r}")
        if partition in self._marks and _mark(signal_bytes(reading.signal)) != self._marks[partition][index]:
            raise FormatError(
                f"{where} is another than when it was hashed: items have to be the same each time they are read; leave "
                "random transforms to the loader, and make a new source of data that changed"
            )
        return reading

    def source_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """Those that were told."""
        return () if self._files is None else self._files[0]

    def source_facts(self, root: Path, samples: Sequence[SampleRef]) -> object:
        """Keys, labels and groups; and what else was told, or the hash over all items."""
        rows = sorted([ref.recording, ref.key, ref.target, ref.group] for ref in samples)
        return [rows, self.content_sha256() if self._files is None else self._files[1]]

    def content_sha256(self) -> str:
        """Hash over the signals of all items; reads each of them, once."""
        if not self._digest:
            self._look_at_all()
        return self._digest

    def _look_at_all(self) -> dict[Partition, tuple[Any, ...]]:
        """Read and hash every item; the labels."""
        digest = hashlib.sha256()
        labels: dict[Partition, tuple[Any, ...]] = {}
        for part, data in self.parts.items():
            marks, own = np.empty(len(data), np.uint64), []
            for k in range(len(data)):
                item, label = self._item(part, k)
                content = signal_bytes(self._signal(part, k, item).signal)
                digest.update(content)
                marks[k] = _mark(content)
                own.append(plain(label))
            self._marks[part], labels[part] = marks, tuple(own)
        self._digest = digest.hexdigest()
        return labels

    def _labels(self, part: Partition, told: Sequence[Any] | None) -> tuple[Any, ...]:
        data = self.parts[part]
        if told is None:
            return tuple(plain(self._item(part, k)[1]) for k in range(len(data)))
        if len(told) != len(data):
            raise RecipeError(f"{self.name}: {len(told)} labels for {len(data)} samples of {part}")
        return self._told[part]

    def _list(
        self, part: Partition, keys: Sequence[str] | None, labels: Sequence[Any], groups: Sequence[Any] | None
    ) -> Listed:
        n = len(labels)
        named = _column(f"{self.name}: keys of {part}", keys, [f"{part}/{k}" for k in range(n)])
        grouped = _column(f"{self.name}: groups of {part}", groups, [""] * n)
        order = self._order.get(part, range(n))
        named, labels, grouped = (tuple(column[k] for k in order) for column in (named, labels, grouped))
        return Listed(named, labels, grouped, tuple(range(n)))

    def _item(self, part: Partition, index: int) -> tuple[Any, Any]:
        return item_of(self.parts[part], index, f"{self.name}: item {index} of {part}")

    def _signal(self, part: Partition, index: int, data: Any) -> Reading:
        try:
            reading = self.to_signal(data)
        except NeurodataError as error:
            raise FormatError(f"{self.name}: item {index} of {part}: {error}") from error
        if not admits(self.form, reading.signal.form):
            raise FormatError(
                f"{self.name}: item {index} of {part} is {reading.signal.form}; expected {self.form}: state the form "
                "that fits all samples"
            )
        return reading


def signal_bytes(signal: Signal) -> bytes:
    """Everything that a signal holds, for hashing."""
    parts: list[bytes] = [type(signal).__name__.encode()]
    for field in dataclasses.fields(signal):
        value = getattr(signal, field.name)
        if isinstance(value, np.ndarray):
            parts += [f"{field.name} {value.dtype} {value.shape}".encode(), np.ascontiguousarray(value).tobytes()]
        else:
            parts.append(f"{field.name} {value!r}".encode())
    return b"\0".join(parts)


def _mark(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def counted(signal: Signal, **findings: int) -> Reading:
    """A reading with those of the findings that are not 0."""
    return Reading(signal, +Counter(findings))


def _column(what: str, told: Sequence[Any] | None, default: Sequence[str]) -> tuple[str, ...]:
    if told is None:
        return tuple(default)
    if len(told) != len(default):
        raise RecipeError(f"{what}: {len(told)} for {len(default)} samples")
    return tuple(map(str, told))
