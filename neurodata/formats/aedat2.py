"""AEDAT 2.0 and 1.0 (jAER): addresses and times of a DVS128, a DAVIS or a CochleaLP.

Source: AEDAT file formats, https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-2.0.html
and aedat-1.0.html; the bits of external events and IMU samples of a DAVIS from memory of jAER. The specification
calls all numbers signed and a DVS128's polarity bit 1 ON; recordings have times that only make sense unsigned, and
jAER takes 0 for ON. It does not say where a header without an end line stops, or what follows when the time wraps.

The silicon cochlea CochleaLP (DAS1) has 64 channels, two ears and two polarities: its sensor is 64x2x2, x the channel
from the high frequencies on, y the ear. jAER's classes `CochleaLP` and `CochleaLPEvent` have these bits; its MATLAB
scripts take 0 for ON, and for the left ear the row that `CochleaLPEvent` calls the right one: the rows are kept as
they are numbered. Cochleas with more neurons for each channel (CochleaAMS1b, 1c) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurodata.errors import FormatError
from neurodata.formats._aedat2_records import (
    CLOCK_US,
    COCHLEA_LP,
    DVS128,
    HALF_CLOCK_US,
    Layout,
    davis,
    decoding,
    records,
)
from neurodata.formats._blocks import BlockRecording
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, write_parts
from neurodata.signals import EventArray, Sensor

RECORD_BYTES = {b"#!AER-DAT1.0": 6, b"#!AER-DAT2.0": 8}  # by version line
END_LINE = b"#End Of ASCII Header\r\n"
LONGEST_HEADER_BYTES = 1 << 22  # jAER puts all preferences of a chip there: 190 kB have been seen

# How jAER's chip classes begin, the longer ones first: pixel grid, and layout of an address.
CHIPS: dict[str, tuple[Sensor, Layout]] = {
    "DVS128": (Sensor(128, 128), DVS128),
    "TMPDIFF128": (Sensor(128, 128), DVS128),
    "DAVIS128": (Sensor(128, 128), davis(128, 128)),
    "DAVIS208": (Sensor(208, 192), davis(208, 192)),
    "DAVIS240": (Sensor(240, 180), davis(240, 180)),
    "DAVIS346": (Sensor(346, 260), davis(346, 260)),
    "DAVIS640": (Sensor(640, 480), davis(640, 480)),
    "COCHLEALP": (Sensor(64, 2), COCHLEA_LP),
}
WRITTEN_CHIP = "ch.unizh.ini.jaer.chip.retina.DVS128"


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with one of the two version lines."""
    return None if head[:12] in RECORD_BYTES else "does not begin with #!AER-DAT2.0 or #!AER-DAT1.0"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording, of the chip that the header's `# AEChip:` line names, or else its `# HardwareInterface:` line.

    Columns and rows are turned, so that (0, 0) is at the top left: people in real recordings stand upright. Readers
    that keep the DVS128's rows as they are numbered, from below, show them upside down. (Recordings of CIFAR10-DVS
    are read with other axes: format "aedat2_cifar10dvs".) A file of version 1.0 that names no chip is a DVS128's.

    Only polarity events and spikes are read. `findings` counts "APS samples" and "IMU samples" (of a DAVIS), "external
    events" (of a CochleaLP: its ticks, and samples of its microphones), "clock wraps" (2^32 us each), and events whose
    time goes back ("late").

    Raises
    ------
    FormatError
        When the file is truncated, names no known chip, or an event lies off the sensor.
    """
    header, record_bytes = _read_header(path)
    named, layout = _chip(path, header, sensor, record_bytes)
    return open_blocks(path, "aedat2", decoding(layout, record_bytes), len(header), [sensor or named], keep)


def open_as(path: Path, format: str, layout: Layout, sensor: Sensor, keep: bool) -> BlockRecording:
    """A recording whose address layout is stated, whatever chip its header names."""
    header, record_bytes = _read_header(path)
    return open_blocks(path, format, decoding(layout, record_bytes), len(header), [sensor], keep)


def _read_header(path: Path) -> tuple[bytes, int]:
    """The header, which ends where its end line, or else its last line that begins with # does; bytes of a record."""
    with RecordingFile(path) as file:
        head = file.read(LONGEST_HEADER_BYTES)
    if (reason := sniff(head, path)) is not None:
        raise FormatError(f"{path}: byte 0: {reason}, so it is not AEDAT 1.0 or 2.0")
    before, end, _ = head.partition(END_LINE)
    lines = re.match(rb"(?:#[\t -\xff]*+\r?\n)*+", before)
    header = lines[0] if lines else b""
    if len(header) == len(before):
        header += end
    if re.fullmatch(rb"#[\t -~]*\r?", head[len(header) :]):
        raise FormatError(
            f"{path}: byte {len(header)}: a header line without an end; the file is truncated: get it again"
        )
    return header, RECORD_BYTES[head[:12]]


