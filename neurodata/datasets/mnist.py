"""MNIST (LeCun, Cortes and Burges): 70,000 handwritten digits of 28x28 pixels.

Published form: `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`, 60,000 digits, and the same two called
t10k, 10,000 digits, for testing. They are read packed or unpacked; one partition alone is a partial dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from neurodata.datasets._contract import Dataset, Partition, SampleRef, Scheme, Source, find_folder
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.formats import open_collection
from neurodata.formats.idx import labels_beside
from neurodata.forms import ImageForm
from neurodata.storage import is_file

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist"
PICTURES: dict[Partition, str] = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}


def _source(filename: str, md5: str) -> Source:
    return Source(filename, f"md5:{md5}", (f"{MIRROR}/{filename}",), is_archive=False)


class Mnist(Dataset):
    """MNIST as its authors published it, from a mirror."""

    name = "mnist"
    version = 1
    title = "MNIST: 70,000 handwritten digits"
    form = ImageForm(28, 28)
    format = "idx"
    classes = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    sources = (
        _source("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        _source("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        _source("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        _source("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    )
    licence = "CC BY-SA 3.0"
    citation = (
        "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, Proceedings of "
        "the IEEE 86(11), 1998"
    )
    homepage = "http://yann.lecun.com/exdb/mnist/"
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 60_000, "validation": 0, "test": 10_000}
    twin_size = 350

    def find_root(self, folder: Path) -> Path:
        """The folder that holds files of pictures: this one, or one folder further down."""
        first, *others = (f"{name}{ending}" for name in PICTURES.values() for ending in (".gz", ""))
        return find_folder(self.name, folder, first, "*", others)

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample a picture, in the order of partition and file; each is its own group.

        Raises
        ------
        SourceNotFoundError
            When the labels of a file of pictures are missing.
        FormatError
            When a file is damaged, or a label is none from 0 to 9.
        """
        return [ref for name in PICTURES.values() for ref in self._of_file(root, name)]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`official`: the files called train and t10k."""
        keys = {part: tuple(ref.key for ref in samples if ref.key.startswith(name)) for part, name in PICTURES.items()}
        description = "the published files train and t10k; no validation set"
        return {"official": Scheme("official", description, keys["train"], (), keys["test"])}

    def label_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """The files of labels."""
        found = (labels_beside(root / recording) for recording in dict.fromkeys(ref.recording for ref in samples))
        return [path for path in found if path is not None]

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """Drawn digits, in the published files."""
        from neurodata.datasets._picture_twin import write_picture_twin

        return write_picture_twin(folder, seed, size)

    def _of_file(self, root: Path, name: str) -> list[SampleRef]:
        recording = next((found for found in (f"{name}.gz", name) if is_file(root / found)), None)
        if recording is None:
            return []
        collection = open_collection(root / recording, self.format)
        if collection.labels is None:
            labels = name.replace("images", "labels").replace("idx3", "idx1")
            raise SourceNotFoundError(f"{root / recording}: no {labels} or {labels}.gz beside it; put it there")
        if len(collection.classes) > len(self.classes):
            raise FormatError(f"{root / recording}: a label of it is {len(collection.classes) - 1}; expected 0 to 9")
        # A file that is unpacked holds the same samples.
        keys = [f"{name}#{k}" for k in collection.keys]
        return [
            SampleRef(key=key, recording=recording, target=label, group=key, item=k)
            for k, (key, label) in enumerate(zip(keys, collection.labels.tolist(), strict=True))
        ]


DATASET = Mnist()
