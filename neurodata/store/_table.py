"""The sample table: one row per sample, kept as one Zarr array per column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
}


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """All samples of a store in their order; number columns are int64 [N].

    `start` and `stop` are the sample's rows in its shard (half-open: always one row in a dense layout), `n_steps`
    is the length of the sample's first axis.
    """

    keys: tuple[str, ...]
    groups: tuple[str, ...]
    targets: NDArray[np.int64]
    n_events: NDArray[np.int64]
    duration_us: NDArray[np.int64]
    shard: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    n_steps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Column name to array, as stored."""
        texts = {name: _text_to_bytes(getattr(self, field)) for name, field in TEXT_COLUMNS.items()}
        return texts | {name: getattr(self, field) for name, field in NUMBER_COLUMNS.items()}

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]]) -> SampleTable:
        """The table that `columns` came from."""
        keys, groups = (_bytes_to_text(columns[name]) for name in TEXT_COLUMNS)
        return cls(keys, groups, **{field: columns[name] for name, field in NUMBER_COLUMNS.items()})


def _text_to_bytes(texts: Sequence[str]) -> NDArray[np.uint8]:
    encoded = [text.encode() for text in texts]
    width = max([1, *map(len, encoded)])
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(len(encoded), width)


def _bytes_to_text(padded: NDArray[np.uint8]) -> tuple[str, ...]:
    # NumPy drops the padding zeros of its S type by itself.
    return tuple(text.decode() for text in padded.view(f"S{padded.shape[1]}")[:, 0].tolist())
