"""What a container format offers: recognise its files, open them as a `Recording`, write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neurodata.signals import EventArray, Sensor


class Recording(Protocol):
    """One file of events: opening it reads the header and checks the structure, events come when asked for.

    Times are microseconds on the recording's own clock, as the file has them. Events that stand after a
    later one are put in time order (stable: equal times keep the order of the file) and counted as "late".
    """

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def format(self) -> str:
        """Name of the format that reads it."""
        ...

    @property
    def sensor(self) -> Sensor:
        """The pixel grid that every event lies on."""
        ...

    @property
    def findings(self) -> Counter[str]:
        """What was put right or left out while reading, by reason ("late", "overflow markers", "invalid" ...)."""
        ...

    @property
    def n_events(self) -> int:
        """Events in the file, after overflow markers and invalid events are left out."""
        ...

    @property
    def start_us(self) -> int:
        """Time of the first event; 0 when there is none."""
        ...

    @property
    def stop_us(self) -> int:
        """One past the time of the last event; 0 when there is none."""
        ...

    def events(self, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """Events with start_us <= t < stop_us, in time order; only the blocks that overlap are decoded."""
        ...

    def packets(self, n: int) -> Iterator[EventArray]:
        """All events in pieces of n (the last one shorter), in time order.

        Memory is bounded by n, one block, and the stretch of file over which events are out of order.
        """
        ...


class Open(Protocol):
    """Opens a file of one format."""

    def __call__(self, path: Path, sensor: Sensor | None = None, keep: bool = False) -> Recording:
        """The recording.

        Parameters
        ----------
        path
            The file.
        sensor
            Its pixel grid; takes precedence over what the file says of itself.
        keep
            Hold the events that the check has to decode anyway: for callers that want all or most of them.

        Raises
        ------
        FormatError
            When the file is truncated, damaged or of another kind, holds an event off the sensor, or does
            not tell its sensor where none is stated.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A container format.

    Parameters
    ----------
    name
        File name of the format's module, such as "aedat31".
    version
        Raised when the events read from the same bytes change; part of the identity of stores.
    title
        One line for listings.
    extensions
        Lower-case suffixes with the dot; they break ties only.
    sniff
        From the first 4096 bytes and the path: None when the file can be of this format, else the
        reason why not, in a few words.
    open
        (path, sensor=None, keep=False) to Recording; raises FormatError.
    write
        (events, path): writes the whole file, appearing under its name only when complete; None when
        the format cannot be written. Raises FormatError for events that the format cannot hold.
    """

    name: str
    version: int
    title: str
    extensions: tuple[str, ...]
    sniff: Callable[[bytes, Path], str | None]
    open: Open
    write: Callable[[EventArray, Path], None] | None = None
