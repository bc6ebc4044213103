"""Whether the books of a store agree: manifest, commit records, sample table and the head in data.zarr."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from neurodata.errors import NeurodataError, StoreError
from neurodata.storage import Location, canonical_json, read_bytes
from neurodata.store._commit import SEAL
from neurodata.store._layout import MANIFEST, ZARR, commit_path
from neurodata.store._reader import StoreReader
from neurodata.store._records import Counts, Json, check_seal, parse
from neurodata.store._table import NUMBER_COLUMNS, TEXT_COLUMNS

HEAD = f"{ZARR}/zarr.json"


def conservation_problems(place: Location, manifest: Json) -> Iterator[str]:
    """Whether all events of the store were encoded or dropped for a reason."""
    try:
        Counts(**manifest["counts"]).check(place / MANIFEST)
    except (StoreError, TypeError, AttributeError, ValueError) as error:
        yield str(error) if isinstance(error, StoreError) else f"{place / MANIFEST}: its counts are no counts: {error}"


def head_problems(reader: StoreReader) -> Iterator[str]:
    """Whether data.zarr says of itself what the manifest says, and the identity is that of the recipe."""
    try:
        said = parse(read_bytes(reader.path / HEAD), reader.path / HEAD)["attributes"]["neurodata"]
        head = reader.head.to_json()
        # True is not 1, nor 1.0.
        same = canonical_json({name: said[name] for name in head}) == canonical_json(head)
    except NeurodataError as error:
        yield str(error)
    except (OSError, KeyError, TypeError) as error:
        yield f"{reader.path / HEAD}: does not say what the store is ({error})"
    else:
        if not same:
            yield f"{reader.path / HEAD}: says of the store other than {MANIFEST}"
    yield from _scheme_problems(reader)
    expected = hashlib.sha256(canonical_json(reader.head.recipe)).hexdigest()
    if reader.head.recipe_id != expected:
        yield f"{reader.path / MANIFEST}: recipe_id is {reader.head.recipe_id}; its recipe has {expected}"


def _scheme_problems(reader: StoreReader) -> Iterator[str]:
    """Whether data.zarr has the schemes that the manifest has."""
    folder = f"{ZARR}/schemes/"
    names = {name.removeprefix(folder).split("/")[0] for name in reader.manifest["files"] if name.startswith(folder)}
    if (names := names - {"zarr.json"}) != set(reader.schemes):
        yield f"{reader.path / MANIFEST}: its schemes are {sorted(reader.schemes)}; {folder} has {sorted(names)}"
    if reader.schemes and reader.head.default_scheme not in reader.schemes:
        yield f"{reader.path / MANIFEST}: has no scheme {reader.head.default_scheme!r}, its default"


def commit_problems(reader: StoreReader) -> Iterator[str]:
    """Whether every commit record is true, and all together say what manifest and sample table say."""
    total = Counts()
    for shard in range(reader.manifest["n_shards"]):
        path = reader.path / commit_path(shard)
        try:
            record = parse(read_bytes(path), path)
            check_seal(record, SEAL, path)
            counts = Counts(**record["counts"])
            counts.check(path)
            total += counts
            yield from _record_problems(reader, shard, record, path)
        except NeurodataError as error:
            yield str(error)
        except OSError as error:
            yield f"{path}: {error.strerror or error}"
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            yield f"{path}: entry missing or of another type: {error}"
    if total.to_json() != reader.counts.to_json():
        yield (
            f"{reader.path / MANIFEST}: counts {reader.counts.to_json()}; the commit records add up to "
            f"{total.to_json()}"
        )


def _record_problems(reader: StoreReader, shard: int, record: Json, path: Location) -> Iterator[str]:
    layout = reader.head.layout
    first = shard * layout.samples_per_shard
    expected: dict[str, Any] = {
        "shard": shard,
        "version": reader.manifest["version"],
        "layout": _plain(layout.to_json()),
        "files": {name: reader.manifest["files"][name] for name in layout.shard_paths(shard)},
    }
    for entry, value in expected.items():
        if record[entry] != value:
            yield f"{path}: {entry} is {record[entry]}; {MANIFEST} says {value}"
    n_samples = min(layout.samples_per_shard, len(reader) - first)
    if len(record["samples"]) != n_samples:
        yield f"{path}: {len(record['samples'])} samples; the sample table has {n_samples} in shard {shard}"
        return
    for index, sample in enumerate(record["samples"], first):
        row = _row(reader, index)
        if differing := [name for name, value in row.items() if value != ({"shard": shard} | sample).get(name)]:
            yield f"{path}: sample {sample['key']!r}: {', '.join(differing)} differ from the sample table"


def _row(reader: StoreReader, index: int) -> Json:
    """What the sample table says of a sample, as a commit record says it."""
    table = reader.table
    texts = {name: getattr(table, field)[index] for name, field in TEXT_COLUMNS.items()}
    numbers = {name: int(getattr(table, field)[index]) for name, field in NUMBER_COLUMNS.items()}
    ragged = {name: [int(span.start[index]), int(span.stop[index])] for name, span in table.spans.items()}
    return texts | numbers | ({"targets": ragged} if ragged else {})


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return json.loads(json.dumps(value))
