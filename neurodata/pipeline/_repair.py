"""Repair: damaged files of a store are made again from its source, and replaced when the bytes are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from neurodata.datasets import Dataset, Twin, Windows, find_dataset, locate, path_on_disk
from neurodata.errors import RecipeError, StorageError, StoreError, UnknownNameError
from neurodata.pipeline._compare import differences
from neurodata.pipeline._execute import is_done, run_tasks, unfinished
from neurodata.pipeline._executors import MakeExecutor
from neurodata.pipeline._plan import Plan, ShardTask, make_plan
from neurodata.pipeline._request import SourceRequest
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe, stored_recipe
from neurodata.signals import Sensor
from neurodata.storage import Lease, Location, RemotePath, exclusive, remove_leftovers
from neurodata.store import (
    StoreHead,
    damaged_files,
    delete_below,
    finished,
    read_commit,
    read_head,
    remove_others,
    require_same,
    shard_files,
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
    labels, format, sensor, windows
        As for `prepare`, of a store of "folder:DIR".
    twin_size, twin_seed
        Of a twin; its size is the number of samples where None.
    dataset
        Of a store of objects in Python (`neurodata.adapters.tonic.source` ...): these objects.
    """

    folder: Path | None = None
    labels: Path | None = None
    format: str | None = None
    sensor: Sensor | None = None
    windows: Windows | None = None
    twin_size: int | None = None
    twin_seed: int = 0
    dataset: Dataset | None = None


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did: the files that were replaced, those that did not belong there, and shards made again."""

    path: Location
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    n_shards: int = 0


def repair_store(
    path: Location,
    source: SourceOfStore = SourceOfStore(),
    cache: str | Path | None = None,
    *,
    make_executor: MakeExecutor,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Repaired:
    """Make the damaged files of a store again from its source; nothing is done to one that is whole.

    The shards that are damaged are encoded anew beside the store, which may be behind a URL that can be written to.
    Each file replaces the damaged one when it has the sha256 that the manifest states; until then nothing of the store
    is touched, and who reads it is not disturbed. What a killed repair had finished is used by the next one. A store
    whose manifest itself is damaged is finished anew from its commit records. Published files and twins are looked for
    in the cache root that the store lies in, unless `cache` names another one.

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
    # Its own name, by which others lease it, and its own disk: not those of a link that leads to it.
    path = path if isinstance(path, RemotePath) else Path(os.path.realpath(path))
    if isinstance(path, RemotePath) and urlsplit(path.url).scheme.lower() in ("http", "https"):
        raise StorageError(f"{path}: a web server takes no files: repair a copy of the store, and put that there")
    read_head(path)  # nothing is made, not even a lease, where there is no store
    with exclusive(path.parent / f".{path.name}.lock", f"repairing {path.name}", on_wait) as lease:
        head, manifest = read_head(path)
        damaged = None if manifest is None else damaged_files(path, manifest["files"], progress)
        fresh = path.parent / f".{path.name}.repair"
        if manifest is not None and not damaged and (done := _tidied(path, manifest, progress)):
            delete_below(fresh)  # of a repair that was killed when it had done all else
            return done
        plan = _plan_again(path, head, manifest, source, cache, progress)
        shards = [task.shard for task in plan.tasks(path) if _is_damaged(task, damaged)]
        done = _replaced(plan, path, fresh, shards, manifest, make_executor, progress, lease)
        left = verify(path, deep=True, progress=progress).problems
    if left:
        raise StoreError("\n".join((f"{path}: repaired but for this:", *left)))
    return done


def _tidied(path: Location, manifest: Mapping[str, Any], progress: Progress) -> Repaired | None:
    """A store whose own files are whole, without those that do not belong there; None where more is wrong."""
    removed = remove_others(path, manifest["files"])
    return Repaired(path, removed=tuple(removed)) if verify(path, deep=True, progress=progress).ok else None


def _is_damaged(task: ShardTask, damaged: Collection[str] | None) -> bool:
    """Whether a shard has to be made again; None: there is no manifest that tells which files are damaged."""
    files = shard_files(task.layout, task.shard)
    if damaged is not None:
        return not set(files).isdisjoint(damaged)
    # Behind a URL, `is_done` compares sizes.
    return not is_done(task) or bool(damaged_files(task.folder, read_commit(task.folder, task.shard)["files"]))


