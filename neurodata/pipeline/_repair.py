"""Repair: damaged files of a store are made again from its source, and replaced when the bytes are the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neurodata.datasets import Dataset, Twin, find_dataset, locate, path_on_disk
from neurodata.errors import RecipeError, StoreError
from neurodata.pipeline._compare import differences
from neurodata.pipeline._execute import run_tasks
from neurodata.pipeline._executors import MakeExecutor
from neurodata.pipeline._plan import Plan, make_plan
from neurodata.pipeline._request import SourceRequest
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe, stored_recipe
from neurodata.signals import Sensor
from neurodata.storage import exclusive, remove_leftovers
from neurodata.store import (
    StoreHead,
    are_whole,
    committed,
    finalise,
    read_head,
    remove_others,
    shard_files,
    share_files,
    take_over,
    verify,
)


@dataclass(frozen=True, slots=True)
class SourceOfStore:
    """Where the files are that a store was made of, as far as the store does not tell.

    Parameters
    ----------
    folder
        Of a store of a folder's files; else None: those that were published, or a twin.
    labels, format, sensor
        As for `prepare`, of a store of "folder:DIR".
    twin_size, twin_seed
        Of a twin; its size is the number of samples where None.
    """

    folder: Path | None = None
    labels: Path | None = None
    format: str | None = None
    sensor: Sensor | None = None
    twin_size: int | None = None
    twin_seed: int = 0


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did: the files that were replaced, those that did not belong there, and shards made again."""

    path: Path
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    n_shards: int = 0


