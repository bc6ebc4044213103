"""Tonic: its datasets as sources of stores, and stores of events as what its datasets give.

    import tonic
    from neurodata.adapters.tonic import as_tonic, source

    train = tonic.datasets.NMNIST("data", train=True)
    test = tonic.datasets.NMNIST("data", train=False)
    store = neurodata.prepare(source(train, test), T=16)

On the command line, `neurodata prepare tonic:NMNIST --source data`. Nothing is downloaded: many of tonic's links are
dead, and a download that was cut is taken for a whole one by it. The arrays are those of tonic 1.7 (structured, fields
x, y, t in microseconds, p), as its source and its own readers show; tonic is GPL-3, and none of its code is here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._given import GivenDataset, counted
from neurodata.adapters._map import Listed, MapDataset, MapStyle
from neurodata.datasets import Partition, SampleRef, Source
from neurodata.errors import FormatError, MissingExtraError, RecipeError, SourceNotFoundError, UnknownNameError
from neurodata.formats import Reading
from neurodata.loader import Split
from neurodata.signals import EventArray, Sensor

# What an item may be changed by; such items are no longer what files hold.
_TRANSFORMS = ("transform", "target_transform", "transforms")
# Where datasets have the labels of all items; and where those of tonic tell who or what a sample is of.
_LABELS = ("targets",)
_GROUPS = ("users", "speaker")
# Words of constructors that choose a partition, and the values of each.
_PARTITION_WORDS: dict[str, dict[Partition, Any]] = {
    "train": {"train": True, "test": False},
    "split": {"train": "train", "validation": "valid", "test": "test"},
}


def source(
    train: MapStyle,
    test: MapStyle | None = None,
    validation: MapStyle | None = None,
    *,
    sensor: Sensor | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> GivenDataset:
    """One or several of tonic's datasets as a source for `neurodata.prepare`.

    Parameters
    ----------
    train, test, validation
        Each gives (events, label): events structured with the fields x, t [us] and, where the sensor has them, y and
        p; a label that is a whole number or a name. Transforms of events (`transform=`) are applied; those that give
        frames are for `neurodata.adapters.torch.source`.
    sensor
        Pixel grid of all samples; their `sensor_size` when None.
    classes
        Names of the classes by number; the datasets' own `classes`, or the labels, when None.
    name
        Of the dataset, in the folder of its stores; "tonic-" and its class when None.

    Returns
    -------
    GivenDataset
        Keys are paths of the files, and samples in their order, where the dataset has one for each sample; else
        "train/12", in the order of items. Groups are its `users`
        or `speaker`, where it has these. What tells one source from another is the sha256 of the files, and the
        options of the dataset. Where it tells no folder, or transforms items, each item is read once and hashed before
        any is prepared or a store is looked for (one more pass through the data).

    Raises
    ------
    RecipeError
        When the sensor is not told.
    FormatError
        When a label is neither a number nor a name, or an item that has to be read is damaged.
    """
    given: dict[Partition, MapStyle | None] = {"train": train, "validation": validation, "test": test}
    parts = {part: data for part, data in given.items() if data is not None}
    named = name or f"tonic-{type(train).__name__}"
    is_plain = not any(getattr(data, word, None) is not None for data in parts.values() for word in _TRANSFORMS)
    folder = _folder(parts) if is_plain else None
    found = sensor or sensor_of(getattr(train, "sensor_size", None), named)
    return GivenDataset(
        named, f"tonic's {type(train).__name__}", found, parts, partial(to_events, sensor=found),
        classes=classes if classes is not None else _class_names(getattr(train, "classes", None)),
        targets={part: of for part, data in parts.items() if is_plain and (of := _told(data, _LABELS)) is not None},
        groups={part: list(of) for part, data in parts.items() if (of := _told(data, _GROUPS)) is not None},
        keys={part: of for part, data in parts.items() if folder and (of := _paths(data, folder))},
        files=None if folder is None else (_files(parts, folder), _options(parts)),
        folder=folder,
        reader={"name": f"tonic.{type(train).__qualname__}", "version": 1, "library": _version()},
    )  # fmt: skip


def by_name(name: str) -> TonicDataset:
    """A class of `tonic.datasets` by its name, such as "NMNIST"; its files are in the folder that `source` names.

    Raises
    ------
    MissingExtraError
        When tonic is not installed.
    UnknownNameError
        When there is no such class.
    RecipeError
        When it has no sensor of its own.
    """
    return TonicDataset(_dataset_class(name))


def as_tonic(split: Split) -> TonicSplit:
    """A split of a store of events as tonic's transforms, caches and collations take it.

    Raises
    ------
    StoreError
        When the store holds frames: prepare it with layout events.
    """
    return TonicSplit(split)


class TonicSplit:
    """A map-style dataset of (events, label): events structured as tonic's, x, y int16, t int64 [us], p bool.

    Attributes
    ----------
    sensor_size : tuple of int
        (width, height, polarities), as tonic's transforms take it.
    classes : list of str
        Names by label.
    targets : list of int
        Label of each sample.
    """

    def __init__(self, split: Split) -> None:
        sensor = split.store.require_events().sensor
        self.split = split
        self.sensor_size = (sensor.width, sensor.height, sensor.polarities)
        self.classes = list(split.classes)
        self.targets: list[int] = split.labels.tolist()

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index}; there are {len(self)}")
        events = self.split.store.read_events(int(self.split.indices[index]))
        return events.to_structured(), self.targets[index]


class TonicDataset(MapDataset):
    """A class of `tonic.datasets`, constructed where samples are read: a task holds its name and a folder alone."""

    format = "tonic"

    def __init__(self, of_tonic: type[Any]) -> None:
        self.class_name = of_tonic.__name__
        form = sensor_of(getattr(of_tonic, "sensor_size", None), f"tonic:{self.class_name}")
        super().__init__(f"tonic-{self.class_name}", f"tonic's {self.class_name}", form)
        self.classes = tuple(_class_names(getattr(of_tonic, "classes", None)) or ())

    # One "archive" that no script fetches: the message of what to do by hand is that of such datasets.
    @property
    def sources(self) -> tuple[Source, ...]:  # type: ignore[override]
        """What a person has to bring."""
        by_hand = (
            f"let tonic download it: python -c \"import tonic; tonic.datasets.{self.class_name}('DIR')\" "
            "(or put what its documentation says below DIR by hand)"
        )
        return (Source(f"tonic's folder {self.class_name}", "", manual=by_hand),)

    def readers(self) -> dict[str, Any]:
        """The class, and the version of tonic."""
        return {"name": f"tonic.{self.class_name}", "version": 1, "library": _version()}

    def find_root(self, folder: Path) -> Path:
        """The folder that tonic calls `save_to`: this one, or the one above where it is the dataset's own.

        Raises
        ------
        SourceNotFoundError
            When neither holds a folder of the class's name.
        """
        _constructed.cache_clear()  # files may have come or gone since they were listed
        home = folder.absolute()  # also where a process of another working folder reads
        if (home / self.class_name).is_dir():
            return home
        if home.name == self.class_name:
            return home.parent
        raise SourceNotFoundError(
            f"{folder}: no folder {self.class_name} there; --source takes the folder that tonic calls save_to: "
            f"tonic.datasets.{self.class_name}({str(folder)!r}) downloads into it"
        )

    def read(self, root: Path, partition: Partition, index: int) -> Reading:
        """The events of one item."""
        return _constructed(self.class_name, root).read(root, partition, index)

    def listed(self, root: Path) -> Mapping[Partition, Listed]:
        """As the class tells."""
        given = _constructed(self.class_name, root)
        self.classes = given.classes  # some tell them with their files
        return given.listed(root)

    def source_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The files that samples come from."""
        return _constructed(self.class_name, root).source_files(root, samples)

    def source_facts(self, root: Path, samples: Sequence[SampleRef]) -> object:
        """Keys and labels."""
        return _constructed(self.class_name, root).source_facts(root, samples)


