"""Spiking Heidelberg Digits and Spiking Speech Commands: HDF5 of spike times and units of many utterances.

`spikes/times` and `spikes/units` hold a sequence for each sample, seconds (float16; other floats are read, too) and
channels of the cochlea model; `labels` its class; `extra/speaker` its speaker, and `extra/keys` the names of the
classes, where they are there. Samples are named by their numbers. `extra/meta_info` (gender, age, body height) is
not read.

Times become the nearest microsecond; but a float16 holds eleven bits: those of SHD stand 0.5 ms apart from 0.5 s on,
and 1 ms from 1 s on. The files do not tell their sensor: it is the stated one, or 700 channels of one polarity. What
we write has it in attributes, which other readers pass over, and its times are float64: every microsecond up to 71
years comes back, which float16 would not give (nor float32, from 8 s on).

Sources: https://compneuro.net/posts/2019-spiking-heidelberg-digits (layout); Cramer et al., "The Heidelberg spiking
data sets for the systematic evaluation of spiking neural networks", IEEE TNNLS 33(7), 2022.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import CollectionFormat, Entry, Reading
from neurodata.formats._file import RecordingFile
from neurodata.formats._hdf5 import damage_named, library, opened, reason_not, tell_sensor, told_sensor, whole_column
from neurodata.formats._heap import Heap, text_column
from neurodata.formats._spikes import LAST_EXACT_US, spikes
from neurodata.formats._vlen import VlenColumn, vlen_column
from neurodata.signals import EventArray, Sensor
from neurodata.storage import write_bytes

COLUMNS = ("spikes/times", "spikes/units")
CHANNELS = Sensor(700, 1, 1)
LAST_LABEL = 65535


def sniff(head: bytes, path: Path) -> str | None:
    """None for HDF5 with these two datasets."""
    return reason_not(head, path, COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class SpikeCollection:
    """A `Collection` of spike trains; pickles, and holds no file open."""

    path: Path
    format: str
    keys: tuple[str, ...]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    groups: tuple[str, ...] | None
    sensor: Sensor
    times: VlenColumn
    units: VlenColumn
    fingerprint: tuple[int, int]  # size and modification time when the file was opened

    def read(self, k: int) -> Reading:
        """Sample k; findings count spikes whose time goes back ("late")."""
        if not 0 <= k < len(self.keys):
            raise IndexError(f"{self.path}: sample {k}; there are {len(self.keys)}, numbered from 0")
        return next(self.readings(k, k + 1))

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1; the file stays open meanwhile."""
        with RecordingFile(self.path, self.fingerprint) as file:
            wanted = range(len(self.keys))[first:stop]
            trains = Heap(file, self.times, self.units).sequences(wanted.start, wanted.stop)
            for k, (seconds, units) in zip(wanted, trains, strict=True):
                yield spikes(seconds, units, self.sensor, f"{self.path}: sample {k}")


