"""A dataset by the name that a user gives: a public one, or a folder of anyone's own recordings."""

from __future__ import annotations

from pathlib import Path

from neurodata import registry
from neurodata.datasets._contract import Dataset
from neurodata.datasets._folder import Folder
from neurodata.errors import RecipeError
from neurodata.signals import Sensor

FOLDER = "folder:"


def is_dataset(name: str) -> bool:
    """Whether `find_dataset` takes the name for a dataset (a folder need not be there)."""
    return name.startswith(FOLDER) or name in registry.datasets


def find_dataset(
    name: str, *, labels: str | Path | None = None, format: str | None = None, sensor: Sensor | None = None
) -> Dataset:
    """The dataset of a name such as "dvs-gesture" or "folder:recordings".

    Parameters
    ----------
    name
        One of `registry.datasets`, or "folder:" and the path of a folder.
    labels, format, sensor
        As `Folder` describes them; only for a folder.

    Raises
    ------
    UnknownNameError
        When there is no dataset of that name.
    RecipeError
        When labels, format or sensor are stated for a public dataset.
    SourceNotFoundError, FormatError
        When the folder, its recordings or its labels cannot be read.
    """
    if name.startswith(FOLDER):
        return Folder(Path(name.removeprefix(FOLDER)), None if labels is None else Path(labels), format, sensor)
    if any(stated is not None for stated in (labels, format, sensor)):
        raise RecipeError(f"{name}: labels, format and sensor are stated for folder:DIR only; {name} has its own")
    dataset: Dataset = registry.datasets[name]
    return dataset
