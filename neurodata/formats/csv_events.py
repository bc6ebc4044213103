"""Text of events: a row of t, x, y, p for each, separated by spaces, tabs, commas or semicolons.

There is no specification, and files differ in the order of the columns and the unit of time, so neither is guessed.
They are taken from a header line that names the columns, as in `t[us],x,y,p` (also `timestamp_ns x y polarity`, and
as a # comment); from a stated format, such as `csv_txyp_s`; or from the numbers, where these leave a single
reading. What the numbers tell: polarity is 0 and 1 or -1 and 1, coordinates are whole, times go up, x stands before
y; times below 1e5 with more than three decimals are seconds. Whole times without a unit are refused.

Read as well: faery's header `t,x@640,y@480,on` (microseconds, and the size of the sensor); a line of two numbers
before the first row, the size of the sensor (as rpg_e2vid writes it); lines that begin with #, as comments. Decimals
beyond the microsecond are rounded to the nearest.

The layouts met: ETH's Event-Camera Dataset `t[s] x y p` (Mueggler et al., IJRR 36(2), 2017), MNIST-DVS text
`x y t[us] p`, Metavision's file_to_csv `x,y,p,t[us]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError, UntoldSensorError
from neurodata.formats._blocks import BlockRecording
from neurodata.formats._contract import Format, Stream
from neurodata.formats._csv_layout import HEAD_BYTES, Head, Layout, parse_head, readings
from neurodata.formats._csv_numbers import WAYS_OUT, decoding
from neurodata.formats._file import RecordingFile
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

LONGEST_ROW_BYTES = 19 + 5 + 5 + 1 + 4  # digits of 2^62, of 65535 twice, of 1, and what stands between


def sniff(head: bytes, path: Path) -> str | None:
    """None for text with a header that names t, x, y and p, or rows of four numbers that can be events."""
    found = parse_head(head, is_all=path.stat().st_size == len(head))
    if isinstance(found, str):
        return found
    return None if readings(found) else "rows of numbers that cannot be events"


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording. Text seldom tells the sensor: state it, unless a line as `write` gives it does.

    `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the order of the columns, the unit of time or the sensor is neither told nor certain, or a row is
        damaged.
    """
    found = _head(path)
    possible = readings(found)
    if len(possible) != 1:
        open_ = ", ".join(f"'{layout}'" for layout in possible) or "none that fits its rows"
        raise FormatError(f"{path}: byte {found.n_bytes}: the columns can be {open_}; {WAYS_OUT}")
    return _opened(path, "csv_events", found, possible[0], sensor, keep)


def stated(name: str, title: str, layout: Layout) -> Format:
    """A format for text of one layout: never detected, only stated."""

    def only_stated(head: bytes, path: Path) -> str | None:
        return "is read only where it is stated"

    def open_stated(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
        found = _head(path)
        if found.columns not in (None, layout.columns) or found.unit not in (None, layout.unit):
            told = " ".join(found.columns or ()) + (f" with t in {found.unit}" if found.unit else "")
            raise FormatError(f"{path}: byte 0: the header tells {told}, not '{layout}' as stated; leave format= out")
        return _opened(path, name, found, layout, sensor, keep)

    return Format(name=name, version=1, title=title, extensions=(".csv", ".txt"), sniff=only_stated, open=open_stated)


def _head(path: Path) -> Head:
    with RecordingFile(path) as file:
        found = parse_head(file.read(HEAD_BYTES), is_all=file.size_bytes <= HEAD_BYTES)
    if isinstance(found, str):
        raise FormatError(f"{path}: byte 0: {found}; expected rows of t, x, y and p")
    return found


def _opened(path: Path, name: str, found: Head, layout: Layout, sensor: Sensor | None, keep: bool) -> BlockRecording:
    sensor = sensor or found.sensor
    if sensor is None:
        raise UntoldSensorError(
            f"{path}: the text does not tell its sensor: state it, as in sensor=Sensor(240, 180) (--sensor 240x180), "
            "or put a line '# sensor: 240x180' first"
        )
    return open_blocks(path, name, decoding(layout), found.n_bytes, [sensor], keep)


def write_file(events: Stream, path: Path) -> None:
    """A line that tells the sensor, one that names the columns (t[us],x,y,p), and a row for each event.

    Raises
    ------
    FormatError
        When a time is negative: other readers of such text take times as unsigned.
    """
    require_times(events, path, "text of events")
    header = f"# sensor: {events.sensor}\nt[us],x,y,p\n".encode()
    write_parts(path, header, _rows(pieces(events, path, "text of events")))


def _rows(parts: Iterator[EventArray]) -> Iterator[memoryview]:
    """Rows of each part, in a buffer that the next one takes over."""
    buffer = np.empty(0, np.uint8)
    for events in parts:
        if len(buffer) < LONGEST_ROW_BYTES * len(events):
            buffer = np.empty(LONGEST_ROW_BYTES * len(events), np.uint8)
        n_bytes = _print_rows(events.t, events.x, events.y, events.p, buffer)
        yield buffer[:n_bytes].data


@kernel
def _print_rows(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    out: NDArray[np.uint8],
) -> int:
    """Write a row for each event; returns the number of bytes."""
    at = 0
    for i in range(len(t)):
        for k, value in enumerate((t[i], np.int64(x[i]), np.int64(y[i]), np.int64(p[i]))):
            n_digits, rest = 1, value // 10
            while rest:
                n_digits, rest = n_digits + 1, rest // 10
            for place in range(at + n_digits - 1, at - 1, -1):
                out[place] = 48 + value % 10
                value //= 10
            out[at + n_digits] = 44 if k < 3 else 10  # comma, newline
            at += n_digits + 1
    return at


def reference(events: EventArray) -> bytes:
    """What `_print_rows` writes."""
    columns = (events.t, events.x, events.y, events.p.astype(int))
    return "".join(f"{t},{x},{y},{p}\n" for t, x, y, p in zip(*columns, strict=True)).encode()


FORMAT = Format(
    name="csv_events",
    version=1,
    title="Text/CSV of events: a row of t, x, y, p for each, in any order that is told",
    extensions=(".csv", ".txt", ".tsv"),
    sniff=sniff,
    open=open_file,
    write=write_file,
)