def open_file(path: Path, sensor: Sensor | None = None) -> SpikeCollection:
    """The samples of a file.

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
        times, units = vlen_column(path, file, COLUMNS[0], "f"), vlen_column(path, file, COLUMNS[1], "iu")
        n = len(times)
        if len(units) != n:
            raise FormatError(f"{path}: {n} samples of times and {len(units)} of units; the file is damaged")
        labels = _labels(path, file, n)
        return SpikeCollection(
            path=path,
            format="shd_h5",
            keys=tuple(map(str, range(n))),
            labels=labels,
            classes=() if labels is None else _classes(path, file, labels),
            groups=_speakers(path, file, n),
            sensor=sensor or told_sensor(path, file.attrs) or CHANNELS,
            times=times,
            units=units,
            fingerprint=fingerprint,
        )


def _has(path: Path, file: Any, name: str) -> bool:
    with damage_named(path):
        return name in file


def _labels(path: Path, file: Any, n: int) -> NDArray[np.int64] | None:
    if not _has(path, file, "labels"):
        return None
    labels = whole_column(path, file, "labels", "iu")
    _require_one_each(path, "labels", len(labels), n)
    if n and not 0 <= int(labels.min()) <= int(labels.max()) <= LAST_LABEL:
        found = f"labels reach from {labels.min()} to {labels.max()}"
        raise FormatError(f"{path}: {found}; expected 0 to {LAST_LABEL}: the file is damaged")
    return labels.astype(np.int64)


def _classes(path: Path, file: Any, labels: NDArray[np.int64]) -> tuple[str, ...]:
    n_classes = int(labels.max(initial=-1)) + 1
    if not _has(path, file, "extra/keys"):
        return tuple(map(str, range(n_classes)))
    names = text_column(path, file, "extra/keys")
    if len(names) < n_classes:
        raise FormatError(
            f"{path}: label {n_classes - 1}, but extra/keys names {len(names)} classes; get the file again"
        )
    return names


def _speakers(path: Path, file: Any, n: int) -> tuple[str, ...] | None:
    name = "extra/speaker"
    if not _has(path, file, name):
        return None
    with damage_named(path):
        is_number = getattr(file[name], "dtype", np.dtype("S")).kind in "iu"
    speakers = whole_column(path, file, name, "iu").tolist() if is_number else text_column(path, file, name)
    _require_one_each(path, name, len(speakers), n)
    return tuple(map(str, speakers))


def _require_one_each(path: Path, name: str, n_found: int, n: int) -> None:
    if n_found != n:
        raise FormatError(f"{path}: {name} has {n_found} entries for {n} samples; the file is damaged: get it again")


def write_file(entries: Iterable[Entry], path: Path) -> None:
    """SHD's layout, with times as float64; speakers are numbers where all of them are, and left out where none is told.

    Raises
    ------
    FormatError
        When the sensors differ, have more than one row, an event is OFF, a time is 2^51 us or more from 0, or a label
        is none from 0 to 65535.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    found = list(entries)
    trains = [_storable(path, k, entry) for k, entry in enumerate(found)]
    sensors = {train.sensor for train in trains}
    if len(sensors) > 1:
        raise FormatError(f"{path}: samples of {' and '.join(map(str, sensors))}; shd_h5 holds one sensor a file")
    memory = io.BytesIO()
    h5py = library(path)
    with h5py.File(memory, "w") as file:
        times = file.create_dataset(COLUMNS[0], (len(trains),), h5py.vlen_dtype(np.dtype("<f8")))
        units = file.create_dataset(COLUMNS[1], (len(trains),), h5py.vlen_dtype(np.dtype("<u2")))
        for k, train in enumerate(trains):
            times[k], units[k] = train.t / 1e6, train.x
        file["labels"] = np.array([entry.label for entry in found], np.uint16)
        if any(entry.group for entry in found):
            file["extra/speaker"] = _stored_speakers([entry.group for entry in found])
        tell_sensor(file, next(iter(sensors), CHANNELS))
    write_bytes(path, memory.getvalue())


def _storable(path: Path, k: int, entry: Entry) -> EventArray:
    train = entry.signal
    if not isinstance(train, EventArray) or train.sensor.height != 1 or not train.p.all():
        what = f"events of {train.sensor}" if isinstance(train, EventArray) else type(train).__name__
        raise FormatError(f"{path}: sample {k} holds {what}; shd_h5 holds ON events of one row: convert them")
    if len(train) and not -LAST_EXACT_US <= train.t[0] <= train.t[-1] <= LAST_EXACT_US:
        raise FormatError(
            f"{path}: sample {k}: times reach from {train.t[0]} to {train.t[-1]} us; "
            f"shd_h5 holds {LAST_EXACT_US} to either side of 0: shift them"
        )
    if not 0 <= entry.label <= LAST_LABEL:
        raise FormatError(f"{path}: sample {k}: label {entry.label}; expected 0 to {LAST_LABEL}")
    return train


def _stored_speakers(groups: list[str]) -> NDArray[Any]:
    if all(group.isdecimal() and group == str(int(group)) and int(group) <= LAST_LABEL for group in groups):
        return np.array(groups).astype(np.uint16)
    return np.array([group.encode() for group in groups])


FORMAT = CollectionFormat(
    name="shd_h5",
    version=1,
    title="HDF5 spikes/{times,units}: SHD, SSC",
    extensions=(".h5", ".hdf5"),
    sniff=sniff,
    gives=EventArray,
    open=open_file,
    write=write_file,
)
