"""N-TIDIGITS18 (Anumula et al. 2018): spoken digits heard by a silicon cochlea of 64 channels.

Published form: one HDF5 file, `n-tidigits.hdf5`, of both partitions. A sample here is an utterance of one digit, 2,464
for training and 2,486 for testing, of the classes oh, one to nine and zero; sequences of digits, which most of the
file are, have no class among these: `neurodata.open_collection` reads them. The group is the speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder
from neurodata.errors import FormatError
from neurodata.formats import open_collection
from neurodata.formats.ntidigits_h5 import DIGITS
from neurodata.signals import Sensor

FILE = "n-tidigits.hdf5"


class NTidigits18(Dataset):
    """The single digits of N-TIDIGITS18."""

    name = "n-tidigits18"
    version = 1
    title = "N-TIDIGITS18: single spoken digits from a silicon cochlea"
    form = Sensor(64, 1, 1)
    format = "ntidigits_h5"
    classes = ("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")
    sources = (
        Source(
            filename=FILE,
            checksum="md5:360a2d11e5429555c9197381cf6b58e0",
            urls=(
                "https://www.dropbox.com/scl/fi/1x4lxt9yyw25sc3tez8oi/n-tidigits.hdf5"
                "?e=2&rlkey=w8gi5udvib2zqzosusa5tr3wq&dl=1",
            ),
            is_archive=False,
        ),
    )
    licence = "research (TIDIGITS: LDC)"
    citation = (
        "Anumula, Neil, Delbruck and Liu, Feature Representations for Neuromorphic Audio Spike Streams, Frontiers in "
        "Neuroscience 12:23, 2018"
    )
    homepage = "https://doi.org/10.3389/fnins.2018.00023"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 2_464, "validation": 0, "test": 2_486}
    twin_size = 264

    def find_root(self, folder: Path) -> Path:
        """The folder that holds the file: this one, or one folder further down."""
        return find_folder(self.name, folder, FILE, "*")

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample an utterance of one digit, in the order of the file.

        Raises
        ------
        FormatError
            When the file is damaged, or holds no single digit.
        MissingExtraError
            When the extra `hdf5` is not installed.
        """
        collection = open_collection(root / FILE, self.format, self.sensor)
        labels = [] if collection.labels is None else collection.labels.tolist()
        groups = collection.groups or collection.keys
        samples = [
            SampleRef(key=key, recording=FILE, target=label, group=group, item=k)
            for k, (key, label, group) in enumerate(zip(collection.keys, labels, groups, strict=True))
            if label < len(DIGITS)
        ]
        if not samples:
            raise FormatError(f"{root / FILE}: holds no utterance of a single digit; get the file again")
        return samples

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the partitions of the file."""
        train, test = (tuple(ref.key for ref in samples if ref.key.startswith(part)) for part in ("train/", "test/"))
        return {"official": Scheme("official", "the partitions of the file; no validation set", train, (), test)}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Made-up digits as spikes, in the published file."""
        from neurodata.datasets._spike_twin import write_tidigits_twin

        return write_tidigits_twin(folder, FILE, seed, size)


DATASET = NTidigits18()
