"""Parts of remote files in memory: fetched together, before they are read one by one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from neurodata.errors import StorageError
from neurodata.storage._location import RemotePath


@dataclass(frozen=True, slots=True)
class Held:
    """What came for bytes `start` to `stop` (half-open) of a file: they, or why they cannot be had."""

    start: int
    stop: int
    content: bytes | StorageError


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Parts of files, in the order of each file and without overlap.

    What is not in them is asked for when it is read.
    """

    files: Mapping[RemotePath, Sequence[Held]] = field(default_factory=dict)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """In this block, and in this thread, remote files are read from here where they can be."""
        before = _IN_USE.set(self)
        try:
            yield
        finally:
            _IN_USE.reset(before)

    def find(self, path: RemotePath, start: int, stop: int) -> memoryview | None:
        """Bytes `start` to `stop` of a file, if they are here.

        Raises
        ------
        StorageError
            When they were asked for, more than once, and could not be had: they are not asked for again.
        """
        parts = self.files.get(path, ())
        place = bisect_right(parts, start, key=lambda part: part.start) - 1
        if place < 0 or stop > parts[place].stop:
            return None
        part = parts[place]
        if isinstance(part.content, StorageError):
            raise StorageError(str(part.content)) from part.content
        return memoryview(part.content)[start - part.start : stop - part.start]

    def __or__(self, other: Fetched) -> Fetched:
        """Both, of different parts."""
        paths = [*self.files, *(path for path in other.files if path not in self.files)]
        return Fetched({path: self._with(path, other.files.get(path, ())) for path in paths})

    def _with(self, path: RemotePath, others: Sequence[Held]) -> list[Held]:
        return sorted([*self.files.get(path, ()), *others], key=lambda part: part.start)


_IN_USE: ContextVar[Fetched | None] = ContextVar("fetched", default=None)


def fetched_in_use() -> Fetched:
    """What is read from in this block of this thread; outside of such a block nothing."""
    return _IN_USE.get() or Fetched()
