"""What a user asks for: a recipe and the files to make it from; prepared, or only looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from neurodata.datasets import Dataset, Hashing, Twin, availability, locate, path_on_disk, sources_id
from neurodata.errors import RecipeError
from neurodata.pipeline._build import build_share, build_store, finalise_store
from neurodata.pipeline._executors import MakeExecutor
from neurodata.pipeline._find import find_stores, is_finished
from neurodata.pipeline._plan import Plan, Share, make_plan
from neurodata.pipeline._record import PlanRecord, read_plan
from neurodata.pipeline._shared_hashes import SharedHashes
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe
from neurodata.steps import ArraySpec
from neurodata.storage import Location, cache_root, require_writable, search_roots
from neurodata.storage import locate as find_location
from neurodata.store import StoreReader


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """Where samples shall come from: a folder, a twin, or (both None) the published files."""

    folder: Path | None = None
    twin: Twin | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A finished store's folder or URL, and whether it was there already."""

    path: Location
    reused: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What `prepare` would do: the array of one sample, where the files are, stores that fit already."""

    recipe: Recipe
    array: ArraySpec
    files: str
    stores: tuple[StoreReader, ...]


def source_request(
    dataset: Dataset,
    source: str | Path | None = None,
    twin: bool = False,
    twin_size: int | None = None,
    twin_seed: int = 0,
) -> SourceRequest:
    """The request that these arguments make.

    Raises
    ------
    RecipeError
        When both a folder and a twin are asked for, a size without a twin, or one too small to hold every class;
        or either of a dataset that is a folder itself.
    SourceNotFoundError
        When the source is a URL.
    """
    if dataset.own_folder is not None:
        if source is not None or twin:
            raise RecipeError(
                f"{dataset.name}: the folder {dataset.own_folder} is the source: leave --source and --twin out"
            )
        return SourceRequest(dataset.own_folder)
    if source is not None and twin:
        raise RecipeError("a source folder and a twin exclude each other: give --source or --twin")
    if not twin:
        if twin_size is not None:
            raise RecipeError(f"twin size {twin_size}, but no twin was asked for: add --twin (twin=True)")
        return SourceRequest(None if source is None else path_on_disk(source))
    size = dataset.twin_size if twin_size is None else twin_size
    if not isinstance(size, int) or size < len(dataset.classes):
        raise RecipeError(
            f"twin of {dataset.name}: {size!r} samples; expected at least {len(dataset.classes)}, one a class"
        )
    if not isinstance(twin_seed, int) or twin_seed < 0:
        raise RecipeError(f"twin of {dataset.name}: seed {twin_seed!r}; expected an integer from 0 on")
    return SourceRequest(twin=Twin(size, twin_seed))


def prepare_recipe(
    recipe: Recipe,
    request: SourceRequest,
    cache: str | Path | None = None,
    *,
    make_executor: MakeExecutor,
    force: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Prepared:
    """Get the files, plan, and build the store; a finished one is reused unless `force`.

    Stores and published files are kept below the cache root, also where that is a URL; unpacked files and twins are
    then put into `local_root`.

    Raises
    ------
    NeurodataError
        When files are missing or damaged, or the store cannot be written; what was finished is kept.
    """
    root = cache_root(cache)
    dataset = recipe.dataset
    published = request == SourceRequest()
    # Before files are fetched and hashed, which may take hours: whether stores can be looked for and kept here.
    found = find_stores(recipe, search_roots(root)).stores
    if force or not found:
        require_writable(root / "stores" / dataset.name)
    # The identity of published files is known without having them.
    if published and not force and (path := _of_source(found, sources_id(dataset.sources))):
        return Prepared(path, reused=True)
    plan = _plan(recipe, request, cache, progress)
    if not force and (path := _of_source(find_stores(recipe, search_roots(root)).stores, plan.head.source_id)):
        return Prepared(path, reused=True)
    path = build_store(plan, root / "stores", make_executor, force=force, progress=progress, on_wait=on_wait)
    return Prepared(path, reused=False)


def prepare_share(
    recipe: Recipe,
    request: SourceRequest,
    share: Share,
    cache: str | Path | None = None,
    *,
    make_executor: MakeExecutor,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Location:
    """One job's share of `prepare_recipe`: its shards are written, and `finalise_recipe` finishes the store.

    Returns
    -------
    Path or RemotePath
        The store, which is not finished yet.

    Raises
    ------
    NeurodataError
        As `prepare_recipe`; StoreError when another job follows another plan.
    """
    stores = cache_root(cache) / "stores"
    hashes = SharedHashes(recipe, stores, on_wait)
    plan = _plan(recipe, request, cache, progress, hashes.hash_files)
    return build_share(plan, stores, share, make_executor, check=hashes.check, progress=progress, on_wait=on_wait)


def finalise_recipe(
    recipe: Recipe,
    request: SourceRequest,
    cache: str | Path | None = None,
    *,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Location:
    """Finish the store whose shards `prepare_share` wrote; the store.

    Raises
    ------
    NeurodataError
        StoreError when shards are missing (it names them).
    """
    stores = cache_root(cache) / "stores"
    plan = _plan(recipe, request, cache, progress, SharedHashes(recipe, stores, on_wait).hash_files)
    store = stores / plan.head.dataset / plan.folder_name
    finalise_store(store, PlanRecord.of(plan), on_wait)
    return store


def finalise_folder(store: str | Location, *, on_wait: Callable[[str], None] | None = None) -> Location:
    """Finish a store whose shards `prepare_share` wrote, from the plan that is in it; the store.

    Raises
    ------
    StoreNotFoundError
        When there is neither a finished store nor a plan.
    StoreError
        When shards are missing (it names them), or the plan is damaged.
    """
    place = find_location(store)
    if not is_finished(place):
        finalise_store(place, read_plan(place), on_wait)
    return place


def preview(recipe: Recipe, request: SourceRequest, cache: str | Path | None = None) -> Preview:
    """What `prepare_recipe` would work with; fetches and writes nothing."""
    dataset = recipe.dataset
    if request.twin is not None:
        files = f"a generated look-alike of {request.twin.size} samples (seed {request.twin.seed})"
    elif request.folder is not None:
        files = str(dataset.find_root(request.folder))
    else:
        files = availability(dataset, cache)
    return Preview(recipe, recipe.array(), files, tuple(find_stores(recipe, search_roots(cache)).stores))


def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _plan(
    recipe: Recipe,
    request: SourceRequest,
    cache: str | Path | None,
    progress: Progress,
    hashing: Hashing | None = None,
) -> Plan:
    located = locate(recipe.dataset, cache, source=request.folder, twin=request.twin, progress=progress)
    return make_plan(recipe, located, progress, hashing)


def _of_source(stores: Iterable[StoreReader], source_id: str) -> Location | None:
    return next((store.path for store in stores if store.head.source_id == source_id), None)
