"""What a store's JSON files hold: rows of the plan, counts and their conservation, the head; sealed by a hash."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS, SourceKind
from neurodata.errors import StoreError
from neurodata.forms import Form, form_from_json, form_to_json
from neurodata.steps import ADDED
from neurodata.storage import Location, canonical_json
from neurodata.store._layout import Layout, layout_from_json
from neurodata.targets import TargetSpec

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What the plan knows of a sample: its stable key, its class (int64) and its group ("" where there is none)."""

    key: str
    target: int
    group: str

    def __post_init__(self) -> None:
        if not (self.key and _is_storable(self.key) and _is_storable(self.group)):
            raise StoreError(
                f"sample {self.key!r}, group {self.group!r}: expected a key, and UTF-8 text without zero bytes in both"
            )
        if not -(2**63) <= self.target < 2**63:
            raise StoreError(f"sample {self.key!r}: target {self.target} does not fit 64 bits")


def _is_storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class Counts:
    """Events read, encoded, and dropped by reason; `notes` counts what was put right (late, clipped, empty samples).

    Notes that begin with "added: " count events that steps made: what was read and added is encoded or dropped. Those
    that begin with "noted: " are of steps, too.

    Counts of parts add up with `+`.
    """

    read: int = 0
    encoded: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.read + other.read,
            self.encoded + other.encoded,
            _sum(self.dropped, other.dropped),
            _sum(self.notes, other.notes),
        )

    def check(self, where: object) -> None:
        """Raise StoreError unless every event read or added was either encoded or dropped for a reason."""
        n_dropped = sum(self.dropped.values())
        n_added = sum(n for note, n in self.notes.items() if note.startswith(ADDED))
        negative = min(self.read, self.encoded, *self.dropped.values(), *self.notes.values()) < 0
        if negative or self.read + n_added != self.encoded + n_dropped:
            raise StoreError(
                f"{where}: {self.read} events read (and {n_added} added), but {self.encoded} encoded and {n_dropped} "
                f"dropped {dict(self.dropped)}; a step loses or invents events without counting them"
            )

    def to_json(self) -> Json:
        """The counts as the store's JSON files hold them."""
        return {
            "read": int(self.read),
            "encoded": int(self.encoded),
            "dropped": {reason: int(n) for reason, n in self.dropped.items()},
            "notes": {reason: int(n) for reason, n in self.notes.items()},
        }


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    total = Counter(first)
    total.update(second)
    return dict(total)


@dataclass(frozen=True, slots=True)
class StoreHead:
    """What a store is: dataset, recipe and source with their hashes, classes, form and layout.

    `source_kind` is "published" (the dataset as its authors published it), "folder" (other files in
    the same form) or "twin" (generated); `partial` tells that published samples are missing;
    `default_scheme` is the one that a split follows when none is named.
    """

    dataset: str
    dataset_version: int
    recipe_name: str
    recipe: Mapping[str, Any]
    recipe_id: str
    source_id: str
    source_kind: SourceKind
    partial: bool
    default_scheme: str
    classes: tuple[str, ...]
    form: Form
    layout: Layout

    @property
    def targets(self) -> tuple[TargetSpec, ...]:
        """What is stored of each sample besides its class."""
        return self.layout.targets

    def to_json(self) -> Json:
        """The head as manifest.json and the attributes of data.zarr hold it."""
        plain = {name: getattr(self, name) for name in _PLAIN_HEAD}
        return plain | {
            "recipe": json.loads(canonical_json(self.recipe)),
            "classes": list(self.classes),
            "form": form_to_json(self.form),
            "layout": self.layout.to_json(),
        }

    @classmethod
    def from_json(cls, head: Mapping[str, Any]) -> StoreHead:
        """The head that `to_json` wrote; other entries are ignored."""
        return cls(
            **{name: head[name] for name in _PLAIN_HEAD},
            classes=tuple(head["classes"]),
            form=form_from_json(head["form"]),
            layout=layout_from_json(head["layout"]),
        )


# Entries of the head that are JSON already.
_PLAIN_HEAD = tuple(entry.name for entry in fields(StoreHead) if entry.name not in ("classes", "form", "layout"))


@dataclass(frozen=True, slots=True, eq=False)
class SchemeIndex:
    """A named way to split: for each partition the indices of its samples in the store, int64 [n], in order."""

    description: str
    sha256: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def __getitem__(self, partition: str) -> NDArray[np.int64]:
        """Indices of "train", "validation" or "test"."""
        if partition not in PARTITIONS:
            raise KeyError(partition)
        indices: NDArray[np.int64] = getattr(self, partition)
        return indices


def seal(record: Mapping[str, Any], name: str) -> bytes:
    """The record as indented JSON with, under `name`, the sha256 of the canonical JSON of all the rest."""
    sealed = {**record, name: _hash(record)}
    entries = (f" {json.dumps(key)}: {_indented(sealed[key])}" for key in sorted(sealed))
    return ("{\n" + ",\n".join(entries) + "\n}\n").encode("ascii")


def _indented(entry: Any) -> str:
    """An entry of an object as `json.dumps` indents it; rows of a list by its fast encoder, which cannot indent."""
    if isinstance(entry, list) and all(isinstance(row, dict) and row and _is_flat(row) for row in entry) and entry:
        rows = (json.dumps(row, sort_keys=True, allow_nan=False, separators=(",\n   ", ": ")) for row in entry)
        return "[\n  " + ",\n  ".join(f"{{\n   {row[1:-1]}\n  }}" for row in rows) + "\n ]"
    return json.dumps(entry, indent=1, sort_keys=True, allow_nan=False).replace("\n", "\n ")


def _is_flat(row: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, dict | list | tuple) for value in row.values())


def parse(raw: bytes, path: Location) -> Json:
    """The JSON object of a file; StoreError when it is cut or damaged."""
    try:
        record = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path}: not a whole JSON file ({error}): damaged: `neurodata repair` the store, or prepare again"
        ) from error
    if not isinstance(record, dict):
        raise StoreError(f"{path}: holds a JSON {type(record).__name__}; expected an object")
    return record


def check_seal(record: Json, name: str, path: Location) -> None:
    """Raise StoreError unless `record[name]` is the sha256 of the rest."""
    rest = {key: entry for key, entry in record.items() if key != name}
    expected = _hash(rest)
    if record.get(name) != expected:
        raise StoreError(
            f"{path}: says {name} {record.get(name)}, but its content has {expected}: damaged or edited: "
            "`neurodata repair` the store, or prepare again"
        )


def _hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(record)).hexdigest()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
