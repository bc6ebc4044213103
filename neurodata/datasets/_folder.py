"""Anyone's own recordings as a dataset: `folder:DIR`, in any format that can be read: events, sound, video, points ...

Sub-folders are classes (below train, validation and test where the folder has these), or a labels file says what is a
sample. Files of many samples are taken apart. Formats are found out file by file; the form (the sensor of events, the
rate of sound ...) is the one that all recordings tell. Format and sensor can be stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets._contract import PARTITIONS, Dataset, Partition, SampleRef, Scheme
from neurodata.datasets._folder_rows import Labels, Row, ordered_classes, read_labels, tree_rows
from neurodata.datasets._folder_targets import box_times, has_times, read_target, target_files, target_spec
from neurodata.datasets._folder_windows import MOST_WINDOWS, Windows
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError, UntoldSensorError
from neurodata.formats import (
    Collection,
    CollectionFormat,
    Format,
    Recording,
    SignalFormat,
    detect,
    open_collection,
    open_recording,
    recognises,
)
from neurodata.formats.idx import labels_beside
from neurodata.forms import (
    ClipForm,
    Form,
    ImageForm,
    PointCloudForm,
    Sensor,
    SpikeCountsForm,
    WaveformForm,
    form_to_json,
    in_general,
)
from neurodata.signals import EventArray, Signal
from neurodata.storage import is_folder

# Recipes for anyone's own samples, by what these are.
RECIPES: dict[type[Form], str] = {
    Sensor: "folder",
    WaveformForm: "folder-sound",
    ClipForm: "folder-video",
    ImageForm: "folder-pictures",
    PointCloudForm: "folder-points",
    SpikeCountsForm: "folder-spike-counts",
}


class Folder(Dataset):
    """A folder of recordings.

    Parameters
    ----------
    folder
        Holds the recordings, directly or further down.
    labels
        CSV file with the columns path and label, and any of start_us, end_us, group, split, item and target.NAME
        (`_folder_targets`; label may be missing then); None: sub-folders are classes.
    format
        Name of the recordings' format; without labels, only files with its extensions are taken. None: found out.
    sensor
        Pixel grid of all recordings of events; None: the one that all of them tell.
    windows
        How samples are cut from recordings of events, or from what a row of labels names of one; None: not at all.

    Raises
    ------
    SourceNotFoundError
        When the folder is missing, or holds no recordings.
    FormatError
        When a file is of no known format, the labels are damaged, or the form is not certain.
    RecipeError
        When a sensor or windows are stated for files that hold no events, or windows that no recording has.
    """

    version: ClassVar[int] = 1
    sources = ()
    licence = "your own"
    citation = ""
    homepage = ""
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    default_scheme = "folder"

    def __init__(
        self,
        folder: Path,
        labels: Path | None = None,
        format: str | None = None,
        sensor: Sensor | None = None,
        windows: Windows | None = None,
    ) -> None:
        folder = folder.expanduser()
        if not is_folder(folder):
            raise SourceNotFoundError(f"{folder}: no such folder, or no permission to enter it")
        self.own_folder = folder.absolute()
        self.labels = None if labels is None else labels.expanduser().absolute()
        # Windows and shells are spared special characters: it becomes the name of a folder of stores.
        self.name = "folder-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in self.own_folder.name)
        self.title = f"recordings in {folder}"
        rows, targets = self._listed(format)
        self._formats = self._found_out(rows, format)
        self.formats = tuple(sorted(set(self._formats.values())))
        self.format = self.formats[0]
        self.imposes_sensor = sensor is not None
        self.form = self._common_form(sensor)
        self.windows = windows
        whole = self._labelled(rows)
        self.classes = ordered_classes(row.label for row in whole if row.label is not None)
        self.target_specs = tuple(
            target_spec(self.labels or self.own_folder, self.own_folder, column, [row.told[k] for row in rows])
            for k, column in enumerate(targets)
        )
        self._rows = whole if windows is None else self._cut(whole, windows)

    def __getstate__(self) -> dict[str, Any]:
        """What a task needs to travel with: not the list of all samples."""
        return {name: value for name, value in vars(self).items() if name not in ("_rows", "_formats")}

    @property
    def recipe(self) -> str:
        """The recipe of all folders of this kind of signal."""
        return RECIPES[type(self.form)]

    def identity(self) -> dict[str, Any]:
        """Not the folder's name: a folder that was moved or copied gives the same store."""
        return {"name": "folder", "version": self.version, "form": form_to_json(self.form)}

    def readers(self) -> list[dict[str, Any]]:
        """Every format that is met."""
        return [{"name": name, "version": registry.formats[name].version} for name in self.formats]

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
                target=0 if row.label is None else index[row.label],
                group=row.group or row.path,
                start_us=row.start_us,
                stop_us=row.stop_us,
                item=None if row.item is None else int(row.item),
                format=self._formats[row.path],
                told=row.told,
            )
            for row in self._rows
        ]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`folder`: the splits that labels or sub-folders name; without these, all samples are for training."""
        rows = self._rows
        keys = {part: tuple(row.key for row in rows if (row.split or "train") == part) for part in PARTITIONS}
        told = any(row.split for row in rows)
        description = "as labels or sub-folders say" if told else "all for training: carve with val= or fold="
        return {"folder": Scheme("folder", description, keys["train"], keys["validation"], keys["test"])}

    def source_facts(self, root: Path, samples: Sequence[SampleRef]) -> object:
        """Which samples there are, of what class, group and split: told by folders or labels, not by recordings."""
        return {"boxes of the last microsecond": self._rows} if self._end_with_boxes else self._rows

    @property
    def _end_with_boxes(self) -> bool:
        """Whether samples end with the boxes that are theirs."""
        return self.windows is not None and self.windows.before_us is not None

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The files that hold targets."""
        return [root / path for path in dict.fromkeys(path for ref in samples for path in target_files(ref.told))]

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """What the columns of the labels file tell of the sample.

        Boxes are those in its interval; those of its last microsecond, where windows end with them.
        """
        start_us = ref.start_us
        if self._end_with_boxes and ref.stop_us is not None:
            start_us = ref.stop_us - 1
        return {
            spec.name: read_target(root, spec, cell, start_us, ref.stop_us)
            for spec, cell in zip(self.target_specs, ref.told, strict=True)
        }

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """A folder of somebody's own has no twin."""
        raise RecipeError(f"{self.name}: a folder has no twin")

    def _listed(self, format: str | None) -> Labels:
        assert self.own_folder is not None
        if self.labels is not None:
            return read_labels(self.labels, self.own_folder)
        rows = tree_rows(self.own_folder, None if format is None else registry.formats[format].extensions)
        # MNIST's labels stand beside its pictures, which are read with them.
        read_along = {labels_beside(self.own_folder / row.path) for row in rows}
        rows = [row for row in rows if self.own_folder / row.path not in read_along]
        if not rows:
            wanted = "" if format is None else f" of {format}"
            raise SourceNotFoundError(
                f"{self.own_folder}: no recordings{wanted} below it (pages and pictures, .md, .png ... are left alone; "
                "of pictures that are samples, IDX is read)"
            )
        return Labels(rows, [])

    def _found_out(self, rows: Sequence[Row], stated: str | None) -> dict[str, str]:
        """The format of each file. Formats that were met before are asked first: they are few, and all are many."""
        assert self.own_folder is not None
        formats: dict[str, str] = {}
        met: dict[str, None] = {}
        for row in rows:
            if row.path in formats:
                continue
            path = self.own_folder / row.path
            known = [name for name in met if path.suffix.lower() in registry.formats[name].extensions]
            name = stated or next((name for name in known if recognises(name, path)), None) or _detected(path)
            formats[row.path] = name
            met.setdefault(name)
        return formats

    def _common_form(self, sensor: Sensor | None) -> Form:
        """The form of the first file of each format, which has to be the same; preparing compares all others."""
        assert self.own_folder is not None
        first_of = {name: path for path, name in reversed(self._formats.items())}
        others = [name for name in first_of if registry.formats[name].gives is not EventArray]
        if sensor is not None:
            if others:
                holds = registry.formats[others[0]].gives.__name__
                raise RecipeError(f"{first_of[others[0]]}: a sensor is stated, but {others[0]} holds {holds}")
            return sensor
        forms = {path: own_form(self.own_folder / path, name) for name, path in first_of.items()}
        if len(set(forms.values())) != 1:
            found = ", ".join(f"{path} {form}" for path, form in sorted(forms.items()))
            way_out = (
                "bring them to one form, or state the format to take with --format"
                if others
                else "state one that holds them all with --sensor"
            )
            raise FormatError(f"recordings of different {'forms' if others else 'sensors'} ({found}): {way_out}")
        return next(iter(forms.values()))

    def _labelled(self, listed: Sequence[Row]) -> list[Row]:
        """What is listed, with files of many samples taken apart and every label told."""
        rows: list[Row] = []
        collections: dict[str, Collection] = {}
        for row in listed:
            if isinstance(registry.formats[self._formats[row.path]], CollectionFormat):
                if row.path not in collections:
                    collections[row.path] = self._collection(row.path)
                self._check_told(row, collections[row.path])
                rows += _taken_apart(row, collections[row.path])
            elif row.item is not None:
                raise FormatError(f"{self.labels}: {row.path} holds one recording, but its row names item {row.item}")
            else:
                rows.append(row)
        has_classes = any(row.label is not None or not row.told for row in rows)
        seen: set[str] = set()
        for row in rows:
            if row.key in seen:
                raise FormatError(f"{self.labels or self.own_folder}: two rows name the sample {row.key}; take one out")
            seen.add(row.key)
            if row.label is None and has_classes:
                raise FormatError(
                    f"{self.own_folder}: {row.path} has no class: put recordings into sub-folders named by class, "
                    "or state a labels file (--labels)"
                )
        return rows

    def _check_told(self, row: Row, collection: Collection) -> None:
        """An array is that of one sample: a row without item, which stands for all of a file, would give it to each."""
        files = target_files(row.told)
        if files and row.item is None and len(collection.keys) > 1:
            raise FormatError(
                f"{self.labels}: {row.path} holds {len(collection.keys)} samples, and its row tells all of them the "
                f"target {files[0]}: state a row for each sample, with its number in a column item"
            )

    def _cut(self, rows: Sequence[Row], windows: Windows) -> list[Row]:
        """The windows of all rows."""
        assert self.own_folder is not None
        recordings: dict[str, Recording] = {}
        cut: dict[str, Row] = {}
        for row in rows:
            format = registry.formats[self._formats[row.path]]
            if not isinstance(format, Format):
                raise RecipeError(f"{row.path}: windows are cut from recordings of events; {format.name} holds none")
            if row.path not in recordings:
                # Rows of a file stand together: one is open at a time.
                stated = self.sensor if self.imposes_sensor else None
                recordings = {row.path: open_recording(self.own_folder / row.path, format.name, stated)}
            recording = recordings[row.path]
            start_us = recording.start_us if row.start_us is None else row.start_us
            stop_us = recording.stop_us if row.stop_us is None else row.stop_us
            if windows.before_us is None:
                found = windows.sliding(row, start_us, stop_us, (recording.start_us, recording.stop_us))
            else:
                times_us = self._box_times(row)
                found = windows.before(row, times_us[(times_us >= start_us) & (times_us < stop_us)])
            for window in found:
                if cut.setdefault(window.key, window) != window:
                    raise FormatError(
                        f"{self.labels}: two rows of {row.path} overlap, and tell {window.key} differently (label, "
                        "group, split or targets): let each window lie in one of them"
                    )
            if len(cut) > MOST_WINDOWS:
                raise RecipeError(f"{self.own_folder}: more than {MOST_WINDOWS:,} windows: prepare parts of it")
        if not cut:
            raise RecipeError(
                f"{self.own_folder}: no recording has a window of {windows}: state shorter ones"
                if windows.before_us is None
                else f"{self.own_folder}: no boxes lie in the recordings: are their times on the recordings' clock?"
            )
        return list(cut.values())

    def _box_times(self, row: Row) -> NDArray[np.int64]:
        """When the recording of a row has boxes, in order; of all its targets that are boxes with times."""
        assert self.own_folder is not None
        cells = [cell for spec, cell in zip(self.target_specs, row.told, strict=True) if has_times(spec)]
        if not cells:
            raise RecipeError(
                f"{self.labels or self.own_folder}: no boxes with times, at which windows could end: state labels with "
                "a column target.NAME:boxes, or start_us and end_us of each sample"
            )
        return np.unique(np.concatenate([box_times(self.own_folder / cell) for cell in cells]))

    def _collection(self, path: str) -> Collection:
        assert self.own_folder is not None
        return open_collection(self.own_folder / path, self._formats[path], self.sensor)


