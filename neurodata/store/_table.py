"""The sample table: one row per sample, kept as one Zarr array per column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from neurodata.store._layout import Layout

# Columns of text are UTF-8 bytes, padded with zeros to the longest: uint8 [N, width].
TEXT_COLUMNS = {"key": "keys", "group": "groups"}
NUMBER_COLUMNS = {
    "target": "targets",
    "n_events": "n_events",
    "duration_us": "duration_us",
    "shard": "shard",
    "start": "start",
    "stop": "stop",
    "n_steps": "n_steps",
    "start_us": "start_us",
    "origin_us": "origin_us",
}


class Span(NamedTuple):
    """Items of a shard that are a sample's, for all samples: `start` to `stop` (half-open), int64 [N] each."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """All samples of a store in their order; number columns are int64 [N].

    `start` and `stop` are the sample's items in each column of its shard (half-open: always one item in a dense
    layout), `n_steps` is the length of the sample's first axis (0 where frames are made at load), `start_us` the time
    of its first event on the recording's clock, `origin_us` the one from which its stored times count (0 where none are
    stored). Samples of events may share items. `spans` has the rows of each ragged target in the target's column.
    """

    keys: Texts
    groups: Texts
    targets: NDArray[np.int64]
    n_events: NDArray[np.int64]
    duration_us: NDArray[np.int64]
    shard: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    start_us: NDArray[np.int64]
    origin_us: NDArray[np.int64]
    spans: Mapping[str, Span] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Column name to array, as stored."""
        texts = {name: getattr(self, field).padded for name, field in TEXT_COLUMNS.items()}
        numbers = {name: getattr(self, field) for name, field in NUMBER_COLUMNS.items()}
        bounds = {
            f"{target_folder(name)}/{bound}": column
            for name, span in self.spans.items()
            for bound, column in span._asdict().items()
        }
        return texts | numbers | bounds

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]], spans: Mapping[str, Span]) -> SampleTable:
        """The table of these columns of text and numbers, and of what ragged targets take."""
        keys, groups = (Texts(columns[name]) for name in TEXT_COLUMNS)
        return cls(keys, groups, **{field: columns[name] for name, field in NUMBER_COLUMNS.items()}, spans=spans)


class Texts(Sequence[str]):
    """A column of texts, decoded as they are asked for: a million of them take no time to open.

    Parameters
    ----------
    padded
        UTF-8 bytes, padded with zeros to the longest, uint8 [n, width].
    """

    def __init__(self, padded: NDArray[np.uint8]) -> None:
        self.padded = padded
        # NumPy drops the padding zeros of its S type by itself.
        self._bytes = padded.view(f"S{padded.shape[1]}")[:, 0]

    def take(self, indices: NDArray[np.int64]) -> Texts:
        """The texts of these rows."""
        return Texts(self.padded[indices])

    def __len__(self) -> int:
        return len(self._bytes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self.padded[index])
        text: bytes = self._bytes[index]
        return text.decode()

    def __iter__(self) -> Iterator[str]:
        return (text.decode() for text in self._bytes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]  # a sequence that compares by content

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"Texts({shown}{', …' if len(self) > 3 else ''}; {len(self)})"


def target_folder(name: str) -> str:
    """Path below samples/ of where the rows of a ragged target are."""
    return f"targets/{name}"


def spans_of(table: SampleTable, layout: Layout) -> list[Span]:
    """Where samples lie in each of `layout.all_columns`."""
    place = np.arange(len(table), dtype=np.int64) % layout.samples_per_shard
    one_each = Span(place, place + 1)
    targets = [table.spans[target.name] if target.is_ragged else one_each for target in layout.targets]
    signal = [Span(table.start // column.every, -(-table.stop // column.every)) for column in layout.columns]
    return signal + targets


def items_of_shards(shard: NDArray[np.int64], stop: NDArray[np.int64], n_shards: int) -> list[int]:
    """Items of a column in each shard: where the sample ends that reaches furthest."""
    first = np.searchsorted(shard, np.arange(n_shards), side="left")
    items: list[int] = np.maximum.reduceat(stop, first).tolist()
    return items


def text_to_bytes(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Texts as UTF-8, padded with zeros to the longest, uint8 [n, width]; the width is at least 1."""
    encoded = [text.encode() for text in texts]
    width = max([1, *map(len, encoded)])
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(len(encoded), width)
