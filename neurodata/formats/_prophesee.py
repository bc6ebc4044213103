"""What Prophesee's .raw encodings (EVT 2.0, 2.1, 3.0) share: the text header, and time told in two parts.

The header is lines `% key value`, of which the last may be `% end`. Sources: RAW file format,
https://docs.prophesee.ai/stable/data/file_formats/raw.html; time loops: OpenEB's decoders, which take a
TIME_HIGH that falls by half its range or more for a wrap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, UntoldSensorError
from neurodata.formats._blocks import BlockRecording, Decoding
from neurodata.formats._contract import Stream
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

LONGEST_HEADER_BYTES = 1 << 16
# A body may begin with "%" too, but not with a line of text.
HEADER_LINE = re.compile(rb"% ([\x20-\x7e\t]*)\r?\n")
VERSIONS = {"2.0": "EVT2", "2.1": "EVT21", "3.0": "EVT3"}  # of `% evt`, and their names in `% format`
GET_AGAIN = "the file is truncated or damaged: get it again"


@dataclass(frozen=True, slots=True)
class Header:
    """A text header: its values by lower-case key, and its length."""

    values: dict[str, str]
    n_bytes: int

    @property
    def encoding(self) -> str | None:
        """EVT2, EVT21, EVT3 or another name; None where the header does not say."""
        name = self.values.get("format", "").partition(";")[0].strip().upper()
        return name or VERSIONS.get(self.values.get("evt", ""))

    @property
    def options(self) -> dict[str, str]:
        """What stands behind the name in `% format`, as in EVT21;endianness=legacy;height=720;width=1280."""
        return dict(part.split("=", 1) for part in self.values.get("format", "").split(";") if "=" in part)

    @property
    def sensor(self) -> Sensor | None:
        """The pixel grid of `% geometry`, `% format` or `% Width` and `% Height`; None where there is none."""
        geometry = re.fullmatch(r"(\d{1,5}) *[xX] *(\d{1,5})", self.values.get("geometry", ""))
        for sizes in (
            geometry.groups() if geometry else (),
            (self.options.get("width", ""), self.options.get("height", "")),
            (self.values.get("width", ""), self.values.get("height", "")),
        ):
            if len(sizes) == 2 and all(re.fullmatch(r"\d{1,5}", size) and 1 <= int(size) <= 65536 for size in sizes):
                return Sensor(int(sizes[0]), int(sizes[1]))
        return None


def parse_header(head: bytes) -> Header:
    """The header that begins these bytes; of no bytes when there is none."""
    values: dict[str, str] = {}
    at = 0
    while "end" not in values and (line := HEADER_LINE.match(head, at)):
        key, _, value = line[1].decode("ascii").strip().partition(" ")
        values.setdefault(key.lower(), value.strip())
        at = line.end()
    return Header(values, at)


def read_header(file: RecordingFile) -> Header:
    """The header of a file; FormatError when there is none, or it is cut off."""
    head = file.read(LONGEST_HEADER_BYTES)
    header = parse_header(head)
    if header.n_bytes == 0 and file.size_bytes:
        raise FormatError(
            f"{file.path}: byte 0: no header line '% key value'; it is no file of Prophesee's, or damaged"
        )
    if "end" not in header.values and head[header.n_bytes :].startswith(b"% "):
        raise FormatError(
            f"{file.path}: byte {header.n_bytes}: a header line that is not text or has no end; {GET_AGAIN}"
        )
    return header


def sniff_encoding(encoding: str, head: bytes, path: Path) -> str | None:
    """None for a header that names the encoding, else what it is instead."""
    found = parse_header(head)
    if found.n_bytes == 0:
        return "does not begin with a header line '% key value'"
    return None if found.encoding == encoding else f"its header names the encoding {found.encoding}"


def open_words(
    encoding: str,
    decoding_of: Callable[[Path, Header], Decoding],
    path: Path,
    sensor: Sensor | None = None,
    keep: bool = False,
) -> BlockRecording:
    """A recording of words of one encoding; times as they tell them, from the camera's start, with every wrap added.

    The sensor is the one stated, else the one of the header's `% geometry` or `% format` line; older files name
    none and are refused, because a guess from the coordinates would change the shape of frames from file to file.

    `findings` counts events "before the first time" (EVT3: "and row"), which are left out, "external triggers",
    "other words" (OTHERS and CONTINUED) and "reserved words", which are skipped, and events whose time goes back
    ("late").

    Raises
    ------
    FormatError
        When the header is of another encoding or word order or names no sensor, the file ends within a word, or an
        event lies off the sensor.
    """
    with RecordingFile(path) as file:
        header = read_header(file)
    decoding = decoding_of(path, header)
    if header.encoding not in (encoding, None):
        raise FormatError(f"{path}: byte 0: the header names the encoding {header.encoding}, so it is not {encoding}")
    sensors = [sensor or stated_sensor(path, header)]
    return open_blocks(path, encoding.lower(), decoding, header.n_bytes, sensors, keep)


def stated_sensor(path: Path, header: Header) -> Sensor:
    """The header's sensor; UntoldSensorError when it names none."""
    if (sensor := header.sensor) is None:
        raise UntoldSensorError(
            f"{path}: the header names no size; state the sensor, as in sensor=Sensor(1280, 720) (--sensor 1280x720)"
        )
    return sensor