def to_events(events: Any, sensor: Sensor) -> Reading:
    """Events of tonic as ours; what comes late is put in order and counted.

    Parameters
    ----------
    events
        Structured array [n] with the fields x, t [us], and y and p where there are any: y is 0 and p is ON without.
        Positive polarities are ON.
    sensor
        The pixel grid.

    Raises
    ------
    FormatError
        When it is no such array, or times or coordinates are no whole numbers or off the sensor.
    """
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None or np.ndim(events) != 1 or not {"x", "t"} <= set(names):
        found = f"{type(events).__name__} {getattr(events, 'dtype', '')} {getattr(events, 'shape', '')}".strip()
        raise FormatError(
            f"found {found}; expected structured events with the fields x, t and, where there are any, y and p. Frames "
            "are taken by neurodata.adapters.torch.source: leave transforms out that make them"
        )
    y = events["y"] if "y" in names else np.zeros(len(events), np.uint16)
    p = _is_on(events["p"]) if "p" in names and sensor.polarities == 2 else np.ones(len(events), np.bool_)
    for axis, column, size in (("x", events["x"], sensor.width), ("y", y, sensor.height)):
        if (
            column.dtype.kind not in "iub"
            or column.ndim != 1
            or (len(column) and (int(column.min()) < 0 or int(column.max()) >= size))
        ):
            span = f" from {column.min()} to {column.max()}" if column.size and column.dtype.kind in "iubf" else ""
            raise FormatError(f"{axis} is {column.dtype}{span}; expected whole numbers on the sensor {sensor}")
    t = events["t"]
    if t.dtype.kind not in "iu" or t.ndim != 1:
        raise FormatError(f"t is {t.dtype}; expected whole microseconds: convert times to them with a transform")
    columns = (t.astype(np.int64), events["x"].astype(np.uint16), y.astype(np.uint16), p)
    ordered, n_late = EventArray.from_unsorted(*columns, sensor)
    return counted(ordered, late=n_late)


