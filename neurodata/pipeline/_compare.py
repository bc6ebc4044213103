"""What differs between two recipes or stores: dataset, readers, steps, parameters, layout, source, samples, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from neurodata.recipe import Recipe
from neurodata.storage import canonical_json
from neurodata.store import StoreReader

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place, such as "event_frame.T", and what stands there in the one and in the other; None: nothing."""

    place: str
    one: Any
    other: Any

    def __str__(self) -> str:
        return f"{self.place} ({_shown(self.one)}, {_shown(self.other)})"


def differences(one: Json, other: Json) -> list[Difference]:
    """What differs between two recipes in their canonical form (`Recipe.canonical`)."""
    found: list[Difference] = []
    for key in dict.fromkeys((*one, *other)):
        here, there = one.get(key), other.get(key)
        if key == "steps":
            found += _steps(here or (), there or ())
        elif key == "reader":
            found += _entries("reader ", _versions(here), _versions(there))
        elif isinstance(here, Mapping) and isinstance(there, Mapping):
            found += _entries(f"{key}.", here, there)
        elif key == "targets":
            found += _entries("target ", _by_name(here), _by_name(there))
        else:
            found += _entries("", {key: here}, {key: there})
    if not found and canonical_json(one) != canonical_json(other):
        found.append(Difference("order of readers or targets", one, other))
    return found


def store_differences(one: StoreReader, other: StoreReader) -> list[Difference]:
    """What differs between two stores: their recipes, then the source, the samples, and the files.

    Files are compared by the sha256 that the manifests state; where recipe and source are the same, other files come
    from other versions of a library (such as zstd) or a store that was not made by neurodata alone.
    """
    found = differences(one.head.recipe, other.head.recipe)
    plain = ("source_kind", "source_id", "partial", "default_scheme")
    found += _entries("", *({name: getattr(store.head, name) for name in plain} for store in (one, other)))
    found += _entries("class ", *({name: k for k, name in enumerate(store.head.classes)} for store in (one, other)))
    keys = [set(store.table.keys) for store in (one, other)]
    found += _entries("", {"samples": len(one)}, {"samples": len(other)})
    if keys[0] != keys[1]:
        found.append(Difference("samples that only one has", len(keys[0] - keys[1]), len(keys[1] - keys[0])))
    schemes = [{name: entry["sha256"] for name, entry in store.manifest["schemes"].items()} for store in (one, other)]
    found += _entries("scheme ", *schemes)
    if not found:
        found += _entries("sha256 of ", *(_hashes(store) for store in (one, other)))
    return found


def view_differences(one: Recipe, other: Recipe) -> list[Difference]:
    """What differs between the steps at load of two recipes: the same store serves both."""
    found = differences({"steps": one.canonical_view()}, {"steps": other.canonical_view()})
    return [replace(entry, place=f"at load: {entry.place}") for entry in found]


def _entries(place: str, one: Json, other: Json) -> Iterator[Difference]:
    for name in dict.fromkeys((*one, *other)):
        # 1, 1.0 and true are different identities.
        if canonical_json(one.get(name)) != canonical_json(other.get(name)):
            yield Difference(f"{place}{name}", one.get(name), other.get(name))


def _steps(one: Sequence[Json], other: Sequence[Json]) -> Iterator[Difference]:
    """Steps are paired in their order by name; one without a partner stands against nothing."""
    here_names, there_names = ([step["name"] for step in steps] for steps in (one, other))
    for kind, i, i_end, j, j_end in SequenceMatcher(None, here_names, there_names, False).get_opcodes():
        if kind == "equal":
            for here, there in zip(one[i:i_end], other[j:j_end], strict=True):
                yield from _entries(f"{here['name']} ", {"version": here["version"]}, {"version": there["version"]})
                yield from _entries(f"{here['name']}.", here["parameters"], there["parameters"])
        else:
            yield from (Difference(f"step {step['name']}", step["parameters"], None) for step in one[i:i_end])
            yield from (Difference(f"step {step['name']}", None, step["parameters"]) for step in other[j:j_end])


def _versions(readers: Any) -> Json:
    """Versions by name of the formats that samples are read by."""
    listed = readers if isinstance(readers, Sequence) else [readers or {}]
    return {reader["name"]: reader["version"] for reader in listed if "name" in reader}


def _by_name(entries: Any) -> Json:
    return {entry["name"]: entry for entry in entries or ()}


def _hashes(store: StoreReader) -> Json:
    return {name: entry["sha256"] for name, entry in store.manifest["files"].items()}


def _shown(value: Any) -> str:
    return "absent" if value is None else f"{value}"
