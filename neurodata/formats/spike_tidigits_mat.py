"""Spike-TIDIGITS: spoken digits as spike times of 620 neurons, all samples in one MATLAB file.

Variables `train_pattern`, `train_labels`, `test_pattern` and `test_labels`. A pattern is a cell array of samples; a
sample is a matrix [n_neurons, k] of spike times in ms, one row a neuron, rows filled up behind their last spike.
Labels count from 1 (11 classes; the file does not name them, so classes are the numbers 0 to 10). Neurons become x of
a sensor of n_neurons x 1 x 1, and times the nearest whole microseconds; spikes of equal time are in the order of
their neurons. `keys` are "train/0" and so on, train first: 620 neurons are 20 channels of 31 (15 thresholds crossed
upwards, 15 downwards, and the peak; which order they have is not told).

Known from the authors' note beside the data (split in two, exact times in ms) and from the code of its users (names
of the variables, 620 rows of each sample, labels counted from 1); no file was at hand. Decided here, unverified:
not-a-number and infinite times fill rows up, and so does 0, since a crossing has a moment before it; all three are
left out, zeros counted as "zeros". A cell array of n_neurons vectors is read in place of a matrix. Spike-TIMIT is
read when it has these variables, which is not known.

Source: Pan et al., "An efficient and perceptually motivated auditory neural encoding and decoding algorithm for
spiking neural networks", Front. Neurosci. 13:1420, 2020 (arXiv:1909.01302).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._contract import CollectionFormat, Reading
from neurodata.formats._file import RecordingFile
from neurodata.formats._mat import Array, opened, reason_not, require, vector, whole
from neurodata.signals import EventArray, Sensor

SPLITS = ("train", "test")
NEEDED = tuple(f"{split}_{part}" for split in SPLITS for part in ("pattern", "labels"))
MOST_CLASSES = 1000
LONGEST_MS = 1e9  # a signal of eleven days


def sniff(head: bytes, path: Path) -> str | None:
    """None for a MATLAB file with these four variables."""
    return reason_not(head, path, NEEDED)


@dataclass(frozen=True, slots=True, eq=False)
class SpikePatterns:
    """The `Collection` of such a file."""

    path: Path
    fingerprint: tuple[int, int]
    sensor: Sensor
    n_samples: tuple[int, ...]  # of each split
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def format(self) -> str:
        """Name of the format."""
        return "spike_tidigits_mat"

    @property
    def keys(self) -> tuple[str, ...]:
        """Split and number of each sample, such as "test/12"."""
        pairs = zip(SPLITS, self.n_samples, strict=True)
        return tuple(f"{split}/{k}" for split, n in pairs for k in range(n))

    @property
    def groups(self) -> None:
        """The file does not tell speakers."""
        return

    def read(self, k: int) -> Reading:
        """Sample k; a packed file is inflated for each: go through many with `readings`."""
        if not 0 <= k < len(self.labels):
            raise IndexError(f"{self.path}: no sample {k}; there are {len(self.labels)}")
        return next(self.readings(k, k + 1))

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1 in turn; the file stays open for all of them."""
        n = len(self.labels)
        first, stop, _ = slice(first, stop).indices(n)
        with opened(self.path, self.fingerprint) as found:
            begin = 0
            for split, n_samples in zip(SPLITS, self.n_samples, strict=True):
                wanted = range(max(first, begin), min(stop, begin + n_samples))
                cells = found[f"{split}_pattern"].cells() if wanted else ()
                for k in wanted:
                    yield _sample(self.path, cells[k - begin], self.sensor)
                begin += n_samples


