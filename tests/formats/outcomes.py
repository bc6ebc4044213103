"""What a reader makes of a file: whole and valid signals, or the FormatError that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from neurodata.errors import FormatError
from neurodata.formats import AnyFormat, CollectionFormat, Format, Reading, SignalFormat
from neurodata.signals import EventArray, Sensor


def outcome(format: Format, path: Path, sensor: Sensor | None) -> EventArray | FormatError:
    """The events of a file, read whole and in packets."""
    try:
        recording = format.open(path, sensor)
    except FormatError as error:
        return error
    events = recording.events()
    assert events == format.open(path, sensor, keep=True).events()
    pieces = list(recording.packets(17))
    assert sum(len(piece) for piece in pieces) == len(events) == recording.n_events
    # Held events are not checked again when they are handed out: here they are.
    return EventArray(events.t, events.x, events.y, events.p, events.sensor)


def collection_outcome(format: CollectionFormat, path: Path) -> list[Reading] | FormatError:
    """All samples of a file."""
    try:
        collection = format.open(path, None)
        readings = list(collection.readings())
    except FormatError as error:
        return error
    assert len(readings) == len(collection.keys)
    return readings


def signal_outcome(format: SignalFormat, path: Path) -> Reading | FormatError:
    """The description of a file, which has a JSON form, and its signal."""
    try:
        json.dumps(dict(format.describe(path)), allow_nan=False)
        return format.read(path, None, None)
    except FormatError as error:
        return error


def any_outcome(format: AnyFormat, path: Path) -> object:
    """What a format of any kind makes of a file; its errors name the file."""
    if isinstance(format, Format):
        found: object = outcome(format, path, None)
    elif isinstance(format, CollectionFormat):
        found = collection_outcome(format, path)
    else:
        found = signal_outcome(format, path)
    assert not isinstance(found, FormatError) or path.name in str(found), found
    return found
