"""What differs between two recipes or stores: dataset, readers, steps, parameters, layout, source, samples, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from neurodata.pipeline._facts import StoreFacts
from neurodata.recipe import Recipe
from neurodata.storage import canonical_json
from neurodata.store import SampleTable

Json = Mapping[str, Any]

# Samples that are named of those that differ.
SHOWN = 3

# What of a sample is its source's, whatever the recipe: columns of the table by the name they are told by.
_OF_SOURCE = {
    "label": "targets",
    "group": "groups",
    "n_events": "n_events",
    "duration_us": "duration_us",
    "start_us": "start_us",
}


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


def store_differences(one: StoreFacts, other: StoreFacts) -> list[Difference]:
    """What differs between two stores: their recipes, then the source, the samples, and the files.

    The hash of the source tells that files differ; which, the samples tell: those that only one store has, those of
    which label, group, times or the number of events differ, and, made by one recipe, the shards with other bytes.
    Where all else is the same, other files come from other versions of a library (such as zstd) or a store that was not
    made by neurodata alone. What is not known of a store is not compared.
    """
    found = differences(one.recipe, other.recipe)
    is_one_recipe = not found
    classes = ({name: k for k, name in enumerate(store.head["classes"])} for store in (one, other))
    heads = ({name: value for name, value in store.head.items() if name != "classes"} for store in (one, other))
    found += _entries("", *heads)
    found += _entries("class ", *classes)
    if one.n_samples is not None and other.n_samples is not None:
        found += _entries("", {"samples": one.n_samples}, {"samples": other.n_samples})
    if one.table is not None and other.table is not None:
        found += _samples(one.table, other.table)
    if one.schemes is not None and other.schemes is not None:
        found += _entries("scheme ", one.schemes, other.schemes)
    if is_one_recipe and one.files is not None and other.files is not None:
        found += _files(one, other, every=not found)
    return found


def _samples(one: SampleTable, other: SampleTable) -> Iterator[Difference]:
    here, there = ({key: k for k, key in enumerate(table.keys)} for table in (one, other))
    only = [[key for key in keys if key not in others] for keys, others in ((here, there), (there, here))]
    if any(only):
        yield Difference("samples that only one has", *map(len, only))
        yield Difference("such samples are", *(keys[:SHOWN] for keys in only))
    both = [(key, k, there[key]) for key, k in here.items() if key in there]
    for name, column in _OF_SOURCE.items():
        here_values, there_values = (list(getattr(table, column)) for table in (one, other))
        differing = [row for row in both if here_values[row[1]] != there_values[row[2]]]
        if differing:
            such = ", ".join(repr(key) for key, _, _ in differing[:SHOWN])
            yield Difference(
                f"{name} of {len(differing)} samples that both have, such as {such}",
                [_plain(here_values[k]) for _, k, _ in differing[:SHOWN]],
                [_plain(there_values[k]) for _, _, k in differing[:SHOWN]],
            )


def _plain(value: Any) -> str | int:
    return value if isinstance(value, str) else int(value)


def _files(one: StoreFacts, other: StoreFacts, every: bool) -> Iterator[Difference]:
    """Files with other bytes: `every` one, or those of shards, with the samples that are in them."""
    assert one.files is not None
    assert other.files is not None
    if every:
        yield from _entries("sha256 of ", one.files, other.files)
    elif (
        one.table is not None
        and other.table is not None
        and one.layout is not None
        and one.table.keys == other.table.keys
    ):
        size = one.layout.samples_per_shard
        for first in range(0, len(one.table), size):
            shown = f" (samples {one.table.keys[first]!r} to {one.table.keys[min(first + size, len(one.table)) - 1]!r})"
            paths = one.layout.shard_paths(first // size)
            hashes = ({f"{path}{shown}": store.files[path] for path in paths} for store in (one, other) if store.files)
            yield from _entries("sha256 of ", *hashes)


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


def _shown(value: Any) -> str:
    return "absent" if value is None else f"{value}"
