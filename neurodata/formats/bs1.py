"""SLAYER .bs1: 40-bit events of numbered neurons without a header, as of N-TIDIGITS18 and SHD.

An event is five bytes, big-endian: neuron 16 bits, polarity 1 (1 is ON), time 23 (us). There are no markers: a
recording ends before 2^23 us. Neurons are columns, the sensor has one row. SLAYER writes the channel of a spike as its
polarity, so that spikes of a single channel are OFF where other writers make them ON: on a sensor of one polarity,
p is True for both.

Source: the docstrings of slayerPytorch's `spikeFileIO.read1Dspikes` and `encode1Dspikes` (whose encoder loses the
upper byte of the neuron; here it is written).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import CURSOR, BlockRecording, Columns, Decoding
from neurodata.formats._contract import Format, Stream
from neurodata.formats._index import open_blocks
from neurodata.formats._writing import pieces, require_times, write_parts
from neurodata.kernel import kernel
from neurodata.signals import EventArray, Sensor

EVENT_BYTES = 5
LAST_TIME_US = (1 << 23) - 1
EXTENSION = ".bs1"
FEWEST_TO_TELL = 20
# The first byte is the upper one of a neuron, or the column of N-MNIST's layout, which is the same but for this. A
# recording of a camera has more columns than these in its first 800 events.
MOST_UPPER_BYTES = 4
LAST_ROW = 240  # of N-MNIST's layout
# N-TIDIGITS18, SHD, and all that 16 bits can address.
SENSORS = (Sensor(64), Sensor(700), Sensor(65536))


def sniff(head: bytes, path: Path) -> str | None:
    """None for bytes that make sense as events of neurons and not as those of a camera, which are laid out alike.

    Times go up; and neurons are below 1024, or have lower bytes that are no row. Where that cannot be told, in a
    short file for instance, the extension decides.
    """
    size_bytes = path.stat().st_size
    if size_bytes % EVENT_BYTES:
        return f"{size_bytes} bytes are not a multiple of {EVENT_BYTES}"
    records = np.frombuffer(head, np.uint8, len(head) // EVENT_BYTES * EVENT_BYTES).reshape(-1, EVENT_BYTES)
    t = reference(records).t
    if np.count_nonzero(np.diff(t) < 0) > 0.02 * len(t):
        return "times go back in more than one event of fifty"
    if path.suffix.lower() == EXTENSION:
        return None
    if len(records) < FEWEST_TO_TELL:
        return f"{len(records)} events are too few to tell without the extension {EXTENSION}"
    if (records == records[0]).all():
        return "all events are the same"
    return None if are_neurons(records) else "looks like events of a camera"


def are_neurons(records: NDArray[np.uint8]) -> bool:
    """Whether the first two bytes of events, uint8 [n, 5], are one number rather than a column and a row."""
    return int(records[:, 0].max(initial=0)) < MOST_UPPER_BYTES or int(records[:, 1].max(initial=0)) > LAST_ROW


def open_file(path: Path, sensor: Sensor | None = None, keep: bool = False) -> BlockRecording:
    """A recording. The container does not say which sensor it is from: state it where it is known.

    Otherwise it is the first of 64 (N-TIDIGITS18), 700 (SHD) and 65536 neurons that holds every event of this file,
    with two polarities. `findings` counts events whose time goes back ("late").

    Raises
    ------
    FormatError
        When the length of the file is not a multiple of 5, or an event lies off the stated sensor.
    """
    decoding = ONE_POLARITY if sensor is not None and sensor.polarities == 1 else TWO_POLARITIES
    return open_blocks(path, "bs1", decoding, 0, SENSORS if sensor is None else [sensor], keep)


STATE = np.dtype(CURSOR)
TRUNCATED = 1


def decode(raw: NDArray[np.uint8], state: NDArray[Any], columns: Columns, *, always_on: bool) -> None:
    """Events of five bytes each; see `Decoding`."""
    _decode(raw, state, *columns, always_on)


@kernel
def _decode(
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    always_on: bool,
) -> None:
    s = state[0]
    n = min(len(t), len(raw) // EVENT_BYTES)
    for i in range(n):
        k = EVENT_BYTES * i
        high, middle, low = np.int64(raw[k + 2]), np.int64(raw[k + 3]), np.int64(raw[k + 4])
        t[i] = (high & 0x7F) << 16 | middle << 8 | low
        x[i] = np.uint16(raw[k]) << np.uint16(8) | np.uint16(raw[k + 1])
        y[i] = 0
        p[i] = always_on or high >> 7 == 1
    if n < len(t) and 0 < s.bytes_left - EVENT_BYTES * n < EVENT_BYTES:
        s.damage = TRUNCATED
    s.position = EVENT_BYTES * n
    s.n_events = n


def reference(records: NDArray[np.uint8]) -> Columns:
    """The events of records, uint8 [n, 5]."""
    upper, lower, high, middle, low = records.T.astype(np.int64)
    t = (high & 0x7F) << 16 | middle << 8 | low
    return Columns(t, (upper << 8 | lower).astype(np.uint16), np.zeros(len(t), np.uint16), high > 0x7F)


def explain(raw: NDArray[np.uint8], offset: int, state: NDArray[Any], event_bytes: int = EVENT_BYTES) -> str:
    """The only damage that shows: a file that ends within an event."""
    return (
        f"{len(raw)} bytes are left where an event needs {event_bytes}; "
        "the file is truncated or of another format: get it again"
    )


def _decoding(always_on: bool) -> Decoding:
    return Decoding(partial(decode, always_on=always_on), STATE, EVENT_BYTES, explain, {})


ONE_POLARITY, TWO_POLARITIES = _decoding(True), _decoding(False)


def write_file(events: Stream, path: Path) -> None:
    """All events.

    Raises
    ------
    FormatError
        When a time is negative or from 2^23 us on, or the sensor has more than one row.
    """
    require_times(events, path, ".bs1", LAST_TIME_US)
    if events.sensor.height > 1:
        raise FormatError(f"{path}: the sensor is {events.sensor}; .bs1 holds one row: write nmnist or bs3")
    write_parts(path, b"", map(_records, pieces(events, path, ".bs1")))


def _records(events: EventArray) -> bytes:
    t, x = events.t, events.x
    columns = [x >> 8, x & 0xFF, events.p.astype(np.int64) << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


FORMAT = Format(
    name="bs1",
    version=1,
    title="SLAYER .bs1: 40-bit events of numbered neurons",
    extensions=(EXTENSION,),
    sniff=sniff,
    open=open_file,
    write=write_file,
    tells_sensor=False,
)
