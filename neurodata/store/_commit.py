"""A shard and its commit record: the unit of work that a killed run may lose, and that resuming finds again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from neurodata.errors import StorageError, StoreError
from neurodata.recipe import STORE_VERSION
from neurodata.signals import EventArray
from neurodata.storage import (
    Location,
    RemotePath,
    delete,
    each,
    file_digest,
    list_below,
    read_bytes,
    size_if_there,
    write_to,
    writing_to,
)
from neurodata.store._append import EventsWriter, Packets, SignalWriter, signal_writer
from neurodata.store._layout import COMMITS, MANIFEST, Layout, commit_path
from neurodata.store._records import Counts, Json, SampleRow, check_seal, parse, seal
from neurodata.store._shard import ShardWriter

SEAL = "record_sha256"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSample:
    """A sample ready to be stored: its row, what the layout stores of it, and what it was made of.

    `signal` is an array [T, C, H, W], or events for an `EventsLayout`, or `Packets` of them; it was made of `n_events`
    events in `duration_us` microseconds, of which the first is at `start_us` on the recording's clock. `targets` are
    those of the layout, by name.
    """

    row: SampleRow
    signal: NDArray[Any] | EventArray | Packets
    n_events: int
    duration_us: int
    start_us: int = 0
    targets: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def write_shard(
    folder: Location,
    shard: int,
    layout: Layout,
    samples: Iterable[EncodedSample],
    counts: Callable[[], Counts],
) -> None:
    """Write a shard's files and then its commit record, each appearing whole or not at all.

    Samples are taken one at a time and written as they come, so one sample is held in memory, and of events the one
    before, of which they may be a continuation (`EventsWriter`). The bytes
    depend on the arguments alone. Only one process may write a given shard; different shards may be written at
    the same time. A finished store loses its manifest first: it is incomplete until `finalise` ran again.

    Parameters
    ----------
    folder
        The store; what goes to a URL is written to a temporary file of this machine, and sent when it is complete.
    shard
        Its number: the shard holds the samples `shard * samples_per_shard` and following.
    layout
        How the store keeps its samples.
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
    where = folder / commit_path(shard)
    delete(folder / MANIFEST)
    delete(where)
    rows: list[Json] = []
    with ExitStack() as files:
        writers = {
            path: ShardWriter(files.enter_context(writing_to(folder / path)), column, layout)
            for path, column in zip(layout.shard_paths(shard), layout.all_columns, strict=True)
        }
        columns = list(writers.values())
        n_columns = len(layout.columns)
        signals, targets = signal_writer(layout, columns[:n_columns]), columns[n_columns:]
        for sample in samples:
            if len(rows) == layout.samples_per_shard:
                raise StoreError(
                    f"{where}: sample {sample.row.key!r} is one more than the {len(rows)} that a shard holds"
                )
            rows.append(_append(sample, layout, signals, targets, where))
        if not rows:
            raise StoreError(f"{where}: no samples; a shard holds 1 to {layout.samples_per_shard}")
        total = counts()
        total.check(where)
        written = {path: writer.finish() for path, writer in writers.items()}
    record = {
        "version": STORE_VERSION,
        "shard": shard,
        "layout": layout.to_json(),
        "files": {path: asdict(file) for path, file in written.items()},
        "samples": rows,
        "counts": total.to_json(),
    }
    write_to(where, seal(record, SEAL))


def committed(folder: Location, shard: int, layout: Layout, rows: Sequence[SampleRow]) -> bool:
    """Whether a shard of exactly these samples in this layout is finished and undamaged.

    Files on a disk are read whole. Those behind a URL, which appear whole or not at all, must measure what the commit
    record says.

    Raises
    ------
    StorageError
        When what is behind a URL cannot be reached.
    """
    try:
        record = read_commit(folder, shard)
        return (
            record["layout"] == layout.to_json()
            and [_row(sample) for sample in record["samples"]] == list(rows)
            and list(record["files"]) == sorted(layout.shard_paths(shard))
            and all(_is_whole(folder / path, file) for path, file in record["files"].items())
        )
    except StoreError:
        return False
    except OSError:
        if isinstance(folder, Path):
            return False
        raise


def commit_shards(folder: Location) -> set[int]:
    """Numbers of the shards that have a commit record, whatever it says: from the names of files alone."""
    names = (name.removesuffix(".json") for name in list_below(folder / COMMITS) if name.endswith(".json"))
    return {int(name) for name in names if name.isdecimal()}


def read_commit(folder: Location, shard: int) -> Json:
    """A shard's commit record; StoreError when it is missing, damaged or of another format version."""
    return parse_commit(folder, shard, commit_bytes(folder, shard))


def commit_bytes(folder: Location, shard: int) -> bytes:
    """A shard's commit record as it is; StoreError when it is missing."""
    path = folder / commit_path(shard)
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise StoreError(f"{path}: missing, so shard {shard} is not finished; run `neurodata prepare` again") from None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error


def parse_commit(folder: Location, shard: int, raw: bytes) -> Json:
    """What a commit record says; StoreError when it is damaged or of another format version."""
    path = folder / commit_path(shard)
    record = parse(raw, path)
    check_seal(record, SEAL, path)
    found = record.get("version"), record.get("shard")
    if found != (STORE_VERSION, shard):
        raise StoreError(
            f"{path}: format version {found[0]}, shard {found[1]}; expected version {STORE_VERSION}, shard {shard}; "
            "run `neurodata prepare` again"
        )
    return record


def committed_counts(folder: Location, n_shards: int) -> Counts:
    """What the commit records of all shards count together; StoreError where one is missing or damaged."""
    records = each(folder, partial(read_commit, folder), range(n_shards))
    return sum((Counts(**record["counts"]) for record in records), Counts())


def _append(
    sample: EncodedSample,
    layout: Layout,
    signals: SignalWriter | EventsWriter,
    targets: Sequence[ShardWriter],
    where: Location,
) -> Json:
    """Write one sample; its entry in the record."""
    key = sample.row.key
    if not (0 <= sample.n_events < 2**63 and 0 <= sample.duration_us < 2**63):
        raise StoreError(
            f"{where}: sample {key!r} of {sample.n_events} events in {sample.duration_us} us; "
            "expected numbers from 0 on that fit 64 bits"
        )
    place = signals.append(sample.signal, key)
    pieces = layout.target_pieces(sample.targets, key)
    rows = [writer.append(piece) for writer, piece in zip(targets, pieces, strict=True)]
    ragged = {target.name: list(span) for target, span in zip(layout.targets, rows, strict=True) if target.is_ragged}
    return {
        "key": key,
        "target": int(sample.row.target),
        "group": sample.row.group,
        "n_events": int(sample.n_events),
        "duration_us": int(sample.duration_us),
        "start_us": int(sample.start_us),
        "origin_us": int(place.origin_us),
        "start": place.start,
        "stop": place.stop,
        "n_steps": layout.n_steps(sample.signal),
    } | ({"targets": ragged} if ragged else {})


def _is_whole(place: Location, file: Json) -> bool:
    if size_if_there(place) != file["size_bytes"]:
        return False
    return isinstance(place, RemotePath) or file_digest(place) == file["sha256"]


def _row(sample: Json) -> SampleRow:
    return SampleRow(sample["key"], sample["target"], sample["group"])
