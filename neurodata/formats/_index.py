"""The first pass over a recording: where its blocks begin, when they are, and that everything in them is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import BLOCK, BLOCK_BYTES, BlockRecording, Columns, Decoding
from neurodata.formats._file import RecordingFile
from neurodata.formats._sidecar import Index, indexed, lie_within
from neurodata.kernel import kernel
from neurodata.signals import Sensor


def open_blocks(
    path: Path, format: str, decoding: Decoding, first: int, sensors: Sequence[Sensor], keep: bool
) -> BlockRecording:
    """Index and check a file.

    Parameters
    ----------
    path, format, decoding
        The file, the name of its format, and how to decode it.
    first
        Byte offset at which the events begin.
    sensors
        The smallest of these, in this order, that holds every event is the recording's sensor.
    keep
        Hold the events.

    Raises
    ------
    FormatError
        When the file is damaged, or an event lies off the last sensor.
    """
    with RecordingFile(path) as file:
        return indexed(
            file,
            format,
            sensors,
            decoding.state,
            keep,
            fits=lie_within(first, file.size_bytes, decoding.event_bytes),
            first_pass=lambda: _index(file, format, decoding, first, sensors, keep),
            restored=partial(restored, file, format, decoding),
        )


def restored(file: RecordingFile, format: str, decoding: Decoding, index: Index) -> BlockRecording:
    """The recording that an index is of."""
    return BlockRecording(
        path=file.path,
        format=format,
        sensor=index.sensor,
        findings=index.findings,
        fingerprint=file.fingerprint,
        blocks=index.blocks,
        states=index.states,
        held=None,
        decoding=decoding,
    )


def _index(
    file: RecordingFile, format: str, decoding: Decoding, first: int, sensors: Sequence[Sensor], keep: bool
) -> BlockRecording:
    body_bytes = max(file.size_bytes - first, 0)
    buffer = np.empty(min(BLOCK_BYTES, body_bytes), np.uint8)
    room = len(buffer) // decoding.event_bytes + 1
    columns = Columns.empty(room)
    n_kept = 0
    state = np.zeros(1, decoding.state)
    blocks, states = [], []
    n_late, latest_us, x_max, y_max = 0, np.iinfo(np.int64).min, 0, 0
    offset = first
    while offset < file.size_bytes:
        raw = file.read_into(buffer[: file.size_bytes - offset], offset)
        state["bytes_left"] = file.size_bytes - offset
        before = state.copy()
        columns = columns.with_room(n_kept + room, n_kept, _expected(n_kept, offset - first, body_bytes, decoding))
        here = columns.part(n_kept, n_kept + room)
        decoding.decode(raw, state, here)
        position, n = int(state["position"][0]), int(state["n_events"][0])
        if n:
            events = here.part(0, n)
            min_us, max_us, n_back, x_here, y_here = survey(events.t, events.x, events.y, latest_us)
            x_max, y_max = max(x_max, x_here), max(y_max, y_here)
            if x_max >= sensors[-1].width or y_max >= sensors[-1].height:
                raise _off_sensor(file, decoding, raw, before, events, offset, sensors[-1])
            blocks.append((offset, min(position, len(raw)), n, min_us, max_us))
            states.append(before)
            n_late += n_back
            latest_us = max(latest_us, max_us)
            n_kept += n if keep else 0
        if state["damage"][0]:
            at = offset + position
            raise FormatError(f"{file.path}: byte {at}: {decoding.explain(raw[position:], at, state)}")
        offset += position
    counts = {"late": n_late} | {reason: int(state[field][0]) for reason, field in decoding.counted.items()}
    return BlockRecording(
        path=file.path,
        format=format,
        sensor=next(sensor for sensor in sensors if x_max < sensor.width and y_max < sensor.height),
        findings=Counter({reason: n for reason, n in counts.items() if n}),
        decoding=decoding,
        fingerprint=file.fingerprint,
        blocks=np.array(blocks, BLOCK),
        # By bytes: NumPy spends longer on joining records than on a block's events.
        states=np.frombuffer(b"".join(before.tobytes() for before in states), decoding.state),
        held=columns.part(0, sum(row[2] for row in blocks)) if keep or len(blocks) == 1 else None,
    )


def _expected(n_kept: int, n_bytes: int, body_bytes: int, decoding: Decoding) -> int:
    """Events of the whole file, and some more, if it goes on like its first n_bytes; vectors may double it at most.

    What then stays unused is never written, so it is no real memory.
    """
    likely = n_kept * body_bytes // max(n_bytes, 1)
    return min(likely + likely // 8, 2 * body_bytes // decoding.event_bytes)


@kernel
def survey(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], latest_us: int
) -> tuple[int, int, int, int, int]:
    """First and last time, number of late events (latest_us: of earlier blocks), largest x and y of a block."""
    x_max, y_max = np.uint16(0), np.uint16(0)
    for i in range(len(x)):
        x_max, y_max = max(x_max, x[i]), max(y_max, y[i])
    steps_back = 0
    for i in range(1, len(t)):
        steps_back += t[i] < t[i - 1]
    if steps_back == 0 and t[0] >= latest_us:
        return int(t[0]), int(t[-1]), 0, int(x_max), int(y_max)
    n_late = 0
    min_us, max_us = t[0], t[0]
    for i in range(len(t)):
        n_late += t[i] < latest_us
        latest_us = max(latest_us, t[i])
        min_us, max_us = min(min_us, t[i]), max(max_us, t[i])
    return int(min_us), int(max_us), n_late, int(x_max), int(y_max)


def reference(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], latest_us: int
) -> tuple[int, int, int, int, int]:
    """What `survey` gives."""
    n_late = np.count_nonzero(t < np.maximum(np.maximum.accumulate(t), latest_us))
    return int(t.min()), int(t.max()), int(n_late), int(x.max()), int(y.max())


def _off_sensor(
    file: RecordingFile,
    decoding: Decoding,
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    events: Columns,
    offset: int,
    sensor: Sensor,
) -> FormatError:
    """The error for a block with an event off the sensor; decodes it again up to that event to learn its offset."""
    k = int(np.argmax((events.x >= sensor.width) | (events.y >= sensor.height)))
    found = f"x={events.x[k]}, y={events.y[k]}"
    decoding.decode(raw, state, events.part(0, k + 1))
    at = offset + int(state["position"][0]) - decoding.event_bytes
    return FormatError(
        f"{file.path}: byte {at}: event at {found} lies off the sensor {sensor}; "
        "the file is damaged, or from another sensor: state it with sensor="
    )
