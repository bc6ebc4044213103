"""The first pass over a recording: where its blocks begin, when they are, and that everything in them is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import FormatError
from neurodata.formats._blocks import BLOCK, BLOCK_BYTES, BlockRecording, Columns, Decoding
from neurodata.formats._file import RecordingFile
from neurodata.signals import Sensor


def open_blocks(path: Path, format: str, decoding: Decoding, first: int, sensors: Sequence[Sensor]) -> BlockRecording:
    """Index and check a file.

    Parameters
    ----------
    path, format, decoding
        The file, the name of its format, and how to decode it.
    first
        Byte offset at which the events begin.
    sensors
        The smallest of these, in this order, that holds every event is the recording's sensor.

    Raises
    ------
    FormatError
        When the file is damaged, or an event lies off the last sensor.
    """
    with RecordingFile(path) as file:
        return _index(file, format, decoding, first, sensors)


def _index(
    file: RecordingFile, format: str, decoding: Decoding, first: int, sensors: Sequence[Sensor]
) -> BlockRecording:
    buffer = np.empty(min(BLOCK_BYTES, max(file.size_bytes - first, 0)), np.uint8)
    scratch = Columns.empty(len(buffer) // decoding.event_bytes + 1)
    state = np.zeros(1, decoding.state)
    blocks, states = [], []
    n_late, latest_us, x_max, y_max = 0, np.iinfo(np.int64).min, 0, 0
    offset = first
    while offset < file.size_bytes:
        raw = file.read_into(buffer[: file.size_bytes - offset], offset)
        state["bytes_left"] = file.size_bytes - offset
        before = state.copy()
        decoding.decode(raw, state, scratch)
        position, n = int(state["position"][0]), int(state["n_events"][0])
        events = scratch.part(0, n)
        _require_on_sensor(file, decoding, raw, before, events, offset, sensors[-1])
        if state["damage"][0]:
            at = offset + position
            raise FormatError(f"{file.path}: byte {at}: {decoding.explain(raw[position:], at, state)}")
        if n:
            blocks.append((offset, min(position, len(raw)), n, events.t.min(), events.t.max()))
            states.append(before)
            n_late += _count_late(events.t, latest_us)
            latest_us = max(latest_us, blocks[-1][-1])
            x_max, y_max = max(x_max, int(events.x.max())), max(y_max, int(events.y.max()))
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
        states=np.concatenate(states) if states else np.zeros(0, decoding.state),
        only_block=scratch.part(0, blocks[0][2]) if len(blocks) == 1 else None,
    )


def _require_on_sensor(
    file: RecordingFile,
    decoding: Decoding,
    raw: NDArray[np.uint8],
    state: NDArray[Any],
    events: Columns,
    offset: int,
    sensor: Sensor,
) -> None:
    """Refuse a block with an event off the sensor; decodes it again up to that event to learn its offset."""
    if len(events.t) == 0 or (events.x.max() < sensor.width and events.y.max() < sensor.height):
        return
    k = int(np.argmax((events.x >= sensor.width) | (events.y >= sensor.height)))
    found = f"x={events.x[k]}, y={events.y[k]}"
    decoding.decode(raw, state, events.part(0, k + 1))
    at = offset + int(state["position"][0]) - decoding.event_bytes
    raise FormatError(
        f"{file.path}: byte {at}: event at {found} lies off the sensor {sensor}; "
        "the file is damaged, or from another sensor: state it with sensor="
    )


def _count_late(t: NDArray[np.int64], latest_us: int) -> int:
    """Events that stand after a later one, here or (up to latest_us) in an earlier block."""
    if t[0] >= latest_us and not (t[1:] < t[:-1]).any():
        return 0
    return int(np.count_nonzero(t < np.maximum(np.maximum.accumulate(t), latest_us)))
