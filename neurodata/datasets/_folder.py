"""Anyone's own recordings as a dataset: `folder:DIR`, in any format of events that can be read.

Sub-folders are classes (below train, validation and test where the folder has these), or a labels file says what is a
sample. Files of many samples are taken apart. The format is found out from the first file of each extension, the
sensor from the first recording; both can be stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from neurodata import registry
from neurodata.datasets._contract import PARTITIONS, Dataset, Partition, SampleRef, Scheme
from neurodata.datasets._folder_rows import Row, labelled_rows, ordered_classes, tree_rows
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats import AnyFormat, Collection, CollectionFormat, detect, open_collection, open_recording
from neurodata.signals import EventArray, Sensor
from neurodata.storage import is_folder


class Folder(Dataset):
    """A folder of recordings.

    Parameters
    ----------
    folder
        Holds the recordings, directly or further down.
    labels
        CSV file with the columns path and label, and any of start_us, end_us, group, split and item; None:
        sub-folders are classes.
    format
        Name of the recordings' format; without labels, only files with its extensions are taken. None: found out
        from the first file of each extension.
    sensor
        Pixel grid of all recordings; None: that of the first one.

    Raises
    ------
    SourceNotFoundError
        When the folder is missing, or holds no recordings.
    FormatError
        When a file is of no known format, the labels are damaged, or the sensor is not certain.
    RecipeError
        When the files hold no events.
    """

    version: ClassVar[int] = 1
    sources = ()
    licence = "your own"
    citation = ""
    homepage = ""
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    default_scheme = "folder"

    def __init__(
        self, folder: Path, labels: Path | None = None, format: str | None = None, sensor: Sensor | None = None
    ) -> None:
        if not is_folder(folder):
            raise SourceNotFoundError(f"{folder}: no such folder, or no permission to enter it")
        self.own_folder = folder.absolute()
        self.labels = None if labels is None else labels.absolute()
        # Windows and shells are spared special characters: it becomes the name of a folder of stores.
        self.name = "folder-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in self.own_folder.name)
        self.title = f"recordings in {folder}"
        self.stated_format = format
        first_files = self._first_files()
        self.formats = {suffix: self._format_of(path).name for suffix, path in first_files.items()}
        self.format = next(iter(self.formats.values()))
        self.sensor = sensor or _common_sensor(first_files, self.formats)
        self.classes = ordered_classes(row.label or "" for row in self._rows())

    @property
    def recipe(self) -> str:
        """The recipe of all folders."""
        return "folder"

    def identity(self) -> dict[str, Any]:
        """Not the folder's name: a folder that was moved or copied gives the same store."""
        return {"name": "folder", "version": self.version, "sensor": str(self.sensor)}

    def readers(self) -> list[dict[str, Any]]:
        """Every format that is met, by extension."""
        return [
            {"extension": suffix, "name": name, "version": registry.formats[name].version}
            for suffix, name in sorted(self.formats.items())
        ]

    def find_root(self, folder: Path) -> Path:
        """The folder itself."""
        return folder

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a row of the labels, or a file, or a sample in a file of many; in their order."""
        index = {name: k for k, name in enumerate(self.classes)}
        return [
            SampleRef(
                key=row.key,
                recording=row.path,
                target=index[row.label or ""],
                group=row.group or row.path,
                start_us=row.start_us,
                stop_us=row.stop_us,
                item=None if row.item is None else int(row.item),
                format=self._name_of(row.path),
            )
            for row in self._rows()
        ]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`folder`: the splits that labels or sub-folders name; without these, all samples are for training."""
        rows = self._rows()
        keys = {part: tuple(row.key for row in rows if (row.split or "train") == part) for part in PARTITIONS}
        told = any(row.split for row in rows)
        description = "as labels or sub-folders say" if told else "all for training: carve with val= or fold="
        return {"folder": Scheme("folder", description, keys["train"], keys["validation"], keys["test"])}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The labels file, where there is one."""
        return [] if self.labels is None else [self.labels]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """A folder of somebody's own has no twin."""
        raise RecipeError(f"{self.name}: a folder has no twin")

    def _listed(self) -> list[Row]:
        assert self.own_folder is not None
        if self.labels is not None:
            return labelled_rows(self.labels, self.own_folder)
        extensions = None if self.stated_format is None else registry.formats[self.stated_format].extensions
        return tree_rows(self.own_folder, extensions)

    def _first_files(self) -> dict[str, Path]:
        """By extension, in lower case."""
        assert self.own_folder is not None
        first: dict[str, Path] = {}
        for row in self._listed():
            first.setdefault(Path(row.path).suffix.lower(), self.own_folder / row.path)
        if not first:
            wanted = "" if self.stated_format is None else f" of {self.stated_format}"
            raise SourceNotFoundError(f"{self.own_folder}: no recordings{wanted} below it")
        return first

    def _format_of(self, path: Path) -> AnyFormat:
        try:
            found: AnyFormat = detect(path) if self.stated_format is None else registry.formats[self.stated_format]
        except FormatError as error:
            raise FormatError(
                f"{error}\nin a folder, --format NAME takes only the files with its extensions, and --labels FILE.csv "
                "only those that it lists"
            ) from error
        if found.gives is not EventArray:
            raise RecipeError(f"{path}: {found.name} holds a {found.gives.__name__}; only events can be prepared yet")
        return found

    def _name_of(self, path: str) -> str:
        return self.formats[Path(path).suffix.lower()]

    def _rows(self) -> list[Row]:
        """What is listed, with files of many samples taken apart and every label told."""
        rows: list[Row] = []
        for row in self._listed():
            if isinstance(registry.formats[self._name_of(row.path)], CollectionFormat):
                rows += self._taken_apart(row)
            elif row.item is not None:
                raise FormatError(f"{self.labels}: {row.path} holds one recording, but its row names item {row.item}")
            else:
                rows.append(row)
        unlabelled = next((row for row in rows if row.label is None), None)
        if unlabelled is not None:
            raise FormatError(
                f"{self.own_folder}: {unlabelled.path} has no class: put recordings into sub-folders named by class, "
                "or state a labels file (--labels)"
            )
        return rows

    def _taken_apart(self, row: Row) -> Iterator[Row]:
        assert self.own_folder is not None
        path = self.own_folder / row.path
        collection = open_collection(path, self._name_of(row.path), self.sensor)
        wanted = range(len(collection.keys)) if row.item is None else [_item(path, collection, row.item)]
        for k in wanted:
            label = None if collection.labels is None else collection.classes[int(collection.labels[k])]
            group = "" if collection.groups is None else collection.groups[k]
            yield row._replace(label=row.label or label, group=row.group or group, item=str(k))


def _item(path: Path, collection: Collection, item: str) -> int:
    if item in collection.keys:
        return collection.keys.index(item)
    if item.isdecimal() and int(item) < len(collection.keys):
        return int(item)
    raise FormatError(f"{path}: no sample {item!r} in it; there are {len(collection.keys)}")


def _common_sensor(first_files: Mapping[str, Path], formats: Mapping[str, str]) -> Sensor:
    """The sensor of the first file of each extension, which has to be the same."""
    sensors: dict[Path, Sensor] = {}
    for suffix, path in first_files.items():
        if isinstance(registry.formats[formats[suffix]], CollectionFormat):
            told = open_collection(path, formats[suffix]).sensor
        else:
            told = open_recording(path, formats[suffix]).sensor
        if told is not None:
            sensors[path] = told
    if len(set(sensors.values())) != 1:
        found = ", ".join(f"{path.name} {sensor}" for path, sensor in sensors.items())
        raise FormatError(f"recordings of different sensors ({found}): state one that holds them all with --sensor")
    return next(iter(sensors.values()))