def open_file(path: Path, sensor: Sensor | None = None) -> SpikePatterns:
    """A collection; without a stated sensor it has as many neurons as the first sample.

    Raises
    ------
    FormatError
        When the file is damaged or of another layout, or labels do not count from 1.
    MissingExtraError
        When it is of version 7.3 and the extra `hdf5` is not installed.
    """
    with RecordingFile(path) as file:
        fingerprint = file.fingerprint
    with opened(path, fingerprint) as found:
        require(path, found, NEEDED, "expected Spike-TIDIGITS")
        labels = [_labels(path, f"{split}_labels", found[f"{split}_labels"]) for split in SPLITS]
        for split, of_split in zip(SPLITS, labels, strict=True):
            _require_cells(path, f"{split}_pattern", found[f"{split}_pattern"], len(of_split))
        sensor = sensor or _told_sensor(path, found)
    joined = np.concatenate(labels)
    classes = tuple(str(label) for label in range(int(joined.max(initial=-1)) + 1))
    return SpikePatterns(path, fingerprint, sensor, tuple(map(len, labels)), joined, classes)


def _labels(path: Path, name: str, array: Array) -> NDArray[np.int64]:
    labels = whole(path, name, array)
    if len(labels) and not 1 <= labels.min() <= labels.max() <= MOST_CLASSES:
        raise FormatError(
            f"{path}: {array.place}: {name} reaches from {labels.min()} to {labels.max()}; expected classes from 1 on"
        )
    return labels.astype(np.int64) - 1


def _require_cells(path: Path, name: str, array: Array, n: int) -> None:
    if array.kind != "cell" or sorted(array.shape) != sorted((1, n)):
        raise FormatError(
            f"{path}: {array.place}: {name} is {array.kind} of shape {array.shape}; expected a cell array of {n} "
            "samples, one for each label"
        )


def _told_sensor(path: Path, found: Mapping[str, Array]) -> Sensor:
    for split in SPLITS:
        for sample in found[f"{split}_pattern"].cells()[:1]:
            n = _n_neurons(path, sample)
            if not 1 <= n <= 65536:
                raise FormatError(f"{path}: {sample.place}: a sample of {n} neurons; expected 1 to 65536")
            return Sensor(n, 1, 1)
    raise FormatError(f"{path}: it holds no samples, so it does not tell its neurons: state sensor=Sensor(620, 1, 1)")


def _n_neurons(path: Path, sample: Array) -> int:
    if len(sample.shape) != 2 or (sample.kind == "cell" and 1 not in sample.shape):
        raise FormatError(
            f"{path}: {sample.place}: a sample is {sample.kind} of shape {sample.shape}; expected a matrix of spike "
            "times, one row a neuron, or a cell array of one vector a neuron"
        )
    return max(sample.shape) if sample.kind == "cell" else sample.shape[0]


def _sample(path: Path, sample: Array, sensor: Sensor) -> Reading:
    if (n := _n_neurons(path, sample)) > sensor.width:
        raise FormatError(f"{path}: {sample.place}: a sample of {n} neurons; expected at most {sensor.width}")
    if sample.kind == "cell":
        rows = [vector(path, "a neuron", cell).astype(np.float64) for cell in sample.cells()]
        times_ms = np.concatenate(rows)
        neuron = np.repeat(np.arange(n), [len(row) for row in rows])
    else:
        matrix = sample.numbers().astype(np.float64)  # [n_neurons, k]
        times_ms, neuron = matrix.ravel(), np.repeat(np.arange(n), matrix.shape[1])
    is_spike = np.isfinite(times_ms) & (times_ms != 0)
    n_zeros = int(np.count_nonzero(times_ms == 0))
    times_ms, neuron = times_ms[is_spike], neuron[is_spike]
    if len(times_ms) and not 0 < times_ms.min() <= times_ms.max() < LONGEST_MS:
        raise FormatError(
            f"{path}: {sample.place}: spikes from {times_ms.min()} to {times_ms.max()} ms; expected times after 0"
        )
    t = np.rint(times_ms * 1000).astype(np.int64)
    order = np.lexsort((neuron, t))
    x = neuron[order].astype(np.uint16)
    events = EventArray(t[order], x, np.zeros(len(x), np.uint16), np.ones(len(x), np.bool_), sensor)
    return Reading(events, Counter({"zeros": n_zeros} if n_zeros else {}))


FORMAT = CollectionFormat(
    name="spike_tidigits_mat",
    version=1,
    title="Spike-TIDIGITS (BAE): MATLAB cell arrays of spike times",
    extensions=(".mat",),
    sniff=sniff,
    gives=EventArray,
    open=open_file,
)
