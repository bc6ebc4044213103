"""Which format a file is of, by its content, and the three verbs on files."""

from __future__ import annotations

from pathlib import Path

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats._contract import Format, Recording
from neurodata.formats._file import RecordingFile
from neurodata.signals import EventArray, Sensor

HEAD_BYTES = 4096


def open_recording(path: str | Path, format: str | None = None, sensor: Sensor | None = None) -> Recording:
    """A recording on disk: header and structure are read now, events when asked for.

    Parameters
    ----------
    path
        A file.
    format
        Name of its format, one of `registry.formats`; None: found out from the first bytes, the extension
        breaks ties.
    sensor
        Its pixel grid; None: as the file says, or as the format's `open` describes where it does not say.

    Raises
    ------
    FormatError
        When no format, or more than one, recognises the file, or it is damaged.
    SourceNotFoundError, StorageError
        When the file is not there, or cannot be read.
    UnknownNameError
        When there is no format of that name.
    """
    return _open(Path(path), format, sensor, keep=False)


def read(path: str | Path, format: str | None = None, sensor: Sensor | None = None) -> EventArray:
    """All events of a file, in time order; parameters and errors as for `open_recording`."""
    return _open(Path(path), format, sensor, keep=True).events()


def write(events: EventArray, path: str | Path, format: str | None = None) -> None:
    """Write events to a file, which appears under its name only when it is complete.

    Parameters
    ----------
    events
        What to write.
    path
        The file; an existing one is replaced.
    format
        Name of the format; None: the only one that can be written and has the path's extension.

    Raises
    ------
    FormatError
        When the extension does not tell the format, or the format cannot hold these events.
    StorageError
        When the file cannot be written.
    UnknownNameError
        When there is no format of that name.
    """
    path = Path(path)
    chosen = _by_extension(path) if format is None else _named(format)
    if chosen.write is None:
        raise FormatError(f"{path}: {chosen.name} can be read only; written are {_names(_writable())}")
    chosen.write(events, path)


def _open(path: Path, format: str | None, sensor: Sensor | None, keep: bool) -> Recording:
    return (_detect(path) if format is None else _named(format)).open(path, sensor, keep)


def _named(name: str) -> Format:
    found: Format = registry.formats[name]
    return found


def _all() -> list[Format]:
    return [_named(name) for name in registry.formats]


def _writable() -> list[Format]:
    return [candidate for candidate in _all() if candidate.write is not None]


def _names(formats: list[Format]) -> str:
    return ", ".join(f"{found.name} ({' '.join(found.extensions)})" for found in formats)


def _detect(path: Path) -> Format:
    with RecordingFile(path) as file:
        head = file.read(HEAD_BYTES)
    reasons = {candidate: candidate.sniff(head, path) for candidate in _all()}
    possible = [candidate for candidate, reason in reasons.items() if reason is None]
    if not possible:
        tried = "; ".join(f"{candidate.name}: {reason}" for candidate, reason in reasons.items())
        raise FormatError(f"{path}: no format recognises it ({tried}); if you know it, state it with format=")
    likely = [candidate for candidate in possible if path.suffix.lower() in candidate.extensions]
    if len(possible) > 1 and len(likely) != 1:
        raise FormatError(f"{path}: can be {_names(likely or possible)}; state which with format=")
    return possible[0] if len(possible) == 1 else likely[0]


def _by_extension(path: Path) -> Format:
    fitting = [candidate for candidate in _writable() if path.suffix.lower() in candidate.extensions]
    if len(fitting) != 1:
        found = f"can be {_names(fitting)}" if fitting else f"extension {path.suffix!r} is of no format"
        raise FormatError(f"{path}: {found}; written are {_names(_writable())}: state one with format=")
    return fitting[0]
