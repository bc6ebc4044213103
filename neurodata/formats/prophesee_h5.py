"""HDF5 event files of Prophesee's Metavision: records x, y, p, t in CD/events.

Times are microseconds; the file's attribute `geometry` ("1280x720") tells the sensor. Events are packed by gzip, by
a filter of hdf5plugin, or by Prophesee's ECF, whose decoder no Python package carries: where it is not installed the
error says how to get on. External triggers (EXT_TRIGGER/events) and Prophesee's own indexes are not read.

Source: https://docs.prophesee.ai/stable/data/file_formats/hdf5.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from neurodata.errors import FormatError
from neurodata.formats._columns import ColumnRecording, not_told, open_columns
from neurodata.formats._contract import Format
from neurodata.formats._hdf5 import NAMES, Datasets, damage_named, opened, reason_not, require_sound
from neurodata.signals import Sensor

RECORDS = ("CD/events",)
_GEOMETRY = re.compile(r"(\d{1,5})x(\d{1,5})")


def sniff(head: bytes, path: Path) -> str | None:
    """None for HDF5 with CD/events."""
    return reason_not(head, path, RECORDS)


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the file is damaged, packed by a filter that is not installed, or does not tell its sensor where
        none is stated.
    MissingExtraError
        When the extra `hdf5` is not installed.
    """
    with opened(path) as file:
        with damage_named(path):
            fields = file[RECORDS[0]].dtype.names or ()
        if not set(NAMES) <= set(fields):
            raise FormatError(f"{path}: CD/events has the fields {fields}; expected x, y, p and t")
        n = require_sound(path, file, RECORDS)
        sensor = sensor or _told_sensor(path, file)
    if sensor is None:
        raise not_told(path)
    return open_columns(path, "prophesee_h5", Datasets(path, RECORDS, n), sensor, keep)


def _told_sensor(path: Path, file: Any) -> Sensor | None:
    with damage_named(path):
        told = file.attrs.get("geometry", "")
        found = _GEOMETRY.fullmatch(told.decode() if isinstance(told, bytes) else str(told))
        return Sensor(int(found[1]), int(found[2])) if found else None


FORMAT = Format(
    name="prophesee_h5",
    version=1,
    title="HDF5 of Prophesee's Metavision: CD/events",
    extensions=(".hdf5", ".h5"),
    sniff=sniff,
    open=open_file,
)
