"""One .npz a sample: `train/00000012.npz` with the arrays frames, label, key, group; and SpikingJelly's folders.

SpikingJelly 2.0 keeps frames as `frames_number_16_split_by_number/train/<class>/<name>.npz`, read by torchvision's
`DatasetFolder` (labels are places in the sorted names of folders) and its `load_npz_frames` (the array "frames"), and
events as `events_np/train/<class>/<name>.npz` (arrays t, x, y, p), as its source shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.adapters._passing import (
    EVENTS,
    FRAMES,
    MEASURED,
    TARGET,
    Outgoing,
    Passing,
    by_split,
    described,
    files_in,
    measured,
    split_of,
)
from neurodata.datasets import Partition
from neurodata.errors import FormatError
from neurodata.formats import Parts, read_npz, write_members

# What others call frames and labels.
FRAMES_NAMES = (FRAMES, "frame", "data", "x", "spikes", "events", "arr_0")
LABEL_NAMES = ("label", "labels", "target", "targets", "y", "arr_1")


class NpzFolder:
    """One .npz a sample, in a folder for each split."""

    lossless = "arrays in the stored type, deflated"

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """A file a sample."""
        home = folder / split.partition
        home.mkdir()
        for k, sample in enumerate(samples):
            _write(home / f"{k:08d}.npz", sample)

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples in the order of the files' names."""
        return _read(path)

    def recognises(self, path: Path) -> bool:
        """An .npz file, or a folder with one."""
        return path.suffix == ".npz" if path.is_file() else any(path.rglob("*.npz"))


class SpikingJellyFolder:
    """SpikingJelly's folders of frames or events; folders of classes are numbered, so that labels are ours."""

    lossless = "arrays in the stored type, deflated; SpikingJelly reads frames as float32"

    def write(self, folder: Path, split: Outgoing, samples: Iterable[Passing]) -> None:
        """A file a sample, in a folder for each class, also for one that no sample is of."""
        if split.targets:
            raise FormatError(
                f"samples have the targets {', '.join(split.targets)}, and SpikingJelly's folders hold a class alone: "
                "choose webdataset, hdf5 or npz"
            )
        if not split.classes:
            raise FormatError(
                "samples have no classes, which SpikingJelly's folders are named by: choose another layout"
            )
        home = folder / ("events_np" if split.has_events else frames_folder(split.recipe)) / split.partition
        width = len(str(len(split.classes) - 1))
        for k in range(len(split.classes)):
            (home / f"{k:0{width}d}").mkdir(parents=True)
        for k, sample in enumerate(samples):
            _write(home / f"{sample.label:0{width}d}" / f"{k:08d}.npz", sample)

    def read(self, path: Path) -> Iterator[tuple[Partition, Passing]]:
        """Samples in the order of the files' names, whatever their class."""
        return _read(path)

    def recognises(self, path: Path) -> bool:
        """Never: they are .npz files, too."""
        return False


LAYOUT = NpzFolder()
SPIKINGJELLY = SpikingJellyFolder()


def frames_folder(recipe: Mapping[str, Any]) -> str:
    """SpikingJelly's name of a folder of frames made by this recipe."""
    steps = recipe.get("steps") or [{"name": "frames", "parameters": {}}]
    parameters = steps[-1]["parameters"]
    split_by = {"count": "number"}.get(parameters.get("split_by"), parameters.get("split_by")) or steps[-1]["name"]
    return f"frames_number_{parameters.get('T') or 'any'}_split_by_{split_by}"


def _write(path: Path, sample: Passing) -> None:
    told = {name: np.asarray(value) for name, value in described(sample).items() if value != ""}
    members = {**sample.arrays, "label": np.asarray(sample.label), **told}
    with path.open("wb") as file:
        write_members(file, {name: Parts.of(np.asarray(array)) for name, array in members.items()})


def _read(path: Path) -> Iterator[tuple[Partition, Passing]]:
    top = path if path.is_dir() else path.parent
    for partition, files in by_split(files_in(path, (".npz",)), top).items():
        # By name first: that is the order of samples, which folders of classes part.
        for file in sorted(files, key=lambda file: (file.name, file.as_posix())):
            yield partition, _sample(file, _class_folder(file, top))


def _class_folder(file: Path, top: Path) -> str | None:
    """The folder that a file lies in, if that is one of a class: below the one that is imported, and of no split."""
    folders = file.relative_to(top).parts[:-1]
    of_split = next((k for k, name in enumerate(folders) if split_of([name])), None)
    return folders[-1] if folders and of_split != len(folders) - 1 else None


def _sample(file: Path, folder: str | None) -> Passing:
    found = read_npz(file)
    told: dict[str, Any] = {
        name: found.pop(name).item() for name in ("key", "group", *MEASURED) if name in found and found[name].size == 1
    }
    columns = {name: array for name, array in found.items() if name in EVENTS or name.startswith(TARGET)}
    if set(EVENTS) <= set(columns):
        label = found.get("label")
        return Passing(_text(told, "key"), _label(label, folder, file), _text(told, "group"), columns, measured(told))
    label = next((found.pop(name) for name in LABEL_NAMES if name in found and found[name].size == 1), None)
    targets = {name: array for name, array in found.items() if name.startswith(TARGET)}
    rest = {name: array for name, array in found.items() if name not in targets}
    name = next((name for name in FRAMES_NAMES if name in rest), None) or (next(iter(rest)) if len(rest) == 1 else None)
    if name is None:
        raise FormatError(
            f"{file}: holds the arrays {', '.join(sorted(rest)) or 'none'}; expected one of {', '.join(FRAMES_NAMES)}"
        )
    arrays = {FRAMES: rest[name], **targets}
    return Passing(_text(told, "key"), _label(label, folder, file), _text(told, "group"), arrays, measured(told))


def _label(label: NDArray[Any] | None, folder: str | None, file: Path) -> int | str:
    """The label of a file; else its class's folder, which may be a number."""
    if label is None:
        if folder is None:
            raise FormatError(
                f"{file}: tells no label: expected an array of one number, named {', '.join(LABEL_NAMES)}, or the file "
                "in a folder for its class, below the one that is imported and that of its split"
            )
        return int(folder) if folder.isdecimal() else folder
    if label.size != 1:
        raise FormatError(f"{file}: its label has the shape {label.shape}; expected one number, or a name")
    value = label.reshape(-1)[0].item()
    return value if isinstance(value, int | str) else _whole(value, file)


def _whole(value: Any, file: Path) -> int:
    if not isinstance(value, float) or not value.is_integer():
        raise FormatError(f"{file}: its label is {value!r}; expected a whole number or a name")
    return int(value)


def _text(told: Mapping[str, Any], name: str) -> str:
    return str(told.get(name, ""))