def _detected(path: Path) -> str:
    try:
        return detect(path).name
    except FormatError as error:
        first_line = str(error).partition("\n")[0].removesuffix(". Tried:")
        raise FormatError(
            f"{first_line}; in a folder, --format NAME takes only the files with its extensions, and --labels FILE.csv "
            f"only those that it lists (`neurodata info {path.name}` says what was tried)"
        ) from error


def own_form(path: Path, format: str) -> Form:
    """What a file says of its form: the sensor of events, the rate and channels of sound ...

    Raises
    ------
    UntoldSensorError
        When a file of events says nothing, also where reading it alone would take the smallest usual sensor that
        holds its events.
    FormatError
        When the file is damaged, or a file of many samples holds none.
    """
    found = registry.formats[format]
    if found.gives is not EventArray:
        return _form_of_other(path, found)
    if isinstance(found, CollectionFormat):
        told = open_collection(path, format).sensor
    else:
        told = open_recording(path, format).sensor if found.tells_sensor else None
    if told is None:
        raise UntoldSensorError(
            f"{path}: {format} does not tell the sensor: state it with --sensor, as in --sensor 34x34"
        )
    return told


def _form_of_other(path: Path, format: CollectionFormat | SignalFormat) -> Form:
    if isinstance(format, SignalFormat):
        return in_general(format.read(path, None, None).signal.form)
    collection = open_collection(path, format.name)
    if not collection.keys:
        raise FormatError(f"{path}: holds no samples; take it out")
    return in_general(collection.read(0).signal.form)


def _taken_apart(row: Row, collection: Collection) -> Iterator[Row]:
    wanted = range(len(collection.keys)) if row.item is None else [_item(collection.path, collection, row.item)]
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
