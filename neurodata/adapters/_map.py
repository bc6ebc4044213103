"""A dataset whose samples are items of Python objects, `dataset[index]` giving (data, label), and no files of ours."""

from __future__ import annotations

import dataclasses
import hashlib
import operator
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS, Dataset, Partition, SampleRef, Scheme
from neurodata.errors import FormatError, NeurodataError, RecipeError
from neurodata.formats import CollectionFormat, Reading
from neurodata.forms import (
    ClipForm,
    Form,
    ImageForm,
    PointCloudForm,
    Sensor,
    SeriesForm,
    SpikeCountsForm,
    WaveformForm,
    admits,
    form_to_json,
)
from neurodata.signals import Signal

RECIPES: dict[type[Form], str] = {
    Sensor: "folder",
    WaveformForm: "folder-sound",
    ClipForm: "folder-video",
    ImageForm: "folder-pictures",
    PointCloudForm: "folder-points",
    SpikeCountsForm: "folder-spike-counts",
}
# Labels that are whole numbers name as many classes, if not absurdly many.
MOST_CLASSES = 1 << 16


class MapStyle(Protocol):
    """What torch and tonic call a map-style dataset; an item is (data, label)."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int) -> Any:
        """Sample `index`, from 0 on."""
        ...


class Listed(NamedTuple):
    """What is known of the samples of a partition without their data."""

    keys: tuple[str, ...]
    labels: tuple[Any, ...]  # as the dataset has them
    groups: tuple[str, ...]
    items: tuple[int, ...]  # number of each in the dataset


# (data of an item) to its signal, and what was put right on the way.
ToSignal = Callable[[Any], Reading]


class MapDataset(Dataset):
    """Base of datasets that are read through `dataset[index]`.

    A sample is read in the thread or process that prepares it. Every sample is a recording of its own, so that the
    order of a store mixes classes.

    Parameters
    ----------
    name
        Of the dataset; the folder of its stores.
    title
        One line for people.
    form
        What every sample is.
    """

    version: ClassVar[int] = 1
    sources = ()
    licence = "that of the dataset"
    citation = ""
    homepage = ""
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    default_scheme = "given"
    format = "map"

    def __init__(self, name: str, title: str, form: Form) -> None:
        self.name = re.sub(r"[^\w-]", "-", name)
        self.title = title
        self.form = form
        if isinstance(form, SeriesForm):
            raise RecipeError(f"{name}: a series is what steps make, not what a dataset holds: say what it is made of")

    def read(self, root: Path, partition: Partition, index: int) -> Reading:
        """The signal of one item.

        Raises
        ------
        FormatError
            Naming the item, when it cannot be read or is another kind of signal than `form`.
        """
        raise NotImplementedError

    def listed(self, root: Path) -> Mapping[Partition, Listed]:
        """Keys, labels and groups of all samples."""
        raise NotImplementedError

    @property
    def recipe(self) -> str:
        """The recipe of all folders of this kind of signal."""
        return RECIPES[type(self.form)]

    def identity(self) -> dict[str, Any]:
        """The name, and what the samples are."""
        return {"name": self.name, "version": self.version, "form": form_to_json(self.form)}

    def find_root(self, folder: Path) -> Path:
        """The folder itself."""
        return folder

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample an item, in the order of partitions and lists."""
        return [
            SampleRef(key, _recording(partition, key), class_index(label, self.classes, key), group or key, item=item)
            for partition, listed in self.listed(root).items()
            for key, label, group, item in zip(*listed, strict=True)
        ]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`given`: the datasets that were given for each partition."""
        keys = {name: listed.keys for name, listed in self.listed(root).items()}
        parts = (keys.get(name, ()) for name in PARTITIONS)
        return {"given": Scheme("given", "as the datasets that were given", *parts)}

    def format_of(self, ref: SampleRef) -> CollectionFormat:
        """Reads items of the dataset; no format on disk."""
        return CollectionFormat(
            name=self.format, version=self.version, title=self.title, extensions=(),
            sniff=lambda head, path: "no file", gives=self.gives, open=self._open,
        )  # fmt: skip

    def source_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """None: samples are no files. See `source_facts`."""
        return ()

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """There is none."""
        raise RecipeError(f"{self.name}: a dataset of another library has no twin")

    def _open(self, path: Path, sensor: Sensor | None) -> OneItem:
        return OneItem(self, path)  # <root>/<partition>/<key>: see `_recording`


@dataclass(frozen=True, slots=True)
class OneItem:
    """The items of one partition as a `Collection`, of which a task reads the one that it is told."""

    dataset: MapDataset
    path: Path

    @property
    def format(self) -> str:
        """Of the dataset."""
        return self.dataset.format

    @property
    def keys(self) -> tuple[str, ...]:
        """None: the dataset tells."""
        return ()

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """None: the dataset tells."""
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the dataset tells."""
        return ()

    @property
    def groups(self) -> tuple[str, ...] | None:
        """None: the dataset tells."""
        return None

    @property
    def sensor(self) -> Sensor | None:
        """The pixel grid of the dataset."""
        return self.dataset.sensor

    def read(self, k: int) -> Reading:
        """Item k of the dataset."""
        partition = cast(Partition, self.path.parent.name)
        return self.dataset.read(self.path.parents[1], partition, k)

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Items first to stop - 1."""
        return (self.read(k) for k in range(first, first + 1 if stop is None else stop))


def _recording(partition: Partition, key: str) -> str:
    """A path that names the sample and is the same on every machine: what a store orders samples by."""
    return f"{partition}/{key.replace('/', ':')}"


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
        if not any(len(part) for part in self.parts.values()):
            raise RecipeError(f"{name}: no samples; give a dataset that has some")
        self.to_signal = to_signal
        self.own_folder = (folder or Path()).absolute()
        self._reader = dict(reader or {"name": "map", "version": 1})
        self._files = files
        self._packed: bytes | None = None
        self._digest = "" if files else None
        found = {part: self._labels(part, (targets or {}).get(part)) for part in self.parts}
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
        """The signal of one item."""
        return self._signal(partition, index, self._item(partition, index)[0])

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
            digest = hashlib.sha256()
            for part, data in self.parts.items():
                for k in range(len(data)):
                    digest.update(signal_bytes(self._signal(part, k, self._item(part, k)[0]).signal))
            self._digest = digest.hexdigest()
        return self._digest

    def _labels(self, part: Partition, told: Sequence[Any] | None) -> tuple[Any, ...]:
        data = self.parts[part]
        if told is None:
            return tuple(_plain(self._item(part, k)[1]) for k in range(len(data)))
        if len(told) != len(data):
            raise RecipeError(f"{self.name}: {len(told)} labels for {len(data)} samples of {part}")
        return tuple(map(_plain, told))

    def _list(
        self, part: Partition, keys: Sequence[str] | None, labels: Sequence[Any], groups: Sequence[Any] | None
    ) -> Listed:
        n = len(labels)
        order = range(n) if keys is None else sorted(range(n), key=keys.__getitem__)
        named = _column(f"{self.name}: keys of {part}", keys, [f"{part}/{k}" for k in range(n)])
        grouped = _column(f"{self.name}: groups of {part}", groups, [""] * n)
        sorted_named, sorted_labels, sorted_groups = (
            tuple(column[k] for k in order) for column in (named, labels, grouped)
        )
        return Listed(sorted_named, sorted_labels, sorted_groups, tuple(order))

    def _item(self, part: Partition, index: int) -> tuple[Any, Any]:
        try:
            item = self.parts[part][index]
        except NeurodataError:
            raise
        except Exception as error:
            raise FormatError(
                f"{self.name}: item {index} of {part} cannot be read: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise FormatError(
                f"{self.name}: item {index} of {part} is a {type(item).__name__}; expected a pair (data, label)"
            )
        return item[0], item[1]

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


def class_index(label: Any, classes: Sequence[str], key: str) -> int:
    """The class of a label that is the name or the number of one.

    Raises
    ------
    FormatError
        When it is neither.
    """
    if isinstance(label, str) and label in classes:
        return classes.index(label)
    if isinstance(label, int) and 0 <= label < len(classes):
        return label
    known = ", ".join(classes[:20]) + ", ..." * (len(classes) > 20)
    raise FormatError(
        f"{key}: has the label {label!r}; expected one of the {len(classes)} classes {known}, or its number"
    )


def names_of(labels: Sequence[Any]) -> tuple[str, ...]:
    """Labels as the names that `classes_of` gives their classes."""
    return tuple(label if isinstance(label, str) else f"{label:d}" for label in labels)


def classes_of(labels: Iterable[Iterable[Any]], name: str) -> tuple[str, ...]:
    """Names of the classes that labels tell: whole numbers count from 0 to the largest, others are sorted.

    Raises
    ------
    FormatError
        When labels are neither names nor whole numbers, or both.
    """
    found = {label for part in labels for label in part}
    if all(isinstance(label, str) for label in found):
        return tuple(sorted(found))
    if not all(isinstance(label, int) for label in found):
        odd = next(label for label in found if not isinstance(label, int))
        raise FormatError(f"{name}: a label is {odd!r} among {len(found)}: expected whole numbers, or names, not both")
    if min(found) < 0 or max(found) >= MOST_CLASSES:
        return names_of(sorted(found))
    return tuple(map(str, range(max(found) + 1)))


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


def counted(signal: Signal, **findings: int) -> Reading:
    """A reading with those of the findings that are not 0."""
    return Reading(signal, +Counter(findings))


def _plain(label: Any) -> Any:
    """A label as a Python number or text; what is neither stays what it is."""
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    if isinstance(label, str):
        return str(label)
    try:
        return operator.index(label.item() if hasattr(label, "item") else label)
    except (TypeError, ValueError, RuntimeError):
        try:
            hash(label)
        except TypeError:
            return repr(label)
        return label


def _column(what: str, told: Sequence[Any] | None, default: Sequence[str]) -> tuple[str, ...]:
    if told is None:
        return tuple(default)
    if len(told) != len(default):
        raise RecipeError(f"{what}: {len(told)} for {len(default)} samples")
    return tuple(map(str, told))