def _is_on(p: NDArray[Any]) -> NDArray[np.bool_]:
    if p.dtype.kind not in "biuf" or p.ndim != 1 or np.isnan(p).any():
        raise FormatError(f"p is {p.dtype} {p[:3].tolist()}; expected a polarity for each event, ON above 0")
    return p > 0


def sensor_of(sensor_size: Any, name: str) -> Sensor:
    """Tonic's (width, height, polarities).

    Raises
    ------
    RecipeError
        When it is something else, such as the None of datasets whose recordings differ.
    """
    try:
        width, height, polarities = map(int, sensor_size)
        return Sensor(width, height, polarities)
    except (TypeError, ValueError):
        raise RecipeError(
            f"{name}: its sensor_size is {sensor_size!r}; expected (width, height, polarities): state the sensor that "
            "holds all samples: neurodata.adapters.tonic.source(dataset, sensor=Sensor(240, 180))"
        ) from None


def _tonic() -> Any:
    try:
        return import_module("tonic")
    except ImportError as error:
        raise MissingExtraError(
            f"datasets of tonic need it: pip install 'neurodata-pipeline[tonic]' ({error})"
        ) from error


def _version() -> str:
    try:
        return version_of("tonic")
    except ImportError:
        return "none"


def _dataset_class(name: str) -> type[Any]:
    tonic = _tonic()
    classes = {
        word: found
        for word, found in vars(tonic.datasets).items()
        if isinstance(found, type) and issubclass(found, tonic.Dataset)
    }
    spelled = {word.casefold(): word for word in classes}
    if name.casefold() not in spelled:
        raise UnknownNameError(f"tonic has no dataset {name!r}; there is {', '.join(sorted(classes))}")
    return classes[spelled[name.casefold()]]


