"""N-MNIST (Orchard et al., Frontiers in Neuroscience 2015): MNIST digits seen by an ATIS in three saccades.

Published form: `Train/<digit>/<id>.bin` and `Test/<digit>/<id>.bin`, 40-bit events on 34x34 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder, list_recordings
from neurodata.errors import SourceNotFoundError
from neurodata.signals import Sensor
from neurodata.storage import is_folder

MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files"
FOLDERS = ("Train", "Test")


class NMnist(Dataset):
    """N-MNIST as published on Mendeley Data."""

    name = "n-mnist"
    version = 1
    title = "N-MNIST: 70,000 handwritten digits in three saccades"
    form = Sensor(34, 34)
    format = "nmnist"
    classes = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    sources = (
        Source(
            filename="train.zip",
            checksum="md5:20959b8e626244a1b502305a9e6e2031",
            urls=(f"{MENDELEY}/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",),
        ),
        Source(
            filename="test.zip",
            checksum="md5:69ca8762b2fe404d9b9bad1103e97832",
            urls=(f"{MENDELEY}/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",),
        ),
    )
    licence = "CC BY-SA 4.0"
    citation = (
        "Orchard et al., Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades, "
        "Frontiers in Neuroscience 9, 2015"
    )
    homepage = "https://www.garrickorchard.com/datasets/n-mnist"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 60_000, "validation": 0, "test": 10_000}
    twin_size = 280

    def find_root(self, folder: Path) -> Path:
        """The folder that holds `Train` and `Test`: this one, or one folder further down."""
        root = find_folder(self.name, folder, "Train", "*")
        if not is_folder(root / "Test"):
            raise SourceNotFoundError(f"{root}: holds Train but not Test; unpack test.zip beside it")
        return root

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a file, in the order of partition, digit and file name; each is its own group."""
        samples = []
        for folder in FOLDERS:
            for digit in range(len(self.classes)):
                for path in list_recordings(root / folder / str(digit), ".bin"):
                    key = path.relative_to(root).as_posix()
                    samples.append(SampleRef(key=key, recording=key, target=digit, group=key))
        if not samples:
            raise SourceNotFoundError(
                f"{root}: no recordings like Train/0/00001.bin; unpack train.zip and test.zip there"
            )
        return samples

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the folders Train and Test."""
        keys = [ref.key for ref in samples]
        return {
            "official": Scheme(
                name="official",
                description="the published folders Train and Test; no validation set",
                train=tuple(key for key in keys if key.startswith("Train/")),
                validation=(),
                test=tuple(key for key in keys if key.startswith("Test/")),
            )
        }

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Drawn digits moved by three saccades, in the published archives."""
        from neurodata.datasets._digit_twin import write_digit_twin

        return write_digit_twin(folder, seed, size)


DATASET = NMnist()
