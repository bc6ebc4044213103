"""Which format a file is of, by its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats._contract import AnyFormat
from neurodata.formats._file import RecordingFile

HEAD_BYTES = 4096


def detect(path: str | Path) -> AnyFormat:
    """The only format that recognises a file; the extension breaks ties.

    Raises
    ------
    FormatError
        When none does, or more than one; lists what was tried and why each refused.
    SourceNotFoundError, StorageError
        When the file is not there, or cannot be read.
    """
    path = Path(path)
    with RecordingFile(path) as file:
        head = file.read(HEAD_BYTES)
    reasons = {candidate: candidate.sniff(head, path) for candidate in all_formats()}
    possible = [candidate for candidate, reason in reasons.items() if reason is None]
    if not possible:
        tried = "".join(f"\n  {candidate.name}: {reason}" for candidate, reason in reasons.items())
        raise FormatError(
            f"{path}: no format recognises it; if you know it, state it (format=, --format). Tried:{tried}"
        )
    likely = [candidate for candidate in possible if path.suffix.lower() in candidate.extensions]
    if len(possible) > 1 and len(likely) != 1:
        raise FormatError(f"{path}: can be {named_list(likely or possible)}; state which with format=")
    return possible[0] if len(possible) == 1 else likely[0]


def recognises(name: str, path: Path) -> bool:
    """Whether a file can be of this format, by its content."""
    with RecordingFile(path) as file:
        return named(name).sniff(file.read(HEAD_BYTES), path) is None


def named(name: str) -> AnyFormat:
    """The format of that name; UnknownNameError when there is none."""
    found: AnyFormat = registry.formats[name]
    return found


def all_formats() -> list[AnyFormat]:
    """Every format there is."""
    return [named(name) for name in registry.formats]


def to_write(path: Path, fits: Callable[[AnyFormat], bool]) -> AnyFormat:
    """The only format among those that fit that has the path's extension.

    Raises
    ------
    FormatError
        When there is none, or more than one.
    """
    writable = [candidate for candidate in all_formats() if candidate.write is not None and fits(candidate)]
    fitting = [candidate for candidate in writable if path.suffix.lower() in candidate.extensions]
    if len(fitting) != 1:
        found = (
            f"can be {named_list(fitting)}"
            if fitting
            else f"extension {path.suffix!r} is of no format that is written and holds this"
        )
        raise FormatError(f"{path}: {found}; written are {named_list(writable)}: state one (format=, --to)")
    return fitting[0]


def named_list(formats: Iterable[AnyFormat]) -> str:
    """Formats with their extensions, for messages."""
    return ", ".join(f"{found.name} ({' '.join(found.extensions)})" for found in formats)
