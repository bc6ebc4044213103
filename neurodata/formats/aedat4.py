"""AEDAT 4.0 (iniVation DV): packets of events, frames, IMU samples and triggers; uncompressed, LZ4 or Zstandard.

After the version line come the size of a flatbuffer (u32) and that flatbuffer, IOHeader: compression of all packets,
position of a table of contents at the end of the file (-1: none; not needed here), and an XML text that gives the
type and the sensor of each stream. Packets of events are read; all others are skipped by their size and counted.

Source: AEDAT file formats, https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-4.0.html,
and the flatbuffer schemas of dv-processing. Also read are what other writers do: a root of the XML that is no
<dv>, packets without the size in front of the flatbuffer, and no table of contents.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from neurodata.errors import FormatError, UntoldSensorError
from neurodata.formats._aedat4_index import index_packets
from neurodata.formats._aedat4_packets import GET_AGAIN, LZ4, NONE, STATE, ZSTD_HIGH, decoding, packet
from neurodata.formats._blocks import BlockRecording
from neurodata.formats._contract import Format, Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._flatbuffer import FlatbufferError, Table
from neurodata.formats._index import restored
from neurodata.formats._sidecar import indexed, lie_within
from neurodata.formats._writing import require_times, write_parts
from neurodata.signals import Sensor

VERSION_LINE = b"#!AER-DAT4.0\r\n"
HEADER_AT = len(VERSION_LINE) + 4
LONGEST_HEADER_BYTES = 1 << 24
EVENTS_PER_PACKET = 8192
COMPRESSIONS = {"none": NONE, "lz4": LZ4}  # that are written


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the header says of one stream."""

    type: str  # "EVTS", "FRME", "IMUS", "TRIG" ...
    sensor: Sensor | None


def sniff(head: bytes, path: Path) -> str | None:
    """None for a file that begins with the version line."""
    return None if head.startswith(VERSION_LINE.rstrip()) else f"does not begin with {VERSION_LINE.rstrip().decode()}"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording; times are Unix time in us, as a rule; the sensor is the one stated, else the event stream's.

    `findings` counts "frame packets", "IMU packets", "trigger packets" and "packets of other types", which are not
    read, and events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the file is truncated or damaged, has no event stream or events in more than one, an event lies
        off the sensor, or the sensor is not known.
    MissingExtraError
        When the packets are compressed and the extra `aedat` is not installed.
    """
    with RecordingFile(path) as file:
        compression, table_at, streams, first = _read_header(file)
        event_streams = [stream for stream in streams.values() if stream.type == "EVTS"]
        if not event_streams:
            listed = ", ".join(f"{number}: {stream.type}" for number, stream in streams.items())
            raise FormatError(f"{path}: no event stream; the header lists {listed or 'no stream at all'}")
        sensor = sensor or event_streams[0].sensor
        if sensor is None:
            raise UntoldSensorError(f"{path}: the header names no sensor size: state it, as in sensor=Sensor(346, 260)")
        types = {number: stream.type for number, stream in streams.items()}
        stop = table_at if first <= table_at <= file.size_bytes else file.size_bytes
        return indexed(
            file,
            "aedat4",
            [sensor],
            STATE,
            keep,
            fits=lie_within(first, stop, 1),
            first_pass=lambda: index_packets(file, first, stop, types, compression, sensor, keep),
            restored=partial(restored, file, "aedat4", decoding(compression)),
        )


def _read_header(file: RecordingFile) -> tuple[int, int, Mapping[int, StreamInfo], int]:
    """Compression, position of the table of contents, streams by number, and offset of the first packet."""
    head = file.read(HEADER_AT)
    if (reason := sniff(head, file.path)) is not None:
        raise FormatError(f"{file.path}: byte 0: {reason}, so it is not AEDAT 4")
    size_bytes = struct.unpack("<I", head[-4:])[0] if len(head) == HEADER_AT else 0
    if not 0 < size_bytes <= min(LONGEST_HEADER_BYTES, file.size_bytes - HEADER_AT):
        raise FormatError(
            f"{file.path}: byte {len(VERSION_LINE)}: header of {size_bytes} bytes, expected 1 to "
            f"{LONGEST_HEADER_BYTES} of the {max(file.size_bytes - HEADER_AT, 0)} that follow; {GET_AGAIN}"
        )
    try:
        table = Table(file.read(size_bytes, HEADER_AT), b"IOHE")
        compression = table.scalar(0, "<i", NONE)
        table_at = table.scalar(1, "<q", -1)
        at, n_bytes = table.vector(2, 1)
    except FlatbufferError as error:
        raise FormatError(f"{file.path}: byte {HEADER_AT}: damaged header: {error}; {GET_AGAIN}") from error
    if not NONE <= compression <= ZSTD_HIGH:
        raise FormatError(
            f"{file.path}: byte {HEADER_AT}: compression {compression}; known are 0 (none) to 4 (ZSTD_HIGH)"
        )
    return compression, table_at, _streams(file.path, bytes(table.buffer[at : at + n_bytes])), HEADER_AT + size_bytes


def _streams(path: Path, text: bytes) -> Mapping[int, StreamInfo]:
    """Streams by number, from the header's XML: the nodes within the one named outInfo."""
    try:
        if b"<!" in text:  # no writer declares entities; expanded, they could fill the memory
            raise ElementTree.ParseError("a declaration")
        root = ElementTree.fromstring(text.strip(b"\0 \t\r\n"))
    except (ElementTree.ParseError, UnicodeError, ValueError, LookupError) as error:
        raise FormatError(f"{path}: byte {HEADER_AT}: the header's XML does not parse: {error}; {GET_AGAIN}") from error
    streams = {}
    information = root if root.get("name") == "outInfo" else root.find(".//node[@name='outInfo']")
    for node in [] if information is None else information.iterfind("node"):
        number = node.get("name", "")
        if re.fullmatch("[0-9]{1,9}", number):
            info = node.find("node[@name='info']")
            streams[int(number)] = StreamInfo(_attribute(node, "typeIdentifier"), _sensor(info))
    return streams


