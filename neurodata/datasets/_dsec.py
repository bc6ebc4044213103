"""What the datasets made of DSEC's recordings share: where files are, and slices of events that end with a map.

DSEC is published as archives for training and for testing (`train_events.zip`, `train_disparity.zip` ...), or file by
file. A sequence's folder, such as `zurich_city_00_a`, is looked for where the archives put it (`train_events/SEQUENCE`,
`train_disparity/SEQUENCE`), and where everything of a sequence stands together: `train/SEQUENCE`, as DSEC's and ESS's
scripts want it, or SEQUENCE. In it is `events/left/events.h5` (format `dsec_h5`).

A sample is what the left event camera saw before a map, [t - 50 ms, t), as in DSEC's scripts (`--before-us` states
another length). Events are where the sensor saw them, with the distortion of its lens; maps are in the rectified view.
`rectify_map.h5`, beside the events, leads from the one to the other: `read_rectify_map` and `rectify`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, read_lines
from neurodata.datasets._folder_windows import Windows
from neurodata.errors import FormatError, RecipeError, SourceNotFoundError
from neurodata.formats._hdf5 import damage_named, opened, sound_dataset
from neurodata.signals import EventArray, Sensor
from neurodata.storage import is_file, is_folder

SENSOR = Sensor(640, 480)
FOLDERS: dict[str, Partition] = {"train": "train", "test": "test"}
TIME = re.compile(r"\d{1,18}", re.ASCII)
BEFORE_US = 50_000
LEFT = "events/left/events.h5"
PAGE = "https://dsec.ifi.uzh.ch/dsec-datasets/download/"


class Moment(NamedTuple):
    """A time that a map is of [us], and the path of its picture below the root; None where it is withheld."""

    time_us: int
    picture: str | None


class DsecMaps(Dataset):
    """A dataset of maps that belong to moments of DSEC's sequences."""

    form = SENSOR
    format = "dsec_h5"
    classes = ()
    # Mirrored classes are what they were; but a map is not, which no step moves: recipes that mirror are refused.
    label_maps: ClassVar[Mapping[str, Mapping[int, int]]] = {"flip_x": {}}
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    # Sequences that have maps, or whose maps are withheld.
    sequences: ClassVar[Mapping[str, tuple[str, ...]]]
    # What is to be known of the official split.
    split_description: ClassVar[str]

    def moments(self, root: Path, folder: str, sequence: str) -> Sequence[Moment]:
        """The moments of a sequence that have a map, in order; none where its maps are not there."""
        raise NotImplementedError

    def with_windows(self, windows: Windows) -> Dataset:
        """The dataset with slices of another length."""
        if windows.before_us is None:
            raise RecipeError(
                f"{self.name}: a map belongs to a moment: state the length of what comes before it, before_us "
                "(--before-us), and no windows that slide"
            )
        other = copy(self)
        other.windows = windows
        return other

    def identity(self) -> dict[str, Any]:
        """With the length of slices, where it was stated."""
        stated = {} if self.windows is None else {"windows": {"before_us": self.windows.before_us}}
        return super().identity() | stated

    def find_root(self, folder: Path) -> Path:
        """The folder that holds sequences, or folders of them: this one, or one further down."""
        names = [name for kind in FOLDERS for name in (f"{kind}_events", kind, *self.sequences[kind])]
        for candidate in (folder, *sorted(folder.glob("*"))):
            if any(is_folder(candidate / name) for name in names):
                return candidate
        raise SourceNotFoundError(
            f"{folder}: no folder train_events, test_events, train or test there, nor one folder below it: not the "
            f"files of DSEC as published (`neurodata info {self.name}` shows where they are from)"
        )

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """A sample for each map of the sequences whose events are there, training before testing.

        Raises
        ------
        SourceNotFoundError
            When no sequence has events and maps.
        FormatError
            When times and maps of a sequence do not fit each other.
        """
        refs = [
            ref
            for folder in FOLDERS
            for sequence in self._found(root, folder)
            for ref in self._of_sequence(root, folder, sequence)
        ]
        if not refs:
            raise SourceNotFoundError(
                f"{root}: no sequence has both events (train_events/zurich_city_00_a/events/left/events.h5) and what "
                f"{self.name} is about: unpack the archives that `neurodata info {self.name}` lists there"
            )
        return refs

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the published sequences for training and testing; no validation set."""
        train, test = (tuple(ref.key for ref in samples if ref.key.startswith(f"{name}/")) for name in FOLDERS)
        return {"official": Scheme("official", self.split_description, train, (), test)}

    def is_complete(self, samples: Sequence[SampleRef], scheme: Scheme) -> bool:
        """Whether every published sequence has samples."""
        found = {tuple(ref.key.split("/")[:2]) for ref in samples}
        return found >= {(folder, name) for folder, names in self.sequences.items() for name in names}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The pictures of all maps, and the lists of their times."""
        sequences = dict.fromkeys((folder, ref.group) for ref in samples for folder in [ref.key.partition("/")[0]])
        lists = [path for folder, sequence in sequences for path in [self.time_list(root, folder, sequence)]]
        return [*lists, *(root / told for ref in samples for told in ref.told)]

    def time_list(self, root: Path, folder: str, sequence: str) -> Path:
        """The file that lists the times of a sequence's maps."""
        raise NotImplementedError

    def _found(self, root: Path, folder: str) -> list[str]:
        """Names of the sequences whose left events are there, sorted."""
        places = [*root.glob(f"{folder}_events/*/{LEFT}"), *root.glob(f"{folder}/*/{LEFT}")]
        alone = [name for name in self.sequences[folder] if is_file(root / name / LEFT)]
        return sorted({*(path.parents[2].name for path in places), *alone})

    def _of_sequence(self, root: Path, folder: str, sequence: str) -> Iterator[SampleRef]:
        recording = find_part(root, folder, sequence, "events") / "left" / "events.h5"
        before_us = BEFORE_US if self.windows is None or self.windows.before_us is None else self.windows.before_us
        for time_us, picture in self.moments(root, folder, sequence):
            yield SampleRef(
                key=f"{folder}/{sequence}:{time_us}",
                recording=recording.relative_to(root).as_posix(),
                target=0,
                group=sequence,
                start_us=time_us - before_us,
                stop_us=time_us,
                told=() if picture is None else (picture,),
            )


