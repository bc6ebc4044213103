"""The verbs on files: open, read and write what any format holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from neurodata.errors import FormatError, UnknownNameError
from neurodata.formats._contract import (
    AnyFormat,
    Collection,
    CollectionFormat,
    Entry,
    Format,
    Reading,
    Recording,
    Stream,
)
from neurodata.formats._detect import all_formats, detect, named, named_list, to_write
from neurodata.formats._memory import MemoryRecording
from neurodata.signals import EventArray, Sensor, Signal

Item = int | str


def open_recording(
    path: str | Path, format: str | None = None, sensor: Sensor | None = None, *, item: Item | None = None
) -> Recording:
    """A recording of events on disk: header and structure are read now, events when asked for.

    A file is gone through once to check and index it. For one of 16 MiB or more the index is kept in the user's cache,
    and the next opening reads that instead, until the file changes; what is damaged since then shows when it is read.

    Parameters
    ----------
    path
        A file.
    format
        Name of its format, one of `registry.formats`; None: found out from the first bytes, the extension
        breaks ties.
    sensor
        Its pixel grid; None: as the file says, or as the format's `open` describes where it does not say.
    item
        Key or number of one sample of a file of many.

    Raises
    ------
    FormatError
        When no format, or more than one, recognises the file, it is damaged, or holds no events or many samples.
    SourceNotFoundError, StorageError
        When the file is not there, or cannot be read.
    UnknownNameError
        When there is no format, or no sample, of that name.
    """
    return _open(Path(path), format, sensor, item, keep=False)


def open_collection(path: str | Path, format: str | None = None, sensor: Sensor | None = None) -> Collection:
    """A file of many samples: their keys, labels and groups are read now, samples when asked for.

    Parameters and errors are those of `open_recording`; a file of one recording is a FormatError.
    """
    path = Path(path)
    found = _format_of(path, format)
    if not isinstance(found, CollectionFormat):
        raise FormatError(f"{path}: {found.name} holds one {found.gives.__name__} a file, not many: neurodata.read")
    return found.open(path, sensor)


def read(
    path: str | Path,
    format: str | None = None,
    sensor: Sensor | None = None,
    *,
    item: Item | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    findings: Counter[str] | None = None,
) -> Signal:
    """The signal of a file: events in time order, a waveform, a clip, a point cloud, spike counts.

    Parameters
    ----------
    start_us, stop_us
        Only what lies in start_us <= t < stop_us, on the recording's clock.
    findings
        What was put right or left out is added to it, by reason: `findings=Counter()`.
    path, format, sensor, item
        As for `open_recording`.

    Raises
    ------
    FormatError, SourceNotFoundError, StorageError, UnknownNameError
        As `open_recording`; FormatError also for a slice of a signal that has no time.
    """
    path = Path(path)
    found = _format_of(path, format)
    if isinstance(found, Format) or found.gives is EventArray:
        keep = start_us is None and stop_us is None
        recording = _open(path, found.name, sensor, item, keep)
        reading = Reading(recording.events(start_us, stop_us), recording.findings)
    elif isinstance(found, CollectionFormat):
        if (start_us, stop_us) != (None, None):
            raise FormatError(f"{path}: a sample of {found.name} has no time to cut: leave start_us and stop_us out")
        reading = _read_item(found.open(path, sensor), item)
    elif item is not None:
        raise _one_only(path, found)
    else:
        reading = found.read(path, start_us, stop_us)
    if findings is not None:
        findings.update(reading.findings)
    return reading.signal


def write(signal: Signal | Stream | Sequence[Entry], path: str | Path, format: str | None = None) -> None:
    """Write a signal, or many samples, to a file, which appears under its name only when it is complete.

    Parameters
    ----------
    signal
        What to write. A `Recording` is written as events are read from it, of any size in bounded memory; its own
        file may be the one that is replaced. A list of `Entry(signal, label, group)` makes a file of many samples
        (SHD, ModelNet40).
    path
        The file; an existing one is replaced.
    format
        Name of the format; None: the only one that can be written, holds this kind of signal and has the path's
        extension.

    Raises
    ------
    FormatError
        When the extension does not tell the format, or the format cannot hold this signal, or a recording is
        damaged.
    StorageError
        When the file cannot be written.
    UnknownNameError
        When there is no format of that name.
    """
    path = Path(path)
    is_many = isinstance(signal, list | tuple)
    first = next(iter(signal)).signal if is_many and signal else signal  # type: ignore[arg-type]
    kind = EventArray if isinstance(first, Stream) else type(first)

    def fits(candidate: AnyFormat) -> bool:
        return candidate.gives is kind and isinstance(candidate, CollectionFormat) == is_many

    chosen = to_write(path, fits) if format is None else named(format)
    if isinstance(chosen, CollectionFormat) and not is_many:
        raise FormatError(f"{path}: {chosen.name} holds many samples: give a list of Entry(signal, label, group)")
    if chosen.write is None or not fits(chosen):
        what = "can be read only" if chosen.write is None else f"holds {chosen.gives.__name__}, not {kind.__name__}"
        raise FormatError(f"{path}: {chosen.name} {what}; written are {named_list(_writable(kind))}")
    chosen.write(signal, path)  # type: ignore[arg-type]  # fits: of the kind that it holds


def _writable(kind: type) -> list[AnyFormat]:
    return [found for found in all_formats() if found.write is not None and found.gives is kind]


def _format_of(path: Path, format: str | None) -> AnyFormat:
    return detect(path) if format is None else named(format)


def _open(path: Path, format: str | None, sensor: Sensor | None, item: Item | None, keep: bool) -> Recording:
    found = _format_of(path, format)
    if found.gives is not EventArray:
        raise FormatError(f"{path}: {found.name} holds {found.gives.__name__}, not events: neurodata.read gives it")
    if isinstance(found, CollectionFormat):
        reading = _read_item(found.open(path, sensor), item)
        return MemoryRecording(path, found.name, cast(EventArray, reading.signal), Counter(reading.findings))
    if item is not None or not isinstance(found, Format):
        raise _one_only(path, found)
    return found.open(path, sensor, keep)


def _one_only(path: Path, found: AnyFormat) -> FormatError:
    return FormatError(f"{path}: {found.name} holds one {found.gives.__name__} a file: leave item= out")


def _read_item(collection: Collection, item: Item | None) -> Reading:
    keys = collection.keys
    if item is None and len(keys) == 1:
        item = 0
    if item is None:
        shown = ", ".join(keys[:3]) + (" ..." if len(keys) > 3 else "")
        raise FormatError(
            f"{collection.path}: it holds {len(keys)} samples ({shown}): state one with item=, "
            "or go through them with neurodata.open_collection"
        )
    k = keys.index(item) if item in keys else item
    if not isinstance(k, int) or not 0 <= k < len(keys):
        raise UnknownNameError(
            f"{collection.path}: no sample {item!r}; there are {len(keys)}, "
            f"named {keys[0]} to {keys[-1]} and numbered from 0"
            if keys
            else f"{collection.path}: holds no samples"
        )
    return collection.read(k)
