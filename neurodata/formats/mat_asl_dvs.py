"""MATLAB recordings of ASL-DVS (and evbench): x, y, pol, ts of a DAVIS240, rows turned to begin at the top.

The camera numbers its rows from below, and the files keep that: here y = 179 - y, as in tonic 1.7. SpikingJelly 2.0
also mirrors the columns (x = 239 - x). Which of the two shows the hands as they were is not known: the paper does not
say, and no file of ASL-DVS was at hand. Mirror the columns where SpikingJelly's frames are to be met. Nothing in the
files tells them from others of the layout, so this format is never guessed: state it. Times, polarities, errors and
what is counted are those of "mat_events".
"""

from __future__ import annotations

from pathlib import Path

from neurodata.formats._columns import ColumnRecording
from neurodata.formats._contract import Format
from neurodata.formats.mat_events import open_as
from neurodata.signals import Sensor

DAVIS240 = Sensor(240, 180)


def sniff(head: bytes, path: Path) -> str | None:
    """Never None."""
    return 'looks like any MATLAB file of events: state it with format="mat_asl_dvs"'


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> ColumnRecording:
    """A recording; `findings` and errors are those of "mat_events"."""
    return open_as(path, "mat_asl_dvs", sensor or DAVIS240, keep, rows_from_below=True)


FORMAT = Format(
    name="mat_asl_dvs",
    version=1,
    title="MATLAB recordings of ASL-DVS and evbench, rows turned to begin at the top (never guessed)",
    extensions=(".mat",),
    sniff=sniff,
    open=open_file,
)
