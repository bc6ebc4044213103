"""The plan beside the shards of a job array: that all its jobs mean the same store, and what is needed to finish it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodata.datasets import PARTITIONS
from neurodata.errors import StoreError, StoreNotFoundError
from neurodata.pipeline._plan import Plan
from neurodata.recipe import STORE_VERSION
from neurodata.storage import Location, canonical_json, create, each, is_folder, read_if_there, size_if_there
from neurodata.store import SampleRow, SchemeIndex, StoreHead, check_seal, parse, read_commit, seal

# Hidden, and gone when the store is finished.
PLAN_RECORD = ".plan.json"
SEAL = "sha256"


@dataclass(frozen=True, slots=True, eq=False)
class PlanRecord:
    """What finishing a store takes: everything of a plan but the samples, of which each shard has a hash."""

    head: StoreHead
    schemes: Mapping[str, SchemeIndex]
    rows_sha256: Sequence[str]

    @classmethod
    def of(cls, plan: Plan) -> PlanRecord:
        """The record of a plan."""
        size = plan.recipe.samples_per_shard
        shards = (plan.refs[shard * size : (shard + 1) * size] for shard in range(plan.n_shards))
        rows = [rows_sha256([SampleRow(ref.key, ref.target, ref.group) for ref in refs]) for refs in shards]
        return cls(plan.head, plan.schemes, rows)

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return len(self.rows_sha256)

    def to_bytes(self) -> bytes:
        """The record as a file: the same bytes from every machine."""
        schemes = {
            name: {"description": scheme.description, "sha256": scheme.sha256}
            | {partition: scheme[partition].tolist() for partition in PARTITIONS}
            for name, scheme in self.schemes.items()
        }
        record = {"version": STORE_VERSION, "head": self.head.to_json(), "schemes": schemes}
        return seal(record | {"rows_sha256": list(self.rows_sha256)}, SEAL)


def rows_sha256(rows: Sequence[SampleRow]) -> str:
    """Hash of the samples of a shard, in order."""
    return hashlib.sha256(canonical_json([[row.key, int(row.target), row.group] for row in rows])).hexdigest()


def record_plan(plan: Plan, store: Location) -> None:
    """Write the plan's record into a store, or compare it with the one that is there.

    Raises
    ------
    StoreError
        When that is another plan's.
    """
    place, content = store / PLAN_RECORD, PlanRecord.of(plan).to_bytes()
    if not create(place, content):
        check_plan(store, content)


def check_plan(store: Location, content: bytes) -> None:
    """Compare a plan's record with the one that is in a store, if there is one.

    Raises
    ------
    StoreError
        When that is another plan's.
    """
    place = store / PLAN_RECORD
    found = read_if_there(place)
    if found is not None and found != content:
        raise StoreError(
            f"{place}: the other jobs of this store follow another plan: it was made from other files, by another "
            "release, or left by an earlier job array: give all jobs the same arguments and release; when none of them "
            "runs any more, delete this file"
        )


def read_plan(store: Location) -> PlanRecord:
    """The record in a store that is not finished.

    Raises
    ------
    StoreNotFoundError
        When there is none.
    StoreError
        When it is damaged, or of another format version.
    """
    place = store / PLAN_RECORD
    raw = read_if_there(place)
    if raw is None:
        if isinstance(store, Path) and not is_folder(store):
            raise StoreNotFoundError(
                f"{store}: no such folder, nor a dataset of that name (`neurodata datasets`): give the folder that the "
                "jobs printed, or the arguments of `neurodata prepare`"
            )
        raise StoreNotFoundError(
            f"{store}: no plan of a job array there ({PLAN_RECORD} is missing): give the arguments of "
            "`neurodata prepare` instead of the folder"
        )
    record = parse(raw, place)
    check_seal(record, SEAL, place)
    if record.get("version") != STORE_VERSION:
        raise StoreError(f"{place}: format version {record.get('version')!r}; this release writes {STORE_VERSION}")
    schemes = {
        name: SchemeIndex(
            scheme["description"],
            scheme["sha256"],
            *(np.array(scheme[partition], np.int64) for partition in PARTITIONS),
        )
        for name, scheme in record["schemes"].items()
    }
    return PlanRecord(StoreHead.from_json(record["head"]), schemes, record["rows_sha256"])


def missing_shards(store: Location, record: PlanRecord) -> list[int]:
    """Shards without a commit record of exactly their samples, or whose files do not measure what it says."""
    fitting = each(store, lambda shard: _fits(store, record, shard), range(record.n_shards))
    return [shard for shard, fits in enumerate(fitting) if not fits]


def _fits(store: Location, record: PlanRecord, shard: int) -> bool:
    try:
        commit = read_commit(store, shard)
    except StoreError:
        return False
    rows = [SampleRow(sample["key"], sample["target"], sample["group"]) for sample in commit["samples"]]
    return (
        commit["layout"] == record.head.layout.to_json()
        and rows_sha256(rows) == record.rows_sha256[shard]
        and all(size_if_there(store / path) == file["size_bytes"] for path, file in commit["files"].items())
    )


def require_shards(store: Location, record: PlanRecord) -> None:
    """StoreError, which names them, when shards are missing."""
    if missing := missing_shards(store, record):
        raise StoreError(
            f"{store}: {len(missing)} of {record.n_shards} shards are missing: {in_ranges(missing)}; run the jobs that "
            "did not end well again (they do what is missing), or `neurodata prepare` with the same arguments, which "
            "does the rest"
        )


def in_ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, neighbours together.

    >>> in_ranges([0, 1, 2, 7, 9, 10])
    '0 to 2, 7, 9, 10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