def _sensor(info: ElementTree.Element | None) -> Sensor | None:
    sizes = [] if info is None else [_attribute(info, key) for key in ("sizeX", "sizeY")]
    if sizes and all(re.fullmatch("[0-9]{1,5}", size) and 1 <= int(size) <= 65536 for size in sizes):
        return Sensor(int(sizes[0]), int(sizes[1]))
    return None


def _attribute(node: ElementTree.Element, key: str) -> str:
    return node.findtext(f"attr[@key='{key}']") or ""


def write_file(events: Stream, path: Path, compression: Literal["none", "lz4"] = "lz4") -> None:
    """One stream of events, in packets of at most 8192, without a table of contents.

    Raises
    ------
    FormatError
        When a time is negative, or the sensor is larger than 32768 pixels on a side.
    MissingExtraError
        When the extra `aedat` is not installed and compression is not "none".
    """
    require_times(events, path, "AEDAT 4")
    if max(events.sensor.width, events.sensor.height) > 1 << 15:
        raise FormatError(f"{path}: the sensor is {events.sensor}; AEDAT 4 holds 15 bits: crop the events")
    packets = (packet(part, 0, COMPRESSIONS[compression]) for part in events.packets(EVENTS_PER_PACKET))
    write_parts(path, _header(events.sensor, compression), packets)


def _header(sensor: Sensor, compression: str) -> bytes:
    text = f"""<dv version="2.0">
    <node name="outInfo" path="/outInfo/">
        <node name="0" path="/outInfo/0/">
            <attr key="compression" type="string">{compression.upper()}</attr>
            <attr key="originalModuleName" type="string">neurodata</attr>
            <attr key="originalOutputName" type="string">events</attr>
            <attr key="typeDescription" type="string">Array of events (polarity ON/OFF).</attr>
            <attr key="typeIdentifier" type="string">EVTS</attr>
            <node name="info" path="/outInfo/0/info/">
                <attr key="sizeX" type="int">{sensor.width}</attr>
                <attr key="sizeY" type="int">{sensor.height}</attr>
                <attr key="source" type="string">neurodata</attr>
            </node>
        </node>
    </node>
</dv>
""".encode()
    text_bytes = struct.pack("<I", len(text)) + text + bytes(4 - len(text) % 4)  # ends in a zero, 4 bytes aligned
    # Root offset, type, padding, vtable of three fields, table: compression, offset of the text, no table of contents.
    table = struct.pack("<I4s6x5HiiIq", 24, b"IOHE", 10, 20, 4, 12, 8, 10, COMPRESSIONS[compression], 12, -1)
    return VERSION_LINE + struct.pack("<I", len(table) + len(text_bytes)) + table + text_bytes


FORMAT = Format(
    name="aedat4",
    version=1,
    title="AEDAT 4.0: recordings of iniVation DV",
    extensions=(".aedat4",),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