def _chip(path: Path, header: bytes, sensor: Sensor | None, record_bytes: int) -> tuple[Sensor, Layout]:
    names = []
    for key in (b"AEChip", b"HardwareInterface"):
        if line := re.search(rb"^# *" + key + rb": *(.*?)\r?$", header, re.MULTILINE):
            names.append(line[1].decode("latin-1"))
    for name in names:
        for chip, found in CHIPS.items():
            if name.rpartition(".")[2].upper().startswith(chip):
                return found
    if not names and record_bytes == RECORD_BYTES[b"#!AER-DAT1.0"]:
        return CHIPS["DVS128"]
    for grid, layout in CHIPS.values():
        if sensor == grid:
            return grid, layout
    raise FormatError(
        f"{path}: the header {f'names the chip {names[0]!r}' if names else 'names no chip'}; known are "
        f"{', '.join(CHIPS)}: state the sensor of one of them, as in sensor=Sensor(240, 180)"
    )


def write_file(events: Stream, path: Path) -> None:
    """An AEDAT 2.0 file of a DVS128.

    Raises
    ------
    FormatError
        When the sensor is larger than 128x128, or a time is negative, begins after 2^32 us, or passes that
        point with a step of more than 2^31 us.
    """
    if max(events.sensor.width, events.sensor.height) > 128:
        raise FormatError(
            f"{path}: AEDAT 2.0 is written for a DVS128 (128x128), the sensor is {events.sensor}: "
            "write aedat31 or aedat4, or crop the events"
        )
    if not 0 <= events.start_us < CLOCK_US:
        raise _not_held(events, path, 0)
    header = b"#!AER-DAT2.0\r\n# Timestamps tick: 1 us\r\n# AEChip: " + WRITTEN_CHIP.encode() + b"\r\n" + END_LINE
    parts = pieces(events, path, "AEDAT 2.0")
    if events.stop_us > CLOCK_US:
        parts = _without_long_steps(parts, events, path)
    write_parts(path, header, map(records, parts))


def _without_long_steps(parts: Iterator[EventArray], events: Stream, path: Path) -> Iterator[EventArray]:
    """All parts; FormatError for a step that a reader would take for a shorter one."""
    before_us = events.start_us
    for part in parts:
        longest_us = int(np.diff(part.t, prepend=before_us).max())
        if longest_us > HALF_CLOCK_US:
            raise _not_held(events, path, longest_us)
        before_us = int(part.t[-1])
        yield part


def _not_held(events: Stream, path: Path, step_us: int) -> FormatError:
    return FormatError(
        f"{path}: times reach from {events.start_us} to {events.stop_us - 1} us in steps of up to {step_us}; "
        f"AEDAT 2.0 begins between 0 and {CLOCK_US - 1} and goes on by at most {HALF_CLOCK_US}: shift them"
    )


FORMAT = Format(
    name="aedat2",
    version=1,
    title="AEDAT 1.0 and 2.0: DVS128, DAVIS and CochleaLP recordings of jAER",
    extensions=(".aedat2",),  # jAER's files end in .aedat; writing to that gives AEDAT 3.1
    sniff=sniff,
    open=open_file,
    write=write_file,
)