def _plan_again(
    path: Location,
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
    near = _root_of(path) if cache is None else cache
    located = locate(dataset, near, source=request.folder, twin=request.twin, progress=progress)
    plan = make_plan(recipe, located, progress)
    # A folder may have been moved since: its name, by which the dataset goes, is no part of the identity.
    plan = replace(plan, head=replace(plan.head, dataset=head.dataset))
    if plan.head.source_id != head.source_id:
        raise RecipeError(
            f"{path}: made of files of source_id {head.source_id[:12]}; those at {located.root} have "
            f"{plan.head.source_id[:12]}: name the folder that it was made of (--source, with --labels, --window-us "
            "... as they were; of a twin, --twin-size and --twin-seed), or prepare a store of these files"
        )
    if plan.head.to_json() != head.to_json() or n_samples not in (None, len(plan.refs)):
        changed = [name for name, value in plan.head.to_json().items() if head.to_json()[name] != value]
        raise RecipeError(
            f"{path}: this release plans another store of the same files ({', '.join(changed) or 'samples'} differ): "
            f"{_anew(head)}"
        )
    return plan


def _root_of(store: Location) -> str | Path | None:
    """The cache root that a store lies in, whose downloads and twins it was made of; None: it lies somewhere else."""
    stores = store.parent.parent
    if stores.name != "stores":
        return None
    return stores.parent.url if isinstance(stores, RemotePath) else stores.parent


def _dataset(head: StoreHead, source: SourceOfStore) -> Dataset:
    """The dataset that a store says it is of."""
    if "imported" in head.recipe:
        raise RecipeError(
            f"the store of {head.dataset} was imported, so its files cannot be made again one by one: delete it "
            "(`neurodata cache rm`), and `neurodata import` what it was imported from once more"
        )
    if source.dataset is not None:
        return source.dataset
    stated = {name: getattr(source, name) for name in ("labels", "format", "sensor", "windows")}
    if head.recipe["dataset"]["name"] != "folder":
        return _dataset_by_name(head, stated)
    if source.folder is None:
        raise RecipeError(
            f"the store was made of {head.dataset}, recordings of your own: name that folder with --source DIR, and "
            "--labels, --format, --sensor, --window-us, --stride-us and --before-us as they were for "
            "`neurodata prepare`"
        )
    return find_dataset(f"folder:{source.folder}", **stated)


def _dataset_by_name(head: StoreHead, stated: dict[str, Any]) -> Dataset:
    if windows := head.recipe["dataset"].get("windows"):  # the recipe of a published dataset tells them
        stated |= {"windows": Windows(**windows)}
    reader = head.recipe.get("reader")
    name = reader.get("name", "") if isinstance(reader, Mapping) else ""
    is_of_tonic = name.startswith("tonic.")
    try:
        return find_dataset(f"tonic:{name.removeprefix('tonic.')}" if is_of_tonic else head.dataset, **stated)
    except UnknownNameError as error:
        raise RecipeError(
            f"the store was made of {head.dataset}, which is no dataset that this installation knows. If it was an "
            "object in Python, repair it there: neurodata.pipeline.repair_store(path, SourceOfStore(dataset=...), ...)"
        ) from error


def _request(
    path: Location, head: StoreHead, dataset: Dataset, source: SourceOfStore, n_samples: int | None
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


def _require_same_recipe(path: Location, head: StoreHead, recipe: Recipe) -> None:
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


def _replaced(
    plan: Plan,
    path: Location,
    fresh: Location,
    shards: Collection[int],
    manifest: Mapping[str, Any] | None,
    make_executor: MakeExecutor,
    progress: Progress,
    lease: Lease,
) -> Repaired:
    """Make shards again beside the store, and let what is whole take the place of what is damaged."""
    _make_again(plan, fresh, shards, make_executor, progress, lease)
    places = [fresh if shard in shards else path for shard in range(plan.n_shards)]
    try:
        made = finished(places, path, plan.head, plan.schemes)
        if manifest is not None:
            require_same(path, dict(manifest), made)
    except StoreError:
        delete_below(fresh)  # of no use to another repair
        raise
    lease.check()
    names = [name for shard in sorted(shards) for name in shard_files(plan.head.layout, shard)]
    replaced, removed = take_over(fresh, path, made, names)
    delete_below(fresh)
    return Repaired(path, tuple(replaced), tuple(removed), len(shards))


def _make_again(
    plan: Plan,
    fresh: Location,
    shards: Collection[int],
    make_executor: MakeExecutor,
    progress: Progress,
    lease: Lease,
) -> None:
    todo = unfinished([task for task in plan.tasks(fresh) if task.shard in shards])
    if not todo:
        return
    try:
        with make_executor(len(todo)) as executor:
            run_tasks(todo, executor, len(plan.refs), progress, lease.check)
    except BaseException:
        if isinstance(fresh, Path):
            remove_leftovers(fresh)
        raise
