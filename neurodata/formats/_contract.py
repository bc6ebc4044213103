"""What a format on disk offers: recognise its files, read them, write them.

There are three kinds: `Format` (one recording of events a file), `CollectionFormat` (many samples a file, as in SHD)
and `SignalFormat` (one waveform, clip, point cloud ... a file).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from neurodata.signals import EventArray, Sensor, Signal


@runtime_checkable
class Stream(Protocol):
    """Events that come in pieces: what writers take; an `EventArray` is one, and so is a `Recording`."""

    @property
    def sensor(self) -> Sensor:
        """The pixel grid that every event lies on."""
        ...

    @property
    def n_events(self) -> int:
        """Number of events."""
        ...

    @property
    def start_us(self) -> int:
        """Time of the first event; 0 when there is none."""
        ...

    @property
    def stop_us(self) -> int:
        """One past the time of the last event; 0 when there is none."""
        ...

    def packets(self, n: int) -> Iterator[EventArray]:
        """All events in pieces of n (the last one shorter), in time order."""
        ...


class Recording(Stream, Protocol):
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
    def findings(self) -> Counter[str]:
        """What was put right or left out while reading, by reason ("late", "overflow markers", "invalid" ...)."""
        ...

    @property
    def n_events(self) -> int:
        """Events in the file, after overflow markers and invalid events are left out."""
        ...

    def events(self, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """Events with start_us <= t < stop_us, in time order; only the blocks that overlap are decoded."""
        ...

    def packets(self, n: int, start_us: int | None = None, stop_us: int | None = None) -> Iterator[EventArray]:
        """Events with start_us <= t < stop_us in pieces of n (the last one shorter), in time order.

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


class Reading(NamedTuple):
    """A signal, and what was put right or left out while it was read, by reason."""

    signal: Signal
    findings: Counter[str]


# start_us and stop_us: what lies in start_us <= t < stop_us; None is the start or end of the signal.
Interval: TypeAlias = tuple[int | None, int | None]


class Entry(NamedTuple):
    """One sample to be written into a collection: its class index, and its speaker or subject."""

    signal: Signal
    label: int
    group: str = ""


class Collection(Protocol):
    """One file of many samples; opening it reads names, labels and sizes, samples are read when asked for."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def format(self) -> str:
        """Name of the format that reads it."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the samples, all different, in the order of the file; their numbers where it has no names."""
        ...

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Class index of each sample, shape [n], from 0 on; None where the file does not tell."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by index; the indices as text where the file has no names, () without labels."""
        ...

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Speaker or subject of each sample; None where the file does not tell."""
        ...

    @property
    def sensor(self) -> Sensor | None:
        """The pixel grid of all samples; None for samples that are no events."""
        ...

    def read(self, k: int) -> Reading:
        """Sample k, from 0 on; raises IndexError past the last one, FormatError where it is damaged."""
        ...

    def readings(self, first: int = 0, stop: int | None = None) -> Iterator[Reading]:
        """Samples first to stop - 1 in turn, read from disk in bulk: the fast way to go through the file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What all formats have.

    Parameters
    ----------
    name
        File name of the format's module, such as "aedat31".
    version
        Raised when what is read from the same bytes changes; part of the identity of stores.
    title
        One line for listings.
    extensions
        Lower-case suffixes with the dot; they break ties only.
    sniff
        From the first 4096 bytes and the path: None when the file can be of this format, else the
        reason why not, in a few words.
    """

    name: str
    version: int
    title: str
    extensions: tuple[str, ...]
    sniff: Callable[[bytes, Path], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format(_Named):
    """A format of events: one recording a file.

    Parameters
    ----------
    open
        (path, sensor=None, keep=False) to Recording; raises FormatError.
    write
        (events, path): writes the whole file, appearing under its name only when complete, and holds a
        bounded part of the events; None when the format cannot be written. Raises FormatError for events that
        the format cannot hold.
    tells_sensor
        False for containers that say nothing of it: reading one takes the smallest usual sensor that holds its events.
    """

    open: Open
    write: Callable[[Stream, Path], None] | None = None
    tells_sensor: bool = True

    @property
    def gives(self) -> type[EventArray]:
        """The kind of signal."""
        return EventArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionFormat(_Named):
    """A format of many samples a file.

    Parameters
    ----------
    gives
        The kind of signal of each sample.
    open
        (path, sensor=None) to Collection; raises FormatError.
    write
        (entries, path), as for `Format`.
    """

    gives: type[Signal]
    open: Callable[[Path, Sensor | None], Collection]
    write: Callable[[Iterable[Entry], Path], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFormat(_Named):
    """A format of one signal a file that is no recording of events.

    Parameters
    ----------
    gives
        The kind of signal.
    describe
        What the header tells, by name with its unit ("rate_hz", "n_channels", "duration_s" ...), as values that
        JSON has; reads no body. Raises FormatError.
    read
        (path, start_us, stop_us): the part of the signal with start_us <= t < stop_us, None being its start or
        end; FormatError for a slice of a signal that has no time.
    write
        (signal, path), as for `Format`.
    parts
        (path, intervals): what `read` gives for each interval in turn, the file being read once; None where it is not
        worth it. Findings of each are those of the whole file.
    """

    gives: type[Signal]
    describe: Callable[[Path], Mapping[str, object]]
    read: Callable[[Path, int | None, int | None], Reading]
    write: Callable[[Signal, Path], None] | None = None
    parts: Callable[[Path, Sequence[Interval]], Iterator[Reading]] | None = None


AnyFormat: TypeAlias = Format | CollectionFormat | SignalFormat