def write_words(
    events: Stream,
    path: Path,
    encoding: str,
    last_us: int,
    words: Callable[[EventArray, EventArray | None], NDArray[Any]],
    *more: str,
) -> None:
    """A file of an encoding, with more lines in its header.

    Parameters
    ----------
    events, path
        What is written, and where to.
    encoding, last_us
        Its name, and the last time that it is written for.
    words
        (events, the last one before them or None): their words.

    Raises
    ------
    FormatError
        When a time is negative or after last_us, or a coordinate needs more than 11 bits.
    """
    require_times(events, path, encoding, last_us)
    parts = _word_parts(pieces(events, path, encoding, 11), words)
    write_parts(path, text_header(encoding, events.sensor, *more), parts)


def _word_parts(
    parts: Iterator[EventArray], words: Callable[[EventArray, EventArray | None], NDArray[Any]]
) -> Iterator[bytes]:
    before = None
    for events in parts:
        yield words(events, before).tobytes()
        before = events[-1:]


def text_header(encoding: str, sensor: Sensor, *more: str) -> bytes:
    """The header that files are written with."""
    version = next(version for version, name in VERSIONS.items() if name == encoding)
    lines = [
        f"evt {version}",
        f"format {encoding};height={sensor.height};width={sensor.width}",
        f"geometry {sensor.width}x{sensor.height}",
        *more,
        "end",
    ]
    return "".join(f"% {line}\n" for line in lines).encode()


@kernel
def after_time_high(high: np.int64, before_us: np.int64, low_bits: int, high_bits: int) -> np.int64:
    """The time of a TIME_HIGH that follows one of this time; when it falls by half its range or more it has wrapped."""
    fall = (before_us >> low_bits & ((1 << high_bits) - 1)) - high
    wraps = (before_us >> (low_bits + high_bits)) + (fall >= 1 << (high_bits - 1))
    return np.int64((wraps << high_bits | high) << low_bits)


def high_steps(
    events: EventArray, before: EventArray | None, low_bits: int, high_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """TIME_HIGH words that lead a reader through the times of events [n], after the last one before them.

    Returns how many stand before each event, [n], and their values, in order. A longer gap is crossed in
    steps of less than half the range of the word, so that every wrap shows.
    """
    high = events.t >> low_bits
    longest = (1 << (high_bits - 1)) - 1
    n_words = -(-np.diff(high, prepend=before.t >> low_bits if before else -1) // longest)
    ends = np.cumsum(n_words)
    back = np.repeat(ends, n_words) - 1 - np.arange(ends[-1] if len(ends) else 0)
    return n_words, (np.repeat(high, n_words) - longest * back) & ((1 << high_bits) - 1)
