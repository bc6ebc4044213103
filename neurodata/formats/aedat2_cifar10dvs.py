"""AEDAT 2.0 recordings of CIFAR10-DVS, with the axes that the literature gives them.

Published results use x = 127 - (address >> 8 & 0x7f) and y = 127 - (address >> 1 & 0x7f): the axes of "aedat2"
swapped, and both turned. Nothing in the files tells them from other DVS128 recordings, so this format is never
guessed: state it. Times, polarities and what is counted are those of "aedat2".

Source: Li et al., "CIFAR10-DVS: an event-stream dataset for object classification", Front. Neurosci. 11:309, 2017;
axes as in SpikingJelly's reader.
"""

from __future__ import annotations

from pathlib import Path

from neurodata.formats._aedat2_records import CIFAR10DVS
from neurodata.formats._blocks import BlockRecording
from neurodata.formats._contract import Format
from neurodata.formats.aedat2 import open_as
from neurodata.signals import Sensor


def sniff(head: bytes, path: Path) -> str | None:
    """Never None."""
    return 'looks like any AEDAT 2.0: state it with format="aedat2_cifar10dvs"'


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording; `findings` and errors are those of "aedat2"."""
    return open_as(path, "aedat2_cifar10dvs", CIFAR10DVS, sensor or Sensor(128, 128), keep)


FORMAT = Format(
    name="aedat2_cifar10dvs",
    version=1,
    title="AEDAT 2.0 recordings of CIFAR10-DVS, axes as in the literature (never guessed)",
    extensions=(".aedat",),
    sniff=sniff,
    open=open_file,
)
