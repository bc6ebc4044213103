"""Torch's map-style datasets, and anything with `__len__` and `__getitem__`, as sources of stores.

    from neurodata.adapters.torch import source

    train = torchvision.datasets.MNIST("data", train=True)
    test = torchvision.datasets.MNIST("data", train=False)
    pictures = source(train, ImageForm(28, 28), to_picture, test=test, name="mnist-of-torchvision")
    store = neurodata.prepare(pictures, T=16, encoding="rate")

Datasets that give frames that are to be stored as they are need no steps, and so are not prepared but imported:
`neurodata.adapters.exchange.import_dataset`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from neurodata.adapters._given import GivenDataset, counted
from neurodata.adapters._map import MapStyle
from neurodata.datasets import Partition
from neurodata.errors import FormatError
from neurodata.formats import Reading
from neurodata.forms import Form
from neurodata.signals import KINDS, Signal


def source(
    train: MapStyle,
    form: Form,
    to_signal: Callable[[Any], Signal],
    *,
    test: MapStyle | None = None,
    validation: MapStyle | None = None,
    classes: Sequence[str] | None = None,
    groups: dict[Partition, Sequence[str]] | None = None,
    name: str | None = None,
    version: int = 1,
) -> GivenDataset:
    """One or several map-style datasets as a source for `neurodata.prepare`.

    Parameters
    ----------
    train, test, validation
        Each gives (data, label); a label is a whole number or a name.
    form
        What is known of every sample: `Sensor(34, 34)`, `ImageForm(28, 28)`, `WaveformForm(16_000)` ...
    to_signal
        Makes a signal of this form of the data of an item. Called in the thread or process that prepares it.
    classes
        Names of the classes by number; the datasets' own `classes`, or the labels, when None.
    groups
        Speaker, subject or user of each sample, by partition.
    name
        Of the dataset, in the folder of its stores; "torch-" and its class when None.
    version
        Raised when `to_signal` changes what it gives: part of the identity of stores.

    Returns
    -------
    GivenDataset
        Keys are "train/12". Each item is read once and hashed before any is prepared or a store is looked for (one more
        pass through the data): nothing else tells whether it is the same data as last time.

    Raises
    ------
    FormatError
        When an item is no pair, cannot be read, or has a label that is neither a number nor a name.
    RecipeError
        When there are no samples.
    """
    given: dict[Partition, MapStyle | None] = {"train": train, "validation": validation, "test": test}
    parts = {part: data for part, data in given.items() if data is not None}
    told = getattr(train, "classes", None)
    names = [str(word) for word in told] if classes is None and isinstance(told, list | tuple) else classes
    named = name or f"torch-{type(train).__name__}"
    return GivenDataset(
        named, f"map-style {type(train).__name__}", form, parts, _Checked(to_signal, KINDS[type(form)]),
        classes=names, groups=groups, reader={"name": f"torch.{type(train).__qualname__}", "version": version},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Checked:
    """The user's function, whose errors and whose other results are told."""

    to_signal: Callable[[Any], Signal]
    kind: type[Signal]

    def __call__(self, data: Any) -> Reading:
        try:
            signal = self.to_signal(data)
        except Exception as error:
            raise FormatError(f"to_signal fails: {type(error).__name__}: {error}") from error
        if not isinstance(signal, self.kind):
            raise FormatError(f"to_signal gives a {type(signal).__name__}; expected a {self.kind.__name__}")
        return counted(signal)
