"""A dataset by the name that a user gives: a public one, a folder of anyone's own recordings, or one of tonic's."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from neurodata import registry
from neurodata.datasets._contract import Dataset
from neurodata.datasets._folder import Folder
from neurodata.datasets._folder_windows import Windows
from neurodata.errors import RecipeError, SourceNotFoundError
from neurodata.signals import Sensor
from neurodata.storage import is_url, locate

FOLDER = "folder:"
TONIC = "tonic:"
_URL_IN_PATH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/([^/].*)")


def is_dataset(name: str) -> bool:
    """Whether `find_dataset` takes the name for a dataset (a folder need not be there)."""
    return name.startswith((FOLDER, TONIC)) or name in registry.datasets


def path_on_disk(place: str | Path) -> Path:
    """The path of source files that somebody names; file:// is one.

    Raises
    ------
    SourceNotFoundError
        When it is another URL: readers open files of this machine.
    """
    # A Path of a URL, as options are, has lost a slash; file:/// two.
    lost = _URL_IN_PATH.match(str(place))
    text = f"{lost[1]}://{'/' * (lost[1] == 'file')}{lost[2]}" if lost and not Path(place).exists() else str(place)
    found = locate(text) if is_url(text) else Path(place)
    if isinstance(found, Path):
        return found
    raise SourceNotFoundError(
        f"{found}: source files are read from a disk, not from behind a URL: copy them to a folder that all workers "
        "see (aws s3 sync, gcloud storage rsync, rclone copy), or mount the bucket there (mount-s3, gcsfuse, rclone "
        "mount), and name that folder. Stores and the published files of datasets may be behind URLs: --cache"
    )


def find_dataset(
    name: str | Dataset,
    *,
    labels: str | Path | None = None,
    format: str | None = None,
    sensor: Sensor | None = None,
    windows: Windows | None = None,
) -> Dataset:
    """The dataset of a name such as "dvs-gesture", "folder:recordings" or "tonic:NMNIST"; a dataset is itself.

    Parameters
    ----------
    name
        One of `registry.datasets`, "folder:" and the path of a folder, or "tonic:" and a class of `tonic.datasets`.
    labels, format, sensor
        As `Folder` describes them; only for a folder.
    windows
        How samples are cut from recordings: of a folder, or of a public dataset of long recordings.

    Raises
    ------
    UnknownNameError
        When there is no dataset of that name.
    RecipeError
        When it is neither a name nor a dataset; labels, format or sensor are stated for a public dataset, or windows
        for one whose samples are none, or windows do not fit the folder.
    SourceNotFoundError, FormatError
        When the folder, its recordings or its labels cannot be read.
    MissingExtraError
        When a dataset of tonic is asked for, and tonic is not installed.
    """
    if not isinstance(name, str | Dataset):
        raise RecipeError(
            f"{name!r}: not a dataset of neurodata; expected a name, folder:DIR or tonic:NAME, or what "
            "neurodata.adapters.torch.source (or tonic.source) makes of a map-style dataset"
        )
    if isinstance(name, str) and name.startswith(FOLDER):
        folder = path_on_disk(name.removeprefix(FOLDER))
        return Folder(folder, None if labels is None else path_on_disk(labels), format, sensor, windows)
    if any(stated is not None for stated in (labels, format, sensor)):
        known_as = name if isinstance(name, str) else name.name
        raise RecipeError(
            f"{known_as}: labels, format, sensor and windows are stated for folder:DIR only; {known_as} has its own"
        )
    dataset = _named(name)
    return dataset if windows is None else dataset.with_windows(windows)


def _named(name: str | Dataset) -> Dataset:
    if isinstance(name, Dataset):
        return name
    if name.startswith(TONIC):
        # By name, as plugs are: adapters stand on a floor above this one.
        of_tonic: Dataset = import_module("neurodata.adapters.tonic").by_name(name.removeprefix(TONIC))
        return of_tonic
    dataset: Dataset = registry.datasets[name]
    return dataset
