"""What SHD and SSC share: one HDF5 file of spikes for each partition, of 700 channels of a cochlea model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder
from neurodata.errors import FormatError
from neurodata.formats import Collection, open_collection
from neurodata.signals import Sensor
from neurodata.storage import is_file

SITES = ("https://zenkelab.org/datasets", "https://compneuro.net/datasets")


def published(filename: str, md5: str) -> Source:
    """A file of both sites."""
    return Source(filename, f"md5:{md5}", tuple(f"{site}/{filename}" for site in SITES))


class HeidelbergSpikes(Dataset):
    """Base of the two datasets.

    Labels are told by name: where a file names its classes (`extra/keys`), a sample is of the class of that name,
    whatever its number there is; a file without names has the numbers of `classes`.
    """

    form = Sensor(700, 1, 1)
    format = "shd_h5"
    files: ClassVar[Mapping[Partition, str]]
    description: ClassVar[str]
    licence = "CC BY 4.0"
    citation = (
        "Cramer, Stradmann, Schemmel and Zenke, The Heidelberg Spiking Data Sets for the Systematic Evaluation of "
        "Spiking Neural Networks, IEEE Transactions on Neural Networks and Learning Systems 33(7), 2022"
    )
    homepage = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/"

    def find_root(self, folder: Path) -> Path:
        """The folder that holds a file of a partition: this one, or one folder further down."""
        first, *others = self.files.values()
        return find_folder(self.name, folder, first, "*", others)

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample an utterance, in the order of partition and file; the group is the speaker, where told.

        Raises
        ------
        FormatError
            When a file is damaged, has no labels, or names a class that there is not.
        MissingExtraError
            When the extra `hdf5` is not installed.
        """
        return [ref for name in self.files.values() if is_file(root / name) for ref in self._of_file(root, name)]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the published files."""
        keys: dict[Partition, list[str]] = {"train": [], "validation": [], "test": []}
        partition_of = {name: partition for partition, name in self.files.items()}
        for ref in samples:
            keys[partition_of[ref.recording]].append(ref.key)
        train, validation, test = map(tuple, keys.values())
        return {"official": Scheme("official", self.description, train, validation, test)}

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Made-up words as spikes, in the published archives."""
        from neurodata.datasets._spike_twin import write_heidelberg_twin

        return write_heidelberg_twin(folder, self.name, self.files, self.classes, seed, size)

    def _of_file(self, root: Path, name: str) -> list[SampleRef]:
        collection = open_collection(root / name, self.format, self.sensor)
        if collection.labels is None:
            raise FormatError(f"{root / name}: has no labels; get the file again")
        targets = self._targets(collection)
        keys = [f"{name}#{k}" for k in collection.keys]
        groups = collection.groups or keys
        return [
            SampleRef(key=key, recording=name, target=targets[label], group=group, item=k)
            for k, (key, label, group) in enumerate(zip(keys, collection.labels.tolist(), groups, strict=True))
        ]

    def _targets(self, collection: Collection) -> list[int]:
        """Our class of each label of a file."""
        names = collection.classes
        if names == tuple(map(str, range(len(names)))) and len(names) <= len(self.classes):
            return list(range(len(names)))
        ours = {_spelled(name): target for target, name in enumerate(self.classes)}
        if unknown := [name for name in names if _spelled(name) not in ours]:
            raise FormatError(
                f"{collection.path}: names the class {unknown[0]!r}; those of {self.name} are {', '.join(self.classes)}"
            )
        return [ours[_spelled(name)] for name in names]


def _spelled(name: str) -> str:
    """However capitals and umlauts are written: "Fünf", "fuenf"."""
    return name.casefold().replace("ü", "u").replace("ue", "u")
