"""N-TIDIGITS18: HDF5 of spoken digits heard by a silicon cochlea, the train and the test partition in one file.

For each partition, `train_labels` lists the names of its utterances, and the groups `train_addresses` and
`train_timestamps` hold under each name the channels (64, of one ear, numbered from the high frequencies) and seconds
of its spikes. A name is "man-ae-a-1": man or woman, speaker, first or second production, digits. Keys are the names
behind their partition, "train/man-ae-a-1"; groups are "man-ae".

Single digits have the labels 0 to 10 for o, 1 to 9 and z (zero), as in tonic, whatever else a file holds; sequences of
digits follow from 11 on, the shorter ones first, each sequence that occurs being a class of its own. Who classifies
single digits takes the samples with labels below 11; who recognises sequences takes the names of the classes.

Sources: Anumula et al., "Feature representations for neuromorphic audio spike streams", Front. Neurosci. 12:23, 2018;
the layout by the readers of tonic 1.7 and of events-tfds. Nothing here was checked against the published file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import CollectionFormat, Reading
from neurodata.formats._file import RecordingFile
from neurodata.formats._hdf5 import damage_named, opened, reason_not, whole_column
from neurodata.formats._heap import text_column
from neurodata.formats._spikes import spikes
from neurodata.signals import EventArray, Sensor

PARTITIONS = ("train", "test")
CHANNELS = Sensor(64, 1, 1)
DIGITS = tuple("o123456789z")
N_PARTS = 4  # of a name: man or woman, speaker, production, digits


def sniff(head: bytes, path: Path) -> str | None:
    """None for HDF5 with the labels, addresses and timestamps of a partition."""
    reasons = [
        reason_not(head, path, (f"{partition}_labels",), (f"{partition}_addresses", f"{partition}_timestamps"))
        for partition in PARTITIONS
    ]
    return None if None in reasons else reasons[0]


@dataclass(frozen=True, slots=True, eq=False)
class DigitCollection:
    """A `Collection` of utterances; pickles, and holds no file open."""

    path: Path
    format: str
    keys: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...] | None
    sensor: Sensor
    fingerprint: tuple[int, int]  # size and modification time when the file was opened

    def read(self, k: int) -> Reading:
        """Sample k; findings count spikes whose time goes back ("late")."""
        if not 0 <= k < len(self.keys):
            raise IndexError(f"{self.path}: sample {k}; there are {len(self.keys)}, numbered from 0")
        return next(self.readings(k, k + 1))

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1; the file stays open meanwhile."""
        with opened(self.path, self.fingerprint) as file:
            for key in self.keys[first:stop]:
                partition, _, name = key.partition("/")
                seconds = whole_column(self.path, file, f"{partition}_timestamps/{name}", "f")
                units = whole_column(self.path, file, f"{partition}_addresses/{name}", "iu")
                yield spikes(seconds, units, self.sensor, f"{self.path}: sample {key}")


def open_file(path: Path, sensor: Sensor | None = None) -> DigitCollection:
    """The utterances of both partitions, or of the one that is there, in the order of the lists of names.

    Raises
    ------
    FormatError
        When the file is damaged or of another layout.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    with RecordingFile(path) as raw:
        fingerprint = raw.fingerprint
    with opened(path, fingerprint) as file:
        keys = tuple(f"{partition}/{name}" for partition in PARTITIONS for name in _names(path, file, partition))
    if not keys:
        raise FormatError(f"{path}: neither {' nor '.join(f'{name}_labels' for name in PARTITIONS)} names an utterance")
    name, n_named = Counter(keys).most_common(1)[0]
    if n_named > 1:
        raise FormatError(f"{path}: {n_named} utterances are named {name}; the file is damaged: get it again")
    parts = [key.partition("/")[2].split("-") for key in keys]
    said = [part[-1] for part in parts]
    classes = DIGITS + tuple(sorted(set(said) - set(DIGITS), key=lambda digits: (len(digits), digits)))
    label_of = {digits: label for label, digits in enumerate(classes)}
    return DigitCollection(
        path=path,
        format="ntidigits_h5",
        keys=keys,
        labels=np.array([label_of[digits] for digits in said], np.int64),
        classes=classes,
        groups=tuple("-".join(part[:2]) for part in parts) if all(len(part) == N_PARTS for part in parts) else None,
        sensor=sensor or CHANNELS,
        fingerprint=fingerprint,
    )


def _names(path: Path, file: Any, partition: str) -> tuple[str, ...]:
    with damage_named(path):
        is_there = f"{partition}_labels" in file
    names = text_column(path, file, f"{partition}_labels") if is_there else ()
    for name in names:
        if not name or "/" in name or name == ".":
            raise FormatError(f"{path}: {partition}_labels holds {name!r}, no name of an utterance: get the file again")
    return names


FORMAT = CollectionFormat(
    name="ntidigits_h5",
    version=1,
    title="N-TIDIGITS18: HDF5 of spoken digits from a silicon cochlea",
    extensions=(".hdf5", ".h5"),
    sniff=sniff,
    gives=EventArray,
    open=open_file,
)
