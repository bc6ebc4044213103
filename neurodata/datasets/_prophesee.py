"""Prophesee's automotive datasets: drives in recordings of 60 s, and boxes about what is on the street.

Published form: folders `train`, `val` and `test`; in them for each recording `DRIVE_START_STOP_td.dat` (DAT, times
from 0 on; START and STOP are microseconds of the drive) and beside it `DRIVE_START_STOP_bbox.npy`
(`_prophesee_boxes`). RVT's copies have `..._td.dat.h5` in place of the former (HDF5 with a dataset for each column).
All recordings of a drive are in one folder: a drive is the group of its samples.

A sample is a window of a recording, which is not copied: by default one that ends when boxes are labelled, and has
these boxes; else sliding ones, which have all boxes of their time (`with_windows`). Recordings are taken to last as
long as their name says.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, list_recordings
from neurodata.datasets._folder_rows import Row
from neurodata.datasets._folder_windows import MOST_WINDOWS, Windows
from neurodata.datasets._prophesee_boxes import BOX_COLUMNS, BOX_DTYPE, T, between, read_boxes
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.signals import Signal
from neurodata.storage import is_file, is_folder
from neurodata.targets import TargetSpec

FOLDERS: dict[str, Partition] = {"train": "train", "val": "validation", "test": "test"}
FORMATS = {"_td.dat": "dat", "_td.dat.h5": "dsec_h5"}
NAME = re.compile(r"(?P<recording>(?P<drive>.+)_(?P<start>\d{1,18})_(?P<stop>\d{1,18}))_td\.dat(\.h5)?", re.ASCII)
BEFORE_US = 50_000
# Of the published recordings, this part may lack boxes, and so samples.
WITHOUT_BOXES = 0.01


class PropheseeDetection(Dataset):
    """What Gen1 and 1Mpx share; `objects` are the classes of their boxes."""

    format = "dat"
    classes = ()
    target_specs = (TargetSpec("boxes", "boxes", BOX_DTYPE, (0, len(BOX_COLUMNS)), ("box", "field")),)
    # A mirrored car is a car; but its box is another one, which no step moves: recipes that mirror are refused.
    label_maps: ClassVar[Mapping[str, Mapping[int, int]]] = {"flip_x": {}}
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    # Recordings of each partition; empty where nobody says.
    published_recordings: ClassVar[Mapping[Partition, int]] = {}
    # Of boxes, in the order of their class_id.
    objects: ClassVar[tuple[str, ...]]
    # Where samples end with boxes and nothing else is stated: the least time from one to the next.
    least_gap_us: ClassVar[int] = 0
    # Whether there are published recordings without a file of boxes: they have no samples.
    may_lack_labels: ClassVar[bool] = False

    def with_windows(self, windows: Windows) -> Dataset:
        """The dataset with samples cut like this."""
        other = copy(self)
        other.windows = windows
        return other

    def identity(self) -> dict[str, Any]:
        """With the windows, where they were stated."""
        stated = {} if self.windows is None else {"windows": asdict(self.windows)}
        return super().identity() | stated

    def readers(self) -> list[dict[str, Any]]:
        """Both formats that there are recordings in."""
        return [{"name": name, "version": registry.formats[name].version} for name in FORMATS.values()]

    def find_root(self, folder: Path) -> Path:
        """The folder that holds `train`, `val` or `test`: this one, or one up to two folders further down."""
        for candidate in (folder, *sorted(folder.glob("*")), *sorted(folder.glob("*/*"))):
            if any(is_folder(candidate / name) for name in FOLDERS):
                return candidate
        raise SourceNotFoundError(
            f"{folder}: no folder {', '.join(FOLDERS)} there, nor one or two folders below it: not the files of "
            f"{self.name} as published (`neurodata info {self.name}` shows where they are from)"
        )

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """The windows of all recordings, `train` before `val` before `test`, in the order of names and of time.

        Raises
        ------
        SourceNotFoundError
            When there is no recording, or no labels are beside one.
        FormatError
            When a recording is not named as published, or is there twice, or labels are damaged.
        RecipeError
            When there are more than ten million windows, or none.
        """
        recordings = [found for folder in FOLDERS for found in _recordings(root / folder)]
        if not recordings:
            raise SourceNotFoundError(
                f"{root}: no recordings like train/17-03-30_12-53-58_1037500000_1097500000_td.dat: unpack the archives "
                "of recordings and labels there"
            )
        refs: list[SampleRef] = []
        for path in recordings:
            refs += self._cut(root, path)
            if len(refs) > MOST_WINDOWS:
                raise RecipeError(
                    f"{self.name}: more than {MOST_WINDOWS:,} windows: state a longer stride_us (--stride-us)"
                )
        if not refs:
            raise RecipeError(f"{self.name}: no recording below {root} has a window: state shorter ones")
        return refs

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the published folders."""
        keys: defaultdict[str, list[str]] = defaultdict(list)
        for ref in samples:
            keys[_folder(ref)].append(ref.key)
        description = "the published folders train, val and test; all recordings of a drive are in one of them"
        return {"official": Scheme("official", description, *(tuple(keys[folder]) for folder in FOLDERS))}

    def is_complete(self, samples: Sequence[SampleRef], scheme: Scheme) -> bool:
        """Whether as many recordings have samples as were published, but for a hundredth that may have no boxes."""
        recordings = Counter(FOLDERS[folder] for folder, _ in {(_folder(ref), ref.recording) for ref in samples})
        least = {name: count * (1 - WITHOUT_BOXES) for name, count in self.published_recordings.items()}
        return all(recordings[name] >= least.get(name, 1) for name in FOLDERS.values())

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        """`boxes`: float64 [n, 8], columns as BOX_COLUMNS says: of the sample's time, or of its end."""
        assert ref.start_us is not None
        assert ref.stop_us is not None
        start_us = ref.start_us if self._slides else ref.stop_us - 1
        return {"boxes": between(self._boxes(root / ref.recording), start_us, ref.stop_us)}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The boxes of every recording that has samples."""
        return [_label_file(root / recording) for recording in dict.fromkeys(ref.recording for ref in samples)]

    @property
    def _slides(self) -> bool:
        return self.windows is not None and self.windows.before_us is None

    def _boxes(self, recording: Path) -> NDArray[np.float64]:
        return read_boxes(_label_file(recording), len(self.objects))

    def _cut(self, root: Path, path: Path) -> Iterator[SampleRef]:
        if not is_file(_label_file(path)):
            if self.may_lack_labels:
                return
            raise SourceNotFoundError(
                f"{_label_file(path)} is missing: unpack the labels beside the recordings, or take {path.name} out"
            )
        name, recording = _named(path), path.relative_to(root).as_posix()
        for start_us, stop_us in self._intervals(name, path):
            yield SampleRef(
                key=f"{path.parent.name}/{name['recording']}:{start_us}-{stop_us}",
                recording=recording,
                target=0,
                group=name["drive"],
                start_us=start_us,
                stop_us=stop_us,
                format=_format(path),
            )

    def _intervals(self, name: re.Match[str], path: Path) -> Iterable[tuple[int, int]]:
        whole = Row(str(path), None)
        if self.windows is not None and self.windows.before_us is None:
            stop_us = int(name["stop"]) - int(name["start"])
            rows = self.windows.sliding(whole, 0, stop_us, (0, stop_us))
        else:
            times_us = np.unique(self._boxes(path)[:, T].astype(np.int64))
            if self.windows is None:
                times_us = _apart(times_us, self.least_gap_us)
            rows = (self.windows or Windows(before_us=BEFORE_US)).before(whole, times_us)
        return ((row.start_us, row.stop_us) for row in rows if row.start_us is not None and row.stop_us is not None)


def _recordings(folder: Path) -> list[Path]:
    """Recordings of a folder, sorted; FormatError where one is there in two formats."""
    files = [*list_recordings(folder, ".dat"), *list_recordings(folder, ".h5")]
    found = sorted(path for path in files if path.name.endswith(tuple(FORMATS)))
    for path, after in pairwise(found):
        if after.name == f"{path.name}.h5":
            raise FormatError(f"{path}: is there a second time as {after.name}: take one of them out")
    return found


def _named(path: Path) -> re.Match[str]:
    name = NAME.fullmatch(path.name)
    if name is None or int(name["start"]) >= int(name["stop"]):
        raise FormatError(
            f"{path}: expected a recording of Prophesee, named DRIVE_START_STOP_td.dat with microseconds of the drive: "
            "take it out"
        )
    return name


def _format(path: Path) -> str:
    return next(format for suffix, format in FORMATS.items() if path.name.endswith(suffix))


def _label_file(recording: Path) -> Path:
    return recording.with_name(f"{_named(recording)['recording']}_bbox.npy")


def _folder(ref: SampleRef) -> str:
    return ref.recording.partition("/")[0]


def _apart(times_us: NDArray[np.int64], gap_us: int) -> NDArray[np.int64]:
    """The first of ascending times, and each that is at least gap_us after the one that was taken before it."""
    taken: list[int] = []
    for time_us in times_us.tolist():
        if not taken or time_us - taken[-1] >= gap_us:
            taken.append(time_us)
    return np.array(taken, np.int64)
