"""What writers of events share: they take a stream piece by piece, and refuse what their container cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from neurodata.errors import FormatError
from neurodata.formats._contract import Stream
from neurodata.signals import LAST_TIME_US, EventArray
from neurodata.storage import writing

EVENTS_PER_PIECE = 1 << 13  # a piece and what is made of it stay in a core's second-level cache


def write_parts(path: Path, header: bytes, parts: Iterable[bytes | memoryview]) -> None:
    """A file of a header and parts, each written before the next is made; it appears when it is complete.

    An error of a part, or of the stream that it is made of, leaves what was under the path before.
    """
    with writing(path) as file:
        file.write(header)
        file.writelines(parts)


def pieces(events: Stream, path: Path, container: str, coordinate_bits: int = 16) -> Iterator[EventArray]:
    """All events, a bounded number of them at a time.

    Parameters
    ----------
    events, path
        What is written, and where to.
    container
        Its name in messages, such as "DAT".
    coordinate_bits
        How many the container has for x and y.

    Raises
    ------
    FormatError
        When a coordinate needs more bits; only then, a sensor may be larger than its events need.
    """
    is_narrow = max(events.sensor.width, events.sensor.height) <= 1 << coordinate_bits
    for piece in events.packets(EVENTS_PER_PIECE):
        if not is_narrow and max(piece.x.max(), piece.y.max()) >= 1 << coordinate_bits:
            raise FormatError(
                f"{path}: coordinates on {events.sensor} reach 2^{coordinate_bits}; "
                f"{container} holds {coordinate_bits} bits: crop them"
            )
        yield piece


def require_times(events: Stream, path: Path, container: str, last_us: int = LAST_TIME_US) -> None:
    """FormatError unless all times lie in 0 to last_us."""
    if events.start_us < 0 or events.stop_us - 1 > last_us:
        raise FormatError(
            f"{path}: times reach from {events.start_us} to {events.stop_us - 1} us; "
            f"{container} is written from 0 to {last_us}: shift them"
        )
