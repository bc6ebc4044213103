"""A dataset by the name that a user gives: a public one, or a folder of anyone's own recordings."""

from __future__ import annotations

from pathlib import Path

from neurodata import registry
from neurodata.datasets._contract import Dataset
from neurodata.datasets._folder import Folder
from neurodata.datasets._folder_windows import Windows
from neurodata.errors import RecipeError
from neurodata.signals import Sensor

FOLDER = "folder:"


def is_dataset(name: str) -> bool:
    """Whether `find_dataset` takes the name for a dataset (a folder need not be there)."""
    return name.startswith(FOLDER) or name in registry.datasets


def find_dataset(
    name: str,
    *,
    labels: str | Path | None = None,
    format: str | None = None,
    sensor: Sensor | None = None,
    windows: Windows | None = None,
) -> Dataset:
    """The dataset of a name such as "dvs-gesture" or "folder:recordings".

    Parameters
    ----------
    name
        One of `registry.datasets`, or "folder:" and the path of a folder.
    labels, format, sensor, windows
        As `Folder` describes them; only for a folder.

    Raises
    ------
    UnknownNameError
        When there is no dataset of that name.
    RecipeError
        When labels, format, sensor or windows are stated for a public dataset, or windows do not fit the folder.
    SourceNotFoundError, FormatError
        When the folder, its recordings or its labels cannot be read.
    """
    if name.startswith(FOLDER):
        folder = Path(name.removeprefix(FOLDER))
        return Folder(folder, None if labels is None else Path(labels), format, sensor, windows)
    if any(stated is not None for stated in (labels, format, sensor, windows)):
        raise RecipeError(
            f"{name}: labels, format, sensor and windows are stated for folder:DIR only; {name} has its own"
        )
    dataset: Dataset = registry.datasets[name]
    return dataset
