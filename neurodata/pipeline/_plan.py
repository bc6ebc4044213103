"""Plan: which sample goes to which place of which shard, decided before anything is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from neurodata.datasets import PARTITIONS, Hashing, Located, SampleRef, Scheme, folder_id
from neurodata.errors import RecipeError
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe
from neurodata.storage import Location
from neurodata.store import DenseLayout, EventsLayout, Layout, SampleRow, SchemeIndex, SparseLayout, StoreHead

RELEASE = version("neurodata-pipeline")


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One unit of work: small enough to travel to another machine, holds places and no data.

    Parameters
    ----------
    folder
        The store that is being written: a folder, or a URL that workers write to by themselves.
    shard
        Number of the shard.
    root
        Folder of the recordings.
    refs
        The shard's samples, in store order.
    first_seen
        Recordings whose findings this shard reports; a recording that spans shards is reported once.
    release
        Of neurodata where the plan was made: whoever does the work needs the same.
    """

    folder: Location
    shard: int
    root: Path
    recipe: Recipe
    layout: Layout
    refs: tuple[SampleRef, ...]
    first_seen: frozenset[str]
    release: str = RELEASE

    @property
    def rows(self) -> list[SampleRow]:
        """What the sample table says of these samples."""
        return [SampleRow(ref.key, ref.target, ref.group) for ref in self.refs]


@dataclass(frozen=True, slots=True)
class Share:
    """One job's share of the shards, of several that are done apart: number `index` (from 1 on) of `count`.

    RecipeError when these are no such numbers.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        numbers = (self.index, self.count)
        if not all(isinstance(number, int) for number in numbers) or not 1 <= self.index <= self.count:
            raise _no_share(f"{self.index}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> Share:
        """`"3/16"`; RecipeError for anything else."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if found is None:
            raise _no_share(text)
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Plan:
    """A pure function of recipe and source files: the same everywhere.

    Parameters
    ----------
    refs
        Samples in store order: the default scheme's partitions one after the other; inside, recordings by
        the hash of their path, so that shards are not class-pure; a recording's samples together.
    """

    recipe: Recipe
    root: Path
    head: StoreHead
    refs: tuple[SampleRef, ...]
    schemes: Mapping[str, SchemeIndex]

    @property
    def n_shards(self) -> int:
        """Number of shards, the last of which may be partly filled."""
        return -(-len(self.refs) // self.recipe.samples_per_shard)

    @property
    def folder_name(self) -> str:
        """Name of the store's folder: recipe, identity, and what is out of the ordinary about its source."""
        name = f"{self.recipe.name}-{self.head.recipe_id[:12]}"
        if self.head.source_kind == "twin":
            name += "-twin"
        if self.head.partial:
            name += "-partial"
        return name if self.head.source_kind == "published" else f"{name}-{self.head.source_id[:8]}"

    def tasks(self, folder: Location) -> list[ShardTask]:
        """One task a shard, writing to the store in this folder."""
        size = self.recipe.samples_per_shard
        # Workers need none of the augmentations, nor torch, which these import.
        recipe = replace(self.recipe, augment=())
        tasks = []
        seen: set[str] = set()
        for shard in range(self.n_shards):
            refs = self.refs[shard * size : (shard + 1) * size]
            first_seen = frozenset(ref.recording for ref in refs) - seen
            seen |= first_seen
            tasks.append(ShardTask(folder, shard, self.root, recipe, self.head.layout, refs, first_seen))
        return tasks


def make_plan(recipe: Recipe, located: Located, progress: Progress = silent, hashing: Hashing | None = None) -> Plan:
    """List the samples, order them, and fix the store's identity; reads labels and, for a folder, hashes files.

    `hashing` is what does that, `hash_files` if not given.
    """
    dataset = recipe.dataset
    samples = dataset.samples(located.root)
    schemes = dataset.schemes(located.root, samples)
    default = schemes[dataset.default_scheme]
    # The class that is stored is the one that the stored steps leave.
    refs = tuple(replace(ref, target=recipe.target(ref.target, ref.key)) for ref in store_order(samples, default))
    return Plan(
        recipe=recipe,
        root=located.root,
        head=StoreHead(
            dataset=dataset.name,
            dataset_version=dataset.version,
            recipe_name=recipe.name,
            recipe=recipe.canonical(),
            recipe_id=recipe.recipe_id,
            source_id=located.source_id or folder_id(dataset, located.root, samples, progress, hashing),
            source_kind=located.kind,
            partial=located.kind == "folder" and not dataset.is_complete(samples, default),
            default_scheme=dataset.default_scheme,
            classes=dataset.classes,
            form=dataset.form,
            layout=layout_of(recipe),
        ),
        refs=refs,
        schemes={name: _index(scheme, refs) for name, scheme in schemes.items()},
    )


def store_order(samples: Sequence[SampleRef], scheme: Scheme) -> tuple[SampleRef, ...]:
    """Samples by partition of the scheme (those outside it last), then by sha256 of the recording's path."""
    partition_of = {key: rank for rank, name in enumerate(PARTITIONS) for key in getattr(scheme, name)}
    digests = {ref.recording: hashlib.sha256(ref.recording.encode()).digest() for ref in samples}
    # Sorting is stable: a recording's samples keep the order of the dataset.
    return tuple(
        sorted(
            samples, key=lambda ref: (partition_of.get(ref.key, len(PARTITIONS)), digests[ref.recording], ref.recording)
        )
    )


def layout_of(recipe: Recipe) -> Layout:
    """How the store keeps its samples; RecipeError where it cannot."""
    array = recipe.array()
    files: dict[str, Any] = {
        "samples_per_shard": recipe.samples_per_shard,
        "compression": recipe.compression,
        "targets": recipe.dataset.target_specs,
    }
    if recipe.layout == "events":
        return EventsLayout(recipe.stored_sensor(), **files)
    return DenseLayout(array, **files) if recipe.layout == "dense" else SparseLayout(array, **files)


def _no_share(found: str) -> RecipeError:
    return RecipeError(
        f"shard {found}: expected I/N with I from 1 to N, such as 3/16 (of Slurm: sbatch --array=1-16, and "
        '--shard "$SLURM_ARRAY_TASK_ID/16")'
    )


def _index(scheme: Scheme, refs: Sequence[SampleRef]) -> SchemeIndex:
    place = {ref.key: index for index, ref in enumerate(refs)}
    train, validation, test = (np.array([place[key] for key in getattr(scheme, name)], np.int64) for name in PARTITIONS)
    return SchemeIndex(scheme.description, scheme.sha256, train, validation, test)