@lru_cache(8)  # in every process that reads
def _constructed(class_name: str, root: Path) -> GivenDataset:
    """The partitions of a class, from the files below root."""
    of_tonic = _dataset_class(class_name)
    # Its name decides on the folder that tonic looks in.
    offline = type(of_tonic.__name__, (of_tonic,), {"download": _refuse_download, "__module__": of_tonic.__module__})
    words = inspect.signature(of_tonic.__init__).parameters
    word = next((word for word in _PARTITION_WORDS if word in words), None)
    choices: dict[Partition, dict[str, Any]] = (
        {"train": {}} if word is None else {part: {word: value} for part, value in _PARTITION_WORDS[word].items()}
    )
    parts = {}
    for part, choice in choices.items():
        try:
            parts[part] = offline(str(root), **choice)
        except SourceNotFoundError:
            raise
        except (Exception, SystemExit) as error:  # some end the process where files are missing
            raise SourceNotFoundError(
                f"{root}: tonic cannot open {class_name} there ({type(error).__name__}: {error}); is it complete?"
            ) from error
    return source(parts["train"], parts.get("test"), parts.get("validation"), name=f"tonic-{class_name}")


def _refuse_download(self: Any) -> None:
    raise SourceNotFoundError(
        f"{self.location_on_system}: tonic does not find all files of {type(self).__name__} there (it wants "
        f"{getattr(self, 'filename', 'its archive')} and what that holds), and neurodata does not let it download: "
        "many of its links are dead. Fetch them by tonic itself, or see `neurodata datasets` for those it fetches"
    )


def _lists(data: Any, word: str) -> bool:
    found = getattr(data, word, None)
    return isinstance(found, Sequence | np.ndarray) and not isinstance(found, str) and len(found) == len(data) > 0


def _class_names(classes: Any) -> list[str] | None:
    """Names by number: of a list, of tonic's {name: number}, or of bytes as HDF5 has them."""
    if classes is None:
        return None
    if isinstance(classes, Mapping):
        classes = sorted(classes, key=classes.__getitem__)
    return [name.decode() if isinstance(name, bytes) else str(name) for name in classes]


def _told(data: MapStyle, words: Sequence[str]) -> Sequence[Any] | None:
    """The first of these attributes that has an entry for each sample."""
    return next((getattr(data, word) for word in words if _lists(data, word)), None)


def _folder(parts: Mapping[Partition, MapStyle]) -> Path | None:
    """The folder that all of them are read from, if it is there."""
    told = {getattr(data, "location_on_system", None) for data in parts.values()}
    folder = told.pop() if len(told) == 1 else None
    return Path(folder).absolute() if isinstance(folder, str) and Path(folder).is_dir() else None


def _paths(data: Any, folder: Path) -> list[str]:
    """Path of each sample's own file below the folder; empty where samples have none."""
    if not _lists(data, "data") or not all(isinstance(path, str) for path in data.data):
        return []
    paths = [Path(path).absolute() for path in data.data]
    if len(set(paths)) < len(paths) or not all(path.is_relative_to(folder) for path in paths):
        return []
    return [path.relative_to(folder).as_posix() for path in paths]


def _files(parts: Mapping[Partition, MapStyle], folder: Path) -> list[Path]:
    """The files of the samples; all below the folder where some have none of their own."""
    own = [_paths(data, folder) for data in parts.values()]
    if all(own):
        return [folder / path for paths in own for path in paths]
    return [path for path in folder.rglob("*") if path.is_file()]


def _options(parts: Mapping[Partition, MapStyle]) -> dict[str, Any]:
    """What the datasets were constructed with, as far as it is numbers and texts (`first_saccade_only=True`)."""
    plain = (bool, int, float, str, type(None))
    left_out = ("location_on_system", "save_to", "root", "file_path")
    return {
        cast(str, part): {
            word: value
            for word, value in sorted(vars(data).items())
            if isinstance(value, plain) and word not in left_out
        }
        for part, data in parts.items()
    }
