"""Indexes of large recordings, kept in the user's cache: a file is gone through once, not at every opening.

A sidecar is one file: MAGIC, the sha256 of all that follows, the length of the head (u32, little-endian), the head
as JSON (what it is an index of; sensor, findings, number of blocks), the records of the blocks and of their states.

It saves time and decides nothing. One that is missing, damaged, from another release or of a file that has changed
since is passed over and made anew; one that cannot be written is done without. What it says is compared with the
file before it is used, and the events with what it says when they are decoded: a wrong one ends in a FormatError,
is removed, and the file is gone through again at the next opening.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import neurodata
from neurodata import registry
from neurodata.formats._blocks import BLOCK, IndexedRecording
from neurodata.formats._file import RecordingFile
from neurodata.signals import LAST_TIME_US, Sensor
from neurodata.storage import canonical_json, index_root, write_bytes

MAGIC = b"neurodata index 1\n"  # raise it when what an index holds gets another meaning
# A first pass over so much takes 10 (AEDAT 3.1) to 95 ms (text), an index 1 ms, but 10 once to write; smaller files
# are many, and would drive the indexes of large ones out.
SMALLEST_BYTES = 1 << 24
# LZ4 packs up to 255 bytes in one and AEDAT 4 has events of 16: what is packed tighter is not remembered.
MOST_EVENTS_PER_BYTE = 16
# A file that is written to within one step of its clock keeps its time; FAT has the longest steps.
SETTLED_NS = 2 * 10**9
MOST_SIDECARS, MOST_BYTES = 1000, 1 << 28

R = TypeVar("R", bound=IndexedRecording)


class Index(NamedTuple):
    """What the first pass over a recording finds."""

    sensor: Sensor
    findings: Counter[str]
    blocks: NDArray[Any]  # [n_blocks] of BLOCK
    states: NDArray[Any]  # [n_blocks]


def indexed(
    file: RecordingFile,
    format: str,
    sensors: Sequence[Sensor],
    state: np.dtype[Any],
    keep: bool,
    fits: Callable[[Index], bool],
    first_pass: Callable[[], R],
    restored: Callable[[Index], R],
) -> R:
    """A recording, from the index of it in the user's cache or else by a first pass, whose index is then kept there.

    Parameters
    ----------
    file, format
        The recording's file, and the name of its format.
    sensors
        Those that the recording may have.
    state
        Type of the states.
    keep
        Whether events are held: then everything has to be decoded anyway, and sidecars are left alone.
    fits
        Whether blocks can be those of this file.
    first_pass, restored
        Give the recording without an index, and with one.
    """
    if keep or file.size_bytes < SMALLEST_BYTES or (place := _place(file.path, format, sensors)) is None:
        return first_pass()
    subject = _subject(file, format, sensors, state)
    index = _load(place, subject, state)
    if index is not None and _is_sound(index, sensors) and fits(index):
        return replace(restored(index), sidecar=place)
    is_settled = time.time_ns() - file.changed_ns >= SETTLED_NS
    recording = first_pass()
    index = Index(recording.sensor, recording.findings, recording.blocks, recording.states)
    if is_settled and _is_sound(index, sensors) and fits(index):
        _keep(place, subject, index)
    return recording


def lie_within(first: int, stop: int, fewest_bytes: int) -> Callable[[Index], bool]:
    """Whether blocks follow one another between two offsets of a file, of at least so many bytes each."""

    def fits(index: Index) -> bool:
        offset, n_bytes, n_events = (index.blocks[name] for name in ("offset", "n_bytes", "n_events"))
        return bool(
            ((n_bytes >= fewest_bytes) & (n_bytes <= stop) & (offset >= first) & (offset <= stop - n_bytes)).all()
            and (offset[:-1] + n_bytes[:-1] <= offset[1:]).all()
            and (n_events <= MOST_EVENTS_PER_BYTE * n_bytes).all()
        )

    return fits


def _is_sound(index: Index, sensors: Sequence[Sensor]) -> bool:
    """Whether an index can be one at all; no format has negative numbers in its states."""
    min_us, max_us = index.blocks["min_us"], index.blocks["max_us"]
    states = [index.states[name] for name in index.states.dtype.names or ()]
    return bool(
        index.sensor in sensors
        and (index.blocks["n_events"] > 0).all()
        and ((min_us >= -LAST_TIME_US - 1) & (min_us <= max_us) & (max_us <= LAST_TIME_US)).all()
        and (index.findings["late"] > 0 or (max_us[:-1] <= min_us[1:]).all())
        and all(((values >= 0) & (values <= LAST_TIME_US)).all() for values in states)
    )


def _place(path: Path, format: str, sensors: Sequence[Sensor]) -> Path | None:
    """Where the index of a recording is kept; None where there is no such place."""
    folder = index_root()
    if format not in registry.formats or not folder.is_absolute():  # a format under test; a user without a home
        return None
    key = canonical_json([str(path.resolve()), format, [str(sensor) for sensor in sensors]])
    return folder / f"{sha256(key).hexdigest()[:32]}.index"


def _subject(file: RecordingFile, format: str, sensors: Sequence[Sensor], state: np.dtype[Any]) -> dict[str, object]:
    """What has to be the same for an index to be used."""
    return {
        "path": str(file.path.resolve()),
        "changed": [*file.fingerprint, file.changed_ns],
        "format": [format, registry.formats[format].version, neurodata.__version__],
        "sensors": [str(sensor) for sensor in sensors],
        "state": str(state),
    }


def _load(place: Path, subject: Mapping[str, object], state: np.dtype[Any]) -> Index | None:
    try:
        content = place.read_bytes() if place.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return None
    body_at = len(MAGIC) + sha256().digest_size
    body = memoryview(content)[body_at:]
    if content[:body_at] != MAGIC + sha256(body).digest():
        return None
    try:
        blocks_at = 4 + int.from_bytes(body[:4], "little")
        head = json.loads(bytes(body[4:blocks_at]))
        if head["subject"] != subject or not 0 <= head["n_blocks"] <= len(body):
            return None
        blocks = np.frombuffer(body, BLOCK, head["n_blocks"], blocks_at).copy()
        states = np.frombuffer(body, state, head["n_blocks"], blocks_at + blocks.nbytes).copy()
        findings = Counter({str(reason): int(n) for reason, n in head["findings"].items()})
        return Index(Sensor(*head["sensor"]), findings, blocks, states)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return None


def _keep(place: Path, subject: Mapping[str, object], index: Index) -> None:
    sensor = index.sensor
    head = canonical_json(
        {
            "subject": subject,
            "n_blocks": len(index.blocks),
            "findings": index.findings,
            "sensor": [sensor.width, sensor.height, sensor.polarities],
        }
    )
    body = len(head).to_bytes(4, "little") + head + index.blocks.tobytes() + index.states.tobytes()
    if len(body) > MOST_BYTES:
        return
    with suppress(OSError):
        write_bytes(place, MAGIC + sha256(body).digest() + body)
        _remove_oldest(place.parent)


def _remove_oldest(folder: Path) -> None:
    """Keep the folder small; what killed writers have left there goes the same way."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, path, status.st_size))
    n_bytes = 0
    for k, (_, path, size_bytes) in enumerate(sorted(found, reverse=True)):
        n_bytes += size_bytes
        if k >= MOST_SIDECARS or n_bytes > MOST_BYTES:
            path.unlink(missing_ok=True)
