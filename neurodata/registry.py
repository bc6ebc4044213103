"""What can be named in a recipe or on the command line: formats, steps, augmentations, datasets, models.

The name is the file name (`event_frame` is `encodings/event_frame.py`; `dvs-gesture` is
`datasets/dvs_gesture.py`). Names are listed without importing anything; a file is imported when it is
first asked for. Other packages add theirs through the entry-point groups `neurodata.formats`,
`neurodata.transforms`, `neurodata.encodings`, `neurodata.augmentations`, `neurodata.datasets` and `neurodata.models`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from neurodata.errors import UnknownNameError


class Registry:
    """The plugs of one kind, by name.

    Parameters
    ----------
    kind
        Folder below `neurodata/` and entry-point group, such as "encodings".
    attribute
        Name of the object that each file of the folder defines, such as "STEP".
    """

    def __init__(self, kind: str, attribute: str) -> None:
        self.kind = kind
        self.attribute = attribute

    def names(self) -> list[str]:
        """All names, sorted; imports nothing."""
        return sorted({*self._files(), *self._entry_points()})

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._spelled(name) in self.names()

    def __getitem__(self, name: str) -> Any:
        """The object of that name; hyphens and underscores are the same.

        Raises
        ------
        UnknownNameError
            When there is none; the message lists the nearest names.
        """
        spelled = self._spelled(name)
        files = self._files()
        if spelled in files:
            return getattr(import_module(f"neurodata.{self.kind}.{files[spelled]}"), self.attribute)
        if spelled in (plugged := self._entry_points()):
            return plugged[spelled].load()
        near = difflib.get_close_matches(spelled, self.names(), n=3) or self.names()
        raise UnknownNameError(f"{self.kind}: no {name!r}; there is {', '.join(near)}")

    def _spelled(self, name: str) -> str:
        # Datasets are written with hyphens, as in papers; everything else as in Python.
        return name.replace("_", "-") if self.kind == "datasets" else name.replace("-", "_")

    def _files(self) -> dict[str, str]:
        return {self._spelled(stem): stem for stem in _stems(self.kind)}

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {self._spelled(point.name): point for point in _entry_points(self.kind)}

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self.names())})"


@cache  # each name that is asked for would list the folder again
def _stems(kind: str) -> tuple[str, ...]:
    return tuple(file.stem for file in (Path(__file__).parent / kind).glob("[!_]*.py"))


@cache
def _entry_points(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"neurodata.{kind}"))


formats = Registry("formats", "FORMAT")
transforms = Registry("transforms", "STEP")
encodings = Registry("encodings", "STEP")
augmentations = Registry("augmentations", "AUGMENTATION")
datasets = Registry("datasets", "DATASET")
models = Registry("models", "build")
