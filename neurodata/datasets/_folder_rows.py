"""Which recordings of a folder are samples, and of what class: told by its sub-folders, or by a labels file."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from neurodata.datasets._contract import PARTITIONS, Partition, read_lines
from neurodata.datasets._folder_targets import TargetColumn, target_column
from neurodata.errors import FormatError, SourceNotFoundError
from neurodata.storage import is_file

COLUMNS = ("path", "start_us", "end_us", "label", "group", "split", "item")
SPLIT_NAMES: dict[str, Partition] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
# What people put beside recordings.
NO_RECORDINGS = {
    ".md", ".rst", ".html", ".pdf", ".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".log", ".py", ".m", ".ipynb",
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".bias", ".tmp_index",
}  # fmt: skip
TIME = re.compile(r"-?\d{1,18}", re.ASCII)  # 30,000 years, and fits int64


class Row(NamedTuple):
    """One recording, or an interval of one, or one sample of a file of many.

    `label` is None where only the file itself can tell; `split` is None where nothing does.
    """

    path: str  # below the folder, with forward slashes
    label: str | None
    group: str = ""
    split: Partition | None = None
    start_us: int | None = None
    stop_us: int | None = None
    item: str | None = None
    told: tuple[str, ...] = ()  # cells of targets, in the order of their columns

    @property
    def key(self) -> str:
        """Stable name of the sample."""
        interval = "" if self.start_us is self.stop_us is None else f":{_text(self.start_us)}-{_text(self.stop_us)}"
        return f"{self.path}{interval}{'' if self.item is None else f'#{self.item}'}"


def _text(time_us: int | None) -> str:
    return "" if time_us is None else str(time_us)


def tree_rows(folder: Path, extensions: Sequence[str] | None) -> list[Row]:
    """One row a file below the folder, in the order of paths.

    Sub-folders are classes. Where they are named as splits (train, validation or val, test), those below them are.
    Files directly in the folder (or in a split) have no label. Hidden files and folders are left out, and so are
    pages and pictures that people put beside recordings (NO_RECORDINGS).

    Parameters
    ----------
    extensions
        Files with one of these only; None: all.

    Raises
    ------
    FormatError
        When some sub-folders are named as splits and others are not.
    """
    paths = [
        path
        for path in _files(folder)
        if (path.suffix.lower() not in NO_RECORDINGS if extensions is None else path.suffix.lower() in extensions)
    ]
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    others = sorted(name for name in tops if name.lower() not in SPLIT_NAMES)
    splits = sorted(tops.difference(others))
    if splits and others:
        raise FormatError(
            f"{folder}: the folder {splits[0]} is named as a split, {others[0]} is not: classes stand either all below "
            "splits or all at the top; move one, or state a labels file (--labels)"
        )
    rows = []
    for path in paths:
        folders = path.parts[:-1]
        split = SPLIT_NAMES[folders[0].lower()] if splits and folders else None
        above = folders[1:] if split else folders
        rows.append(Row(path.as_posix(), above[0] if above else None, split=split))
    return rows


def _files(folder: Path) -> list[Path]:
    """All files below a folder, relative to it, sorted; links are followed, except those that lead back up."""
    found = []
    seen = set()
    for where, folders, files in os.walk(folder, onerror=_unreadable, followlinks=True):
        here = Path(where).resolve()
        folders[:] = [name for name in folders if not name.startswith(".") and here not in seen]
        if here in seen:
            continue
        seen.add(here)
        found += [Path(where, name).relative_to(folder) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.as_posix())


def _unreadable(error: OSError) -> None:
    raise SourceNotFoundError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions")


class Labels(NamedTuple):
    """What a labels file says: a row for each sample, and the targets besides classes that it has columns for."""

    rows: list[Row]
    targets: list[TargetColumn]


def read_labels(labels: Path, folder: Path) -> Labels:
    """What a labels file says: CSV with a header, columns path and label, and any of start_us, end_us, group,
    split (train, validation or val, test; for all rows or for none), item (of a file of many samples), and targets
    (`_folder_targets`). The column label may be missing where there is a target.

    Raises
    ------
    SourceNotFoundError
        When the labels file or a recording is missing.
    FormatError
        When a row is damaged, stands twice, or points out of the folder; names file and line.
    """
    if not is_file(labels):
        raise SourceNotFoundError(f"{labels}: no such labels file")
    reader = csv.reader(read_lines(labels), skipinitialspace=True)
    rows: list[Row] = []
    lines_of: dict[str, int] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        targets = _targets(labels, header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{labels}: line {reader.line_num}"
            if len(cells) != len(header):
                raise FormatError(f"{where} has {len(cells)} cells; the header has {len(header)}")
            named = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            row = _row(where, named, folder)._replace(told=_told(where, named, targets))
            if row.key in lines_of:
                raise FormatError(f"{where} names {row.key} again, as line {lines_of[row.key]} does; take it out")
            lines_of[row.key] = reader.line_num
            rows.append(row)
    except csv.Error as error:
        raise FormatError(f"{labels}: line {reader.line_num}: {error}; expected CSV") from error
    if not rows:
        raise FormatError(f"{labels}: no rows below the header; expected one for each sample")
    if len({row.split is None for row in rows}) == 2:
        first = next(row for row in rows if row.split is None)
        raise FormatError(f"{labels}: line {lines_of[first.key]} has no split, others have: state it for all or none")
    return Labels(rows, targets)


def _targets(labels: Path, header: list[str]) -> list[TargetColumn]:
    """The columns of targets; FormatError where the header lacks a column, or has one that means nothing."""
    found = {name: target_column(labels, name) for name in header}
    targets = [column for column in found.values() if column is not None]
    needed = {"path"} if targets else {"path", "label"}
    others = {name for name, column in found.items() if column is None}
    if not needed <= others <= set(COLUMNS) or len(found) != len(header):
        raise FormatError(
            f"{labels}: line 1 is {','.join(header)!r}; expected a header with path and label (or target.NAME), "
            f"and any of {', '.join(COLUMNS)}"
        )
    names = [column.name for column in targets]
    if len(set(names)) != len(names):
        raise FormatError(f"{labels}: line 1: two columns name one target: {', '.join(names)}")
    return targets


def _told(where: str, cells: dict[str, str], targets: list[TargetColumn]) -> tuple[str, ...]:
    for column in targets:
        if not cells[column.header]:
            raise FormatError(f"{where}: {column.header} is empty; expected a number or an .npy file for every sample")
    return tuple(cells[column.header] for column in targets)


def _row(where: str, cells: dict[str, str], folder: Path) -> Row:
    path, label, split = cells["path"], cells.get("label"), cells.get("split", "")
    place = PurePosixPath(path)
    if not path or place.is_absolute() or ".." in place.parts or Path(path).is_absolute():
        raise FormatError(f"{where}: path is {path!r}; expected a file below {folder}, without '..'")
    if not is_file(folder / path):
        raise SourceNotFoundError(f"{where}: {folder / path} is missing; correct the path, or take the row out")
    if label == "":
        raise FormatError(f"{where}: the label is empty; expected the name of a class")
    if split and split.lower() not in SPLIT_NAMES:
        raise FormatError(f"{where}: split is {split!r}; expected {', '.join(PARTITIONS)}")
    start_us, stop_us = _time(where, cells, "start_us"), _time(where, cells, "end_us")
    if start_us is not None and stop_us is not None and start_us >= stop_us:
        raise FormatError(f"{where}: from {start_us} to {stop_us} us is no interval: it ends before it starts")
    item = cells.get("item") or None
    return Row(place.as_posix(), label, cells.get("group", ""), SPLIT_NAMES.get(split.lower()), start_us, stop_us, item)


def _time(where: str, cells: dict[str, str], name: str) -> int | None:
    text = cells.get(name, "")
    if text and not TIME.fullmatch(text):
        raise FormatError(f"{where}: {name} is {text!r}; expected whole microseconds, or nothing")
    return int(text) if text else None


def ordered_classes(labels: Iterator[str]) -> tuple[str, ...]:
    """The different labels: as numbers where all are whole numbers ("2" before "10"), else by alphabet."""
    names = set(labels)
    numeric = all(re.fullmatch(r"-?\d{1,18}", name, re.ASCII) for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numeric else 0, name)))