def repair_store(
    path: Path,
    source: SourceOfStore = SourceOfStore(),
    cache: str | Path | None = None,
    *,
    make_executor: MakeExecutor,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Repaired:
    """Make the damaged files of a store again from its source; nothing is done to one that is whole.

    The shards that are damaged are encoded anew beside the store. Each file replaces the damaged one when it has the
    sha256 that the manifest states; until then nothing of the store is touched, and who reads it is not disturbed.
    What a killed repair had finished is used by the next one. A store whose manifest itself is damaged is finished
    anew from its commit records.

    Raises
    ------
    StoreNotFoundError, StoreError
        When there is no store, or it was never finished; when this installation makes other bytes of the same source,
        or other files than the store's remain damaged.
    RecipeError
        When this release has other versions of the steps, readers or dataset, or the source that is stated is not the
        one that the store was made of.
    NeurodataError
        When the source is not there or cannot be read, or files cannot be written.
    """
    path = path.absolute()
    read_head(path)  # nothing is made, not even a lease, where there is no store
    with exclusive(path.with_name(f".{path.name}.lock"), f"repairing {path.name}", on_wait) as lease:
        head, manifest = read_head(path)
        fresh = path.with_name(f".{path.name}.repair")
        if manifest is not None and (done := _tidied(path, manifest, progress)):
            shutil.rmtree(fresh, ignore_errors=True)  # of a repair that was killed when it had done all else
            return done
        plan = _plan_again(path, head, manifest, source, cache, progress)
        n_shards = _make_again(plan, path, fresh, manifest, make_executor, progress, lease.check)
        try:
            replaced, removed = take_over(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        left = verify(path, deep=True, progress=progress).problems
    if left:
        raise StoreError("\n".join((f"{path}: repaired but for this:", *left)))
    return Repaired(path, tuple(replaced), tuple(removed), n_shards)


def _tidied(path: Path, manifest: Mapping[str, Any], progress: Progress) -> Repaired | None:
    """A store whose own files are whole, without those that do not belong there; None where one is not."""
    if verify(path, deep=True, progress=progress).ok:
        return Repaired(path)
    if are_whole(path, manifest["files"], manifest["files"]):
        removed = remove_others(path, manifest["files"])
        if verify(path).ok:
            return Repaired(path, removed=tuple(removed))
    return None


def _plan_again(
    path: Path,
    head: StoreHead,
    manifest: Mapping[str, Any] | None,
    source: SourceOfStore,
    cache: str | Path | None,
    progress: Progress,
) -> Plan:
    """The plan that the store was made by; RecipeError where what is stated now gives another one."""
    n_samples = None if manifest is None else int(manifest["n_samples"])
    dataset = _dataset(head, source)
    recipe = stored_recipe(head.recipe_name, dataset, head.recipe)
    _require_same_recipe(path, head, recipe)
    request = _request(path, head, dataset, source, n_samples)
    located = locate(dataset, cache, source=request.folder, twin=request.twin, progress=progress)
    plan = make_plan(recipe, located, progress)
    # A folder may have been moved since: its name, by which the dataset goes, is no part of the identity.
    plan = replace(plan, head=replace(plan.head, dataset=head.dataset))
    if plan.head.source_id != head.source_id:
        raise RecipeError(
            f"{path}: made of files of source_id {head.source_id[:12]}; those at {located.root} have "
            f"{plan.head.source_id[:12]}: name the folder that it was made of (--source; of a twin, --twin-size and "
            "--twin-seed), or prepare a store of these files"
        )
    if plan.head.to_json() != head.to_json() or n_samples not in (None, len(plan.refs)):
        changed = [name for name, value in plan.head.to_json().items() if head.to_json()[name] != value]
        raise RecipeError(
            f"{path}: this release plans another store of the same files ({', '.join(changed) or 'samples'} differ): "
            f"{_anew(head)}"
        )
    return plan


def _dataset(head: StoreHead, source: SourceOfStore) -> Dataset:
    if head.recipe["dataset"]["name"] != "folder":
        return find_dataset(head.dataset, labels=source.labels, format=source.format, sensor=source.sensor)
    if source.folder is None:
        raise RecipeError(
            f"the store was made of {head.dataset}, recordings of your own: name that folder with --source DIR, and "
            "--labels, --format and --sensor as they were for `neurodata prepare`"
        )
    return find_dataset(f"folder:{source.folder}", labels=source.labels, format=source.format, sensor=source.sensor)


def _request(
    path: Path, head: StoreHead, dataset: Dataset, source: SourceOfStore, n_samples: int | None
) -> SourceRequest:
    if dataset.own_folder is not None:
        return SourceRequest(dataset.own_folder)
    if head.source_kind != "twin":
        if head.source_kind == "folder" and source.folder is None:
            raise RecipeError(
                f"{path}: made of the files of a folder, not of published ones: name it with --source DIR"
            )
        return SourceRequest(None if source.folder is None else path_on_disk(source.folder))
    size = source.twin_size or n_samples
    if size is None:
        raise RecipeError(f"{path}: made of a twin, and the manifest that told its size is damaged: add --twin-size")
    return SourceRequest(twin=Twin(size, source.twin_seed))


def _require_same_recipe(path: Path, head: StoreHead, recipe: Recipe) -> None:
    if recipe.recipe_id == head.recipe_id:
        return
    changed = "; ".join(map(str, differences(head.recipe, recipe.canonical())))
    raise RecipeError(
        f"{path}: made by another version of neurodata, or of other kinds of files: then and now differ in {changed}. "
        f"What is damaged cannot be made again as it was: {_anew(head)}"
    )


def _anew(head: StoreHead) -> str:
    dataset = "folder:DIR" if head.recipe["dataset"]["name"] == "folder" else head.dataset
    return f"`neurodata prepare {dataset} --force` with the options of then writes the store anew"


def _make_again(
    plan: Plan,
    path: Path,
    fresh: Path,
    manifest: Mapping[str, Any] | None,
    make_executor: MakeExecutor,
    progress: Progress,
    check: Callable[[], None],
) -> int:
    """A whole store beside the damaged one: its whole shards, and damaged ones made anew; how many these are."""
    n_damaged = 0
    todo = []
    for then, now in zip(plan.tasks(path), plan.tasks(fresh), strict=True):
        files = shard_files(then.layout, then.shard)
        if (
            committed(path, then.shard, then.layout, then.rows)
            if manifest is None
            else are_whole(path, manifest["files"], files)
        ):
            share_files(path, fresh, files)
            continue
        n_damaged += 1
        if not committed(fresh, now.shard, now.layout, now.rows):
            todo.append(now)
    if todo:
        try:
            with make_executor(len(todo)) as executor:
                run_tasks(todo, executor, len(plan.refs), progress, check)
        except BaseException:
            remove_leftovers(fresh)
            raise
    finalise(fresh, plan.head, plan.n_shards, plan.schemes)
    return n_damaged
