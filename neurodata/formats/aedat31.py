"""AEDAT 3.1 (iniVation cAER, jAER): packets of 8-byte polarity events; the form of DVS Gesture.

Source: AEDAT file formats, https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from neurodata.errors import FormatError, UntoldSensorError
from neurodata.formats._aedat31_packets import DECODING, packet
from neurodata.formats._blocks import BlockRecording, Columns
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.signals import EventArray, Sensor

VERSION_LINE = b"#!AER-DAT3.1\r\n"
END_LINE = b"#!END-HEADER\r\n"
LONGEST_HEADER_BYTES = 1 << 16

EVENTS_PER_PACKET = 8192
SOURCE = 1

# Pixel grids by the names that cAER gives to its sources; the first name of a grid is the one written.
CHIPS = {
    "DVS128": (128, 128),
    "DAVIS128": (128, 128),
    "DAVIS208": (208, 192),
    "DAVIS240C": (240, 180),
    "DAVIS240A": (240, 180),
    "DAVIS240B": (240, 180),
    "DAVIS346B": (346, 260),
    "DAVIS346": (346, 260),
    "DAVIS346A": (346, 260),
    "DAVIS346Cbsi": (346, 260),
    "DAVIS346bsi": (346, 260),
    "DAVIS640": (640, 480),
}


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with the version line."""
    return None if head.startswith(VERSION_LINE.rstrip()) else f"does not begin with {VERSION_LINE.rstrip().decode()}"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording; coordinates are kept as they stand in the file (origin top-left in DVS Gesture), none is flipped.

    The sensor is the one stated, else the one that the header's `#Source` line names: a chip, or the sizes
    that cAER writes when it records from a file. A header that names none is refused, because a guess from
    the coordinates would change the shape of frames from file to file.

    Packets of other types are skipped by their header. `findings` counts them ("packets of other types"),
    invalid events ("invalid"), and events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the file is truncated or damaged, holds compressed packets or events of two sources, an event
        lies off the sensor, or the sensor is not known.
    """
    with RecordingFile(path) as file:
        header = _read_text_header(file)
    sensor = sensor or _named_sensor(path, header)
    return open_blocks(path, "aedat31", DECODING, len(header), [sensor], keep)


def _read_text_header(file: RecordingFile) -> bytes:
    head = file.read(LONGEST_HEADER_BYTES)
    if (reason := sniff(head, file.path)) is not None:
        raise FormatError(f"{file.path}: byte 0: {reason}, so it is not AEDAT 3.1")
    header, end, _ = head.partition(END_LINE)
    if not end:
        raise FormatError(
            f"{file.path}: no #!END-HEADER line in the first {len(head)} bytes; "
            "the file is truncated or damaged: get it again"
        )
    form = re.search(rb"^#Format: *(.*?)\r?$", header, re.MULTILINE)
    if form and form[1] != b"RAW":
        raise FormatError(f"{file.path}: byte {form.start()}: format {form[1].decode('latin-1')}; only RAW is read")
    return header + end


def _named_sensor(path: Path, header: bytes) -> Sensor:
    line = re.search(rb"^#Source +\d+: *(.*?)\r?$", header, re.MULTILINE)
    name = line[1].decode("latin-1") if line else ""
    if name in CHIPS:
        return Sensor(*CHIPS[name])
    sizes = re.search(r"\bdvsSizeX=(\d{1,5}),dvsSizeY=(\d{1,5})\b", name)
    if sizes and all(1 <= int(size) <= 65536 for size in sizes.groups()):
        return Sensor(int(sizes[1]), int(sizes[2]))
    found = f"names the source {name!r}" if line else "has no #Source line"
    raise UntoldSensorError(
        f"{path}: the header {found}; known are {', '.join(CHIPS)}: state the sensor, as in sensor=Sensor(128, 128)"
    )


def write_file(events: Stream, path: Path) -> None:
    """Polarity packets of at most 8192 events, all valid; a packet ends where the time overflows 31 bits.

    Raises
    ------
    FormatError
        When a time is negative, or a coordinate needs more than 15 bits.
    """
    require_times(events, path, "AEDAT 3.1")
    packets = (packet(part, SOURCE) for part in _packets(pieces(events, path, "AEDAT 3.1", 15)))
    write_parts(path, _text_header(events.sensor), packets)


def _packets(parts: Iterator[EventArray]) -> Iterator[EventArray]:
    """The events of each packet: so many from the start and from every overflow on, in whatever parts they come."""
    held: EventArray | None = None  # of a packet that is not full yet
    for part in parts:
        bounds = (np.flatnonzero(np.diff(part.t >> 31)) + 1).tolist()
        for first, last in pairwise([0, *bounds, len(part)]):
            events = part[first:last]
            if held and held.t[0] >> 31 != events.t[0] >> 31:
                yield held
                held = None
            events = _joined(held, events) if held else events
            n_full = len(events) // EVENTS_PER_PACKET * EVENTS_PER_PACKET
            yield from events[:n_full].packets(EVENTS_PER_PACKET)
            held = events[n_full:]
    if held:
        yield held


def _joined(first: EventArray, second: EventArray) -> EventArray:
    columns = Columns.joined([Columns(part.t, part.x, part.y, part.p) for part in (first, second)])
    return EventArray(*columns, first.sensor)


def _text_header(sensor: Sensor) -> bytes:
    names = [name for name, grid in CHIPS.items() if grid == (sensor.width, sensor.height)]
    source = names[0] if names else f"File,dvsSizeX={sensor.width},dvsSizeY={sensor.height}"
    return VERSION_LINE + f"#Format: RAW\r\n#Source {SOURCE}: {source}\r\n".encode() + END_LINE


FORMAT = Format(
    name="aedat31",
    version=1,
    title="AEDAT 3.1: DVS128 and DAVIS recordings of cAER and jAER",
    extensions=(".aedat",),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
