"""What a store says of itself, as far as that can be read: also an unfinished one, or one of another format version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurodata.errors import NeurodataError, StorageError, StoreError, StoreNotFoundError
from neurodata.pipeline._record import read_plan
from neurodata.storage import Location, locate, size_if_there
from neurodata.store import MANIFEST, Layout, SampleTable, StoreHead, StoreReader, manifest_of_any_version, read_head

Json = Mapping[str, Any]

_OF_HEAD = ("dataset", "recipe_name", "source_kind", "source_id", "partial", "default_scheme")


@dataclass(frozen=True, slots=True, eq=False)
class StoreFacts:
    """What two stores are compared by.

    Parameters
    ----------
    recipe
        Canonical, as it is hashed.
    head
        Names of dataset and recipe, kind and id of the source, whether it is partial, default scheme; and `classes`.
    n_samples
        None where that is not known.
    schemes, files
        The sha256 of each by name; None where there is no manifest.
    layout, table
        None where the store cannot be opened.
    note
        Why not all is known; "" where it is.
    """

    recipe: Json
    head: Json
    n_samples: int | None = None
    schemes: Json | None = None
    files: Json | None = None
    layout: Layout | None = None
    table: SampleTable | None = field(default=None, repr=False)
    note: str = ""


def store_facts(store: str | Location) -> StoreFacts:
    """The facts of a store, by its folder or URL.

    Raises
    ------
    NeurodataError
        When nothing is known of it: there is none, or it is unfinished and no plan is in it, or it is damaged.
    """
    place = locate(store)
    try:
        with_table = StoreReader(place)
    except StorageError:
        raise
    except (StoreError, StoreNotFoundError) as error:
        return _of_other_version(place, error) or _of_unfinished(place, error)
    with_table.close()
    facts = _of_manifest(with_table.manifest)
    return StoreFacts(
        facts.recipe,
        facts.head,
        facts.n_samples,
        facts.schemes,
        facts.files,
        with_table.head.layout,
        with_table.table,
    )


def _of_other_version(place: Location, error: NeurodataError) -> StoreFacts | None:
    try:
        return _of_manifest(manifest_of_any_version(place), f"{error}; compared is what its manifest says")
    except (NeurodataError, OSError, LookupError, TypeError, AttributeError):
        return None


def _of_manifest(manifest: Json, note: str = "") -> StoreFacts:
    return StoreFacts(
        manifest["recipe"],
        {name: manifest.get(name) for name in (*_OF_HEAD, "classes")},
        manifest.get("n_samples"),
        {name: entry["sha256"] for name, entry in manifest["schemes"].items()},
        {name: entry["sha256"] for name, entry in manifest["files"].items()},
        note=note,
    )


def _of_unfinished(place: Location, error: NeurodataError) -> StoreFacts:
    if size_if_there(place / MANIFEST) is not None:
        raise error  # damaged
    try:
        head = _head_of_unfinished(place)
    except NeurodataError:
        raise error from None
    facts = {name: getattr(head, name) for name in _OF_HEAD} | {"classes": list(head.classes)}
    return StoreFacts(head.recipe, facts, note=f"{error}; compared is what it is planned to be")


def _head_of_unfinished(place: Location) -> StoreHead:
    """The head of a store by the plan of a job array, or else as data.zarr tells it."""
    try:
        return read_plan(place).head
    except StoreNotFoundError:
        return read_head(place)[0]