def find_part(root: Path, folder: str, sequence: str, part: str) -> Path:
    """The folder `part` of a sequence: where archives put it, else where a sequence stands together."""
    places = [root / f"{folder}_{part}" / sequence, root / folder / sequence, root / sequence]
    return next((place / part for place in places if is_folder(place / part)), places[0] / part)


def read_times(path: Path, column: int = 0) -> list[int]:
    """The microseconds of a list, one a line; `column` of several parted by commas. Lines from # on are left out.

    Raises
    ------
    SourceNotFoundError, FormatError
        When the list is missing, or a line holds something else, or a time that is not after the one before it.
    """
    times: list[int] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) <= column or not TIME.fullmatch(cells[column]) or (times and int(cells[column]) <= times[-1]):
            raise FormatError(f"{path}: line {number} is {line[:80]!r}; expected whole microseconds that ascend")
        times.append(int(cells[column]))
    return times


def paired(root: Path, times: Path, pictures: Path) -> list[Moment]:
    """Moments of a list of times, and of as many pictures, in the order of their names."""
    names = sorted(path.name for path in pictures.glob("*.png") if not path.name.startswith("."))
    listed = read_times(times)
    if len(names) != len(listed):
        raise FormatError(
            f"{pictures}: holds {len(names)} pictures, and {times} lists {len(listed)} times; expected one for each: "
            "unpack them again"
        )
    below = pictures.relative_to(root).as_posix()
    return [Moment(time_us, f"{below}/{name}") for time_us, name in zip(listed, names, strict=True)]


def read_rectify_map(path: str | Path) -> NDArray[np.float32]:
    """Where each pixel of the sensor lies in the rectified view, float32 [480, 640, 2]: x and y [px].

    Parameters
    ----------
    path
        `rectify_map.h5`, beside the events of a camera.

    Raises
    ------
    SourceNotFoundError, FormatError, MissingExtraError
        When the file is missing or damaged, or the extra `hdf5` is not installed.
    """
    path = Path(path)
    with opened(path) as file:
        dataset = sound_dataset(path, file, "rectify_map", (3,))
        if dataset.shape != (SENSOR.height, SENSOR.width, 2) or dataset.dtype.kind != "f":
            raise FormatError(
                f"{path}: rectify_map is {dataset.dtype} {list(dataset.shape)}; expected floats "
                f"[{SENSOR.height}, {SENSOR.width}, 2]"
            )
        with damage_named(path):
            return np.asarray(dataset[...], np.float32)


def rectify(events: EventArray, rectify_map: NDArray[np.float32]) -> tuple[EventArray, int]:
    """Events at the nearest pixel of the rectified view, and how many lie out of it and are left out.

    DSEC's scripts share an event out among the four pixels about its place instead, in a voxel grid.

    Parameters
    ----------
    events
        Where the sensor saw them.
    rectify_map
        As `read_rectify_map` gives it, [height, width, 2] of the same sensor.

    Raises
    ------
    FormatError
        When the map is of another sensor.
    """
    sensor = events.sensor
    if rectify_map.shape != (sensor.height, sensor.width, 2):
        raise FormatError(f"a rectify map of {list(rectify_map.shape)} for a sensor of {sensor}; expected its own")
    x, y = np.floor(rectify_map[events.y, events.x] + 0.5).T
    inside = (x >= 0) & (x < sensor.width) & (y >= 0) & (y < sensor.height)
    columns = (events.t[inside], x[inside].astype(np.uint16), y[inside].astype(np.uint16), events.p[inside])
    return EventArray(*columns, sensor), int(np.count_nonzero(~inside))
