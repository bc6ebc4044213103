"""A shard and its commit record: the unit of work that a killed run may lose, and that resuming finds again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from neurodata.errors import StorageError, StoreError
from neurodata.recipe import STORE_VERSION
from neurodata.storage import file_digest, write_bytes, writing
from neurodata.store._layout import MANIFEST, ArrayLayout, commit_path
from neurodata.store._records import Counts, Json, SampleRow, check_seal, parse, seal
from neurodata.store._shard import write_chunks

SEAL = "record_sha256"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSample:
    """A sample ready to be stored: its row, its array [T, C, H, W], and how many events in how long it was made of."""

    row: SampleRow
    array: NDArray[Any]
    n_events: int
    duration_us: int


def write_shard(
    folder: Path,
    shard: int,
    layout: ArrayLayout,
    samples: Iterable[EncodedSample],
    counts: Callable[[], Counts],
) -> None:
    """Write one shard file and then its commit record, each appearing whole or not at all.

    Samples are taken one at a time and written as they come, so one sample is held in memory. The bytes
    depend on the arguments alone. Only one process may write a given shard; different shards may be written at
    the same time. A finished store loses its manifest first: it is incomplete until `finalise` ran again.

    Parameters
    ----------
    folder
        The store.
    shard
        Its number: the shard holds the samples `shard * samples_per_shard` and following.
    layout
        How the store keeps its arrays.
    samples
        At least one and at most `samples_per_shard`, in the order of the plan.
    counts
        Called after the last sample: the events read, encoded and dropped in this shard.

    Raises
    ------
    StoreError
        When a sample does not fit the layout, there are none or too many, or the counts do not add up.
    StorageError
        When a file cannot be written (full disk, no permission).
    """
    path = folder / layout.shard_path(shard)
    remove_file(folder / MANIFEST)
    remove_file(folder / commit_path(shard))
    rows: list[Json] = []
    with writing(path) as stream:
        written = write_chunks(stream, layout, _arrays(samples, layout, rows, path))
        if not rows:
            raise StoreError(f"{path}: no samples; a shard holds 1 to {layout.samples_per_shard}")
        total = counts()
        total.check(path)
    record = {
        "version": STORE_VERSION,
        "shard": shard,
        "layout": layout.to_json(),
        "file": layout.shard_path(shard),
        "size_bytes": written.size_bytes,
        "sha256": written.sha256,
        "samples": rows,
        "counts": total.to_json(),
    }
    write_bytes(folder / commit_path(shard), seal(record, SEAL))


def committed(folder: Path, shard: int, layout: ArrayLayout, rows: Sequence[SampleRow]) -> bool:
    """Whether a shard of exactly these samples in this layout is finished and undamaged (the whole file is read)."""
    try:
        record = read_commit(folder, shard)
        path = folder / layout.shard_path(shard)
        return (
            record["layout"] == layout.to_json()
            and [_row(sample) for sample in record["samples"]] == list(rows)
            and path.stat().st_size == record["size_bytes"]
            and file_digest(path) == record["sha256"]
        )
    except (StoreError, OSError):
        return False


def read_commit(folder: Path, shard: int) -> Json:
    """A shard's commit record; StoreError when it is missing, damaged or of another format version."""
    path = folder / commit_path(shard)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{path}: missing, so shard {shard} is not finished; run `neurodata prepare` again") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    record = parse(raw, path)
    check_seal(record, SEAL, path)
    found = record.get("version"), record.get("shard")
    if found != (STORE_VERSION, shard):
        raise StoreError(
            f"{path}: format version {found[0]}, shard {found[1]}; expected version {STORE_VERSION}, shard {shard}; "
            "run `neurodata prepare` again"
        )
    return record


def remove_file(path: Path) -> None:
    """Delete a file if it is there; StorageError when it cannot be deleted."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: cannot be deleted ({error.strerror}); is the store read-only?") from error


def _arrays(
    samples: Iterable[EncodedSample], layout: ArrayLayout, rows: list[Json], path: Path
) -> Iterator[NDArray[Any]]:
    for sample in samples:
        if len(rows) == layout.samples_per_shard:
            raise StoreError(f"{path}: sample {sample.row.key!r} is one more than the {len(rows)} that a shard holds")
        found, expected = sample.array, layout.array
        if found.shape != expected.shape or found.dtype != expected.dtype:
            raise StoreError(
                f"{path}: sample {sample.row.key!r} is {found.dtype} of shape {found.shape}; "
                f"expected {expected.dtype} of shape {expected.shape}"
            )
        if not (0 <= sample.n_events < 2**63 and 0 <= sample.duration_us < 2**63):
            raise StoreError(
                f"{path}: sample {sample.row.key!r} of {sample.n_events} events in {sample.duration_us} us; "
                "expected numbers from 0 on that fit 64 bits"
            )
        rows.append(
            {
                "key": sample.row.key,
                "target": int(sample.row.target),
                "group": sample.row.group,
                "n_events": int(sample.n_events),
                "duration_us": int(sample.duration_us),
            }
        )
        yield sample.array


def _row(sample: Json) -> SampleRow:
    return SampleRow(sample["key"], sample["target"], sample["group"])
