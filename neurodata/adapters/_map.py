"""A dataset whose samples are items of Python objects, `dataset[index]` giving (data, label), and no files of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._labels import class_index
from neurodata.datasets import PARTITIONS, RECIPES, Dataset, Partition, SampleRef, Scheme
from neurodata.errors import FormatError, NeurodataError, RecipeError
from neurodata.formats import CollectionFormat, Reading
from neurodata.forms import Form, Sensor, form_to_json


class MapStyle(Protocol):
    """What torch and tonic call a map-style dataset; an item is (data, label)."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int) -> Any:
        """Sample `index`, from 0 on."""
        ...


def length_of(data: MapStyle, where: str) -> int:
    """Number of samples.

    Raises
    ------
    FormatError
        When the dataset does not tell it.
    """
    try:
        return len(data)
    except Exception as error:
        raise FormatError(
            f"{where}: {type(data).__name__} tells no length ({error}); expected a map-style dataset, with __len__ and "
            "__getitem__"
        ) from error


def item_of(data: MapStyle, index: int, where: str) -> tuple[Any, Any]:
    """Data and label of one item.

    Raises
    ------
    FormatError
        When it cannot be read, or is no pair.
    """
    try:
        item = data[index]
    except NeurodataError:
        raise
    except Exception as error:
        raise FormatError(f"{where} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise FormatError(f"{where} is a {type(item).__name__}; expected a pair (data, label)")
    return item[0], item[1]


class Listed(NamedTuple):
    """What is known of the samples of a partition without their data."""

    keys: tuple[str, ...]
    labels: tuple[Any, ...]  # as the dataset has them
    groups: tuple[str, ...]
    items: tuple[int, ...]  # number of each in the dataset


class MapDataset(Dataset):
    """Base of datasets that are read through `dataset[index]`.

    A sample is read in the thread or process that prepares it. Every sample is a recording of its own, so that the
    order of a store mixes classes.

    Parameters
    ----------
    name
        Of the dataset; the folder of its stores.
    title
        One line for people.
    form
        What every sample is.
    """

    version: ClassVar[int] = 1
    sources = ()
    licence = "that of the dataset"
    citation = ""
    homepage = ""
    published_counts: ClassVar[Mapping[Partition, int]] = {}
    default_scheme = "given"
    format = "map"

    def __init__(self, name: str, title: str, form: Form) -> None:
        self.name = re.sub(r"[^\w-]", "-", name)
        self.title = title
        self.form = form
        if type(form) not in RECIPES:
            raise RecipeError(f"{name}: a series is what steps make, not what a dataset holds: say what it is made of")

    def read(self, root: Path, partition: Partition, index: int) -> Reading:
        """The signal of one item.

        Raises
        ------
        FormatError
            Naming the item, when it cannot be read or is another kind of signal than `form`.
        """
        raise NotImplementedError

    def listed(self, root: Path) -> Mapping[Partition, Listed]:
        """Keys, labels and groups of all samples."""
        raise NotImplementedError

    @property
    def recipe(self) -> str:
        """The recipe of all folders of this kind of signal."""
        return RECIPES[type(self.form)]

    def identity(self) -> dict[str, Any]:
        """The name, and what the samples are."""
        return {"name": self.name, "version": self.version, "form": form_to_json(self.form)}

    def find_root(self, folder: Path) -> Path:
        """The folder itself."""
        return folder

    def samples(self, root: Path) -> Sequence[SampleRef]:
        """One sample an item, in the order of partitions and lists."""
        return [
            SampleRef(key, _recording(partition, key), class_index(label, self.classes, key), group or key, item=item)
            for partition, listed in self.listed(root).items()
            for key, label, group, item in zip(*listed, strict=True)
        ]

    def schemes(self, root: Path, samples: Sequence[SampleRef]) -> Mapping[str, Scheme]:
        """`given`: the datasets that were given for each partition."""
        keys = {name: listed.keys for name, listed in self.listed(root).items()}
        parts = (keys.get(name, ()) for name in PARTITIONS)
        return {"given": Scheme("given", "as the datasets that were given", *parts)}

    def format_of(self, ref: SampleRef) -> CollectionFormat:
        """Reads items of the dataset; no format on disk."""
        return CollectionFormat(
            name=self.format, version=self.version, title=self.title, extensions=(),
            sniff=lambda head, path: "no file", gives=self.gives, open=self._open,
        )  # fmt: skip

    def source_files(self, root: Path, samples: Sequence[SampleRef]) -> Sequence[Path]:
        """None: samples are no files. See `source_facts`."""
        return ()

    def write_twin(self, folder: Path, seed: int, size: int) -> tuple[Path, ...]:
        """There is none."""
        raise RecipeError(f"{self.name}: a dataset of another library has no twin")

    def _open(self, path: Path, sensor: Sensor | None) -> OneItem:
        return OneItem(self, path)  # <root>/<partition>/<key>: see `_recording`


@dataclass(frozen=True, slots=True)
class OneItem:
    """The items of one partition as a `Collection`, of which a task reads the one that it is told."""

    dataset: MapDataset
    path: Path

    @property
    def format(self) -> str:
        """Of the dataset."""
        return self.dataset.format

    @property
    def keys(self) -> tuple[str, ...]:
        """None: the dataset tells."""
        return ()

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """None: the dataset tells."""
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the dataset tells."""
        return ()

    @property
    def groups(self) -> tuple[str, ...] | None:
        """None: the dataset tells."""
        return None

    @property
    def sensor(self) -> Sensor | None:
        """The pixel grid of the dataset."""
        return self.dataset.sensor

    def read(self, k: int) -> Reading:
        """Item k of the dataset."""
        partition = cast(Partition, self.path.parent.name)
        return self.dataset.read(self.path.parents[1], partition, k)

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Items first to stop - 1."""
        return (self.read(k) for k in range(first, first + 1 if stop is None else stop))


def _recording(partition: Partition, key: str) -> str:
    """A path that names the sample and is the same on every machine: what a store orders samples by."""
    return f"{partition}/{key.replace('/', ':')}"
