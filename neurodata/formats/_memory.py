"""A recording whose events are in memory: of containers that cannot be read in part, and of samples of a collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neurodata.signals import EventArray, Sensor


@dataclass(frozen=True, slots=True, eq=False)
class MemoryRecording:
    """A `Recording` of events that have been read."""

    path: Path
    format: str
    whole: EventArray
    findings: Counter[str]

    @property
    def sensor(self) -> Sensor:
        """The pixel grid."""
        return self.whole.sensor

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.whole.n_events

    @property
    def start_us(self) -> int:
        """Time of the first event; 0 when there is none."""
        return self.whole.start_us

    @property
    def stop_us(self) -> int:
        """One past the time of the last event; 0 when there is none."""
        return self.whole.stop_us

    def events(self, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """Events with start_us <= t < stop_us: a view."""
        return self.whole.between(start_us, stop_us)

    def packets(self, n: int, start_us: int | None = None, stop_us: int | None = None) -> Iterator[EventArray]:
        """Events with start_us <= t < stop_us in pieces of n (the last one shorter): views."""
        return self.whole.between(start_us, stop_us).packets(n)
