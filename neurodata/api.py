"""The public verbs that compose several floors: prepare (whole or in shares), load, open_store."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from neurodata.datasets import Dataset, find_dataset, make_windows
from neurodata.errors import RecipeError
from neurodata.loader import Split, Store
from neurodata.pipeline import (
    MakeExecutor,
    Share,
    borrowed,
    choose_store,
    finalise_folder,
    find_stores,
    n_cores,
    note_use,
    prepare_recipe,
    source_request,
    thread_pool,
)
from neurodata.pipeline import prepare_share as prepare_recipe_share
from neurodata.progress import Progress, silent
from neurodata.recipe import load_recipe
from neurodata.signals import Sensor
from neurodata.storage import Location, RemotePath, search_roots
from neurodata.store import Verify


def prepare(
    dataset: str | Dataset,
    T: int | None = None,
    split_by: str | None = None,
    recipe: str | Path | None = None,
    source: str | Path | None = None,
    twin: bool = False,
    layout: str | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    *,
    encoding: str | None = None,
    labels: str | Path | None = None,
    format: str | None = None,
    sensor: Sensor | None = None,
    window_us: int | None = None,
    stride_us: int | None = None,
    before_us: int | None = None,
    twin_size: int | None = None,
    twin_seed: int = 0,
    force: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
    **step_overrides: Mapping[str, Any],
) -> Store:
    """The dataset as a finished store: written now, completed after an interruption, or the one that is there.

    Parameters
    ----------
    dataset
        Name, such as "dvs-gesture"; `neurodata.registry.datasets.names()` lists them. "folder:DIR": recordings of
        your own, in sub-folders named by class, or as `labels` says. "tonic:NMNIST": a class of `tonic.datasets`, whose
        files `source` holds. Or a dataset: what `neurodata.adapters.tonic.source` and `neurodata.adapters.torch.source`
        make of datasets that are map-style.
    T, split_by
        Number of time steps, and "count" or "time"; the recipe's when None.
    recipe
        Name of a recipe or path of a TOML file; the one named like the dataset when None.
    source
        Folder that holds the dataset's files (unpacked, or its archives); downloaded when None.
    twin
        Use generated look-alike data of `twin_size` samples, drawn from `twin_seed`.
    layout
        How samples are stored, "dense", "sparse" or "events"; the recipe's when None.
    encoding
        Takes the place of the recipe's encoding: "voxel_grid"; its parameters are `T` and step_overrides.
    cache
        Root of downloads and stores; $NEURODATA_CACHE, a checkout's `cache/` or the user's cache when None. A URL such
        as "s3://lab/neurodata" is the root of stores alone: downloads and twins are then put where they would be
        without it.
    workers
        Threads; all cores when None. Threads need no `__main__` guard in scripts.
    executor
        Runs the work instead: any `concurrent.futures.Executor`; it is not shut down.
    labels, format, sensor
        Of "folder:DIR" only: a CSV file with the columns path and label (and start_us, end_us, group, split, item, and
        target.NAME for targets other than classes, beside which label may be missing); the format and pixel grid of the
        recordings, where these are not to be found out.
    window_us, stride_us
        Of "folder:DIR" and of datasets of long recordings ("gen1", "1mpx"): samples are windows of this length, one
        every `stride_us` (by default, one after the other), of each recording of events, or of each interval that
        `labels` name.
    before_us
        In place of these: samples are windows of this length that end where boxes are labelled, which are theirs; of
        "dsec", where maps are.
    force
        Prepare anew even when a finished store is there; that one is replaced at the end.
    progress
        Called with stage, amount done, total and unit.
    on_wait
        Called with a sentence when another run is preparing the same store, which is then waited for.
    step_overrides
        Parameters by step: `event_frame={"dtype": "uint8", "overflow": "saturate"}`.

    Returns
    -------
    Store
        Holds each sample as an array [T, C, H, W].

    Raises
    ------
    NeurodataError
        When the recipe is wrong, files are missing or damaged, or cannot be written; what was finished is kept.

    Examples
    --------
    >>> store = neurodata.prepare("dvs-gesture", T=16, twin=True)  # doctest: +SKIP
    """
    make_executor = _executor_maker(workers, executor)
    windows = make_windows(window_us, stride_us, before_us)
    chosen = find_dataset(dataset, labels=labels, format=format, sensor=sensor, windows=windows)
    prepared = prepare_recipe(
        load_recipe(chosen, recipe, T=T, split_by=split_by, layout=layout, encoding=encoding, overrides=step_overrides),
        source_request(chosen, source, twin, twin_size, twin_seed),
        cache,
        make_executor=make_executor,
        force=force,
        progress=progress,
        on_wait=on_wait,
    )
    return open_store(prepared.path)


def prepare_share(
    dataset: str | Dataset,
    shard: tuple[int, int],
    T: int | None = None,
    split_by: str | None = None,
    recipe: str | Path | None = None,
    source: str | Path | None = None,
    twin: bool = False,
    layout: str | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    *,
    encoding: str | None = None,
    labels: str | Path | None = None,
    format: str | None = None,
    sensor: Sensor | None = None,
    window_us: int | None = None,
    stride_us: int | None = None,
    before_us: int | None = None,
    twin_size: int | None = None,
    twin_seed: int = 0,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
    **step_overrides: Mapping[str, Any],
) -> Location:
    """One job's share of what `prepare` does, for job arrays; `finalise` makes the store when all shares are written.

    Parameters
    ----------
    shard
        (I, N): the I-th of N shares of the shards, I from 1 on. Shares may be written in any order and at the same
        time; a share that is there is done at once.
    dataset, T, split_by, recipe, source, twin, layout, cache, workers, executor, encoding, labels, format, sensor, \
    window_us, stride_us, before_us, twin_size, twin_seed, progress, on_wait, step_overrides
        As for `prepare`, and the same in all jobs.

    Returns
    -------
    Path or RemotePath
        The store's folder or URL, to be given to `finalise`: it cannot be opened yet.

    Raises
    ------
    NeurodataError
        As `prepare`; RecipeError when there is no such share, StoreError when another job follows another plan.

    Examples
    --------
    >>> folder = neurodata.prepare_share("dvs-gesture", (3, 16), T=16, source="/data/DvsGesture")  # doctest: +SKIP
    >>> store = neurodata.finalise(folder)  # doctest: +SKIP
    """
    try:
        share = Share(*shard)
    except TypeError:
        raise RecipeError(f"shard={shard!r}: expected (I, N), such as (3, 16)") from None
    windows = make_windows(window_us, stride_us, before_us)
    chosen = find_dataset(dataset, labels=labels, format=format, sensor=sensor, windows=windows)
    return prepare_recipe_share(
        load_recipe(chosen, recipe, T=T, split_by=split_by, layout=layout, encoding=encoding, overrides=step_overrides),
        source_request(chosen, source, twin, twin_size, twin_seed),
        share,
        cache,
        make_executor=_executor_maker(workers, executor),
        progress=progress,
        on_wait=on_wait,
    )


def finalise(path: str | Path | RemotePath, *, on_wait: Callable[[str], None] | None = None) -> Store:
    """Make a finished store of the shares that jobs wrote; one that is finished is opened.

    Parameters
    ----------
    path
        What `prepare_share` gave, in any of the jobs.
    on_wait
        As for `prepare`.

    Raises
    ------
    StoreNotFoundError
        When there are no shares of a job array.
    StoreError
        When shards are missing (it names them).
    StorageError
        When files cannot be read or written.
    """
    return open_store(finalise_folder(path, on_wait=on_wait))


def load(
    dataset: str | Dataset,
    T: int | None = None,
    split_by: str | None = None,
    recipe: str | Path | None = None,
    source: str | Path | None = None,
    twin: bool = False,
    layout: str | None = None,
    cache: str | Path | None = None,
    *,
    split: str = "train",
    scheme: str | None = None,
    classes: Sequence[str | int] | None = None,
    val: str | None = None,
    fold: tuple[int, int] | None = None,
    encoding: str | None = None,
    labels: str | Path | None = None,
    format: str | None = None,
    sensor: Sensor | None = None,
    window_us: int | None = None,
    stride_us: int | None = None,
    before_us: int | None = None,
    twin_size: int | None = None,
    partial: bool = False,
    stage: str | Path | None = None,
    stage_limit: str | int | None = None,
    verify: Verify = "always",
    **step_overrides: Mapping[str, Any],
) -> Split:
    """A split of the prepared store with this recipe; never prepares, never downloads.

    Parameters
    ----------
    dataset, T, split_by, recipe, source, twin, layout, cache, encoding, labels, format, sensor, window_us, stride_us, \
    before_us, twin_size, step_overrides
        As for `prepare`. Without `source`, the store of the published files, or the only other one.
    split
        "train", "validation" or "test".
    scheme
        Named way to split; the dataset's default when None.
    classes
        Keep these classes (names or indices) and number them in this order.
    val
        Carve a validation part out of train: "group:0.15" (whole groups) or "random:0.1" (by sample).
    fold
        (k, n): part k of n of a cross-validation over all samples is the test split.
    partial
        Accept a store that holds only a part of the published samples.
    stage, stage_limit, verify
        As for `open_store`: an existing folder on a local disk to copy shard files to, the size of all copies, and when
        checksums are compared.

    Returns
    -------
    Split
        `split[i]` is (float32 frames [T, C, H, W], int label); `split.loader(...)` gives batches, and
        `split.loader(..., augment="recipe")` those that the recipe's `[[augment]]` tables change.

    Raises
    ------
    StoreNotFoundError
        When no store fits (the message is the command that prepares it), or several do (it lists them).
    """
    windows = make_windows(window_us, stride_us, before_us)
    found = find_dataset(dataset, labels=labels, format=format, sensor=sensor, windows=windows)
    chosen = load_recipe(
        found, recipe, T=T, split_by=split_by, layout=layout, encoding=encoding, overrides=step_overrides
    )
    stores = find_stores(chosen, search_roots(cache))
    if layout is None and not stores.stores:
        # Frames of any kind are made of a store of events, where there is one.
        of_events = load_recipe(
            found, recipe, T=T, split_by=split_by, layout="events", encoding=encoding, overrides=step_overrides
        )
        if (found_events := find_stores(of_events, search_roots(cache))).stores:
            chosen, stores = of_events, found_events
    request = source_request(found, source, twin, twin_size)
    options = {
        "T": T,
        "split-by": split_by,
        "layout": layout,
        "encoding": encoding,
        "recipe": recipe,
        "source": source,
        "labels": labels,
        "format": format,
        "sensor": None if sensor is None else f"{sensor.width}x{sensor.height}",
        "window-us": window_us,
        "stride-us": stride_us,
        "before-us": before_us,
        "cache": cache,
        "twin-size": twin_size,
    }
    store = choose_store(
        stores,
        chosen,
        source=request.folder,
        twin=twin,
        twin_size=twin_size,
        partial=partial,
        command=_prepare_command(dataset, options, step_overrides, twin),
    )
    opened = open_store(store.path, stage=stage, stage_limit=stage_limit, verify=verify)
    loaded = opened.split(split, scheme=scheme, val=val, fold=fold, classes=classes)
    if chosen.view:
        loaded = loaded.with_view(chosen.view)
    return loaded.with_augment(chosen.augment)


def open_store(
    path: str | Path | RemotePath,
    *,
    stage: str | Path | None = None,
    stage_limit: str | int | None = None,
    verify: Verify = "always",
) -> Store:
    """A finished store by its folder or URL, such as "s3://lab/neurodata/n-mnist/frames-0123456789ab".

    Parameters
    ----------
    path
        The folder; or its URL, of a kind that fsspec knows (extras s3, gcs), read by ranges.
    stage, stage_limit
        An existing folder on a local disk in which shard files are copied before they are read, and the size of all
        copies ("50GB"): for object storage and slow network file systems. See `Store`.
    verify
        When the crc32c of chunks is compared: "always", at the "first-read" of each, or "never".

    Raises
    ------
    StoreNotFoundError, StoreError
        When there is none, it is not finished, damaged, or of another version.
    StorageError
        When it cannot be read, or there is no folder `stage`.
    MissingExtraError
        When the library for this kind of URL is not installed.
    """
    store = Store(path, stage=stage, stage_limit=stage_limit, verify=verify)
    note_use(store.path)
    return store


def _executor_maker(workers: int | None, executor: Executor | None) -> MakeExecutor:
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise RecipeError(f"workers={workers!r}: expected an integer from 1 on")

    def make_executor(n_tasks: int) -> AbstractContextManager[Executor]:
        return borrowed(executor) if executor is not None else thread_pool(min(workers or n_cores(), n_tasks))

    return make_executor


def _prepare_command(
    dataset: str | Dataset, options: Mapping[str, object], step_overrides: Mapping[str, Mapping[str, Any]], twin: bool
) -> str:
    if isinstance(dataset, Dataset):
        return f"neurodata.prepare(<{dataset.name}>, ...) with the same arguments"
    words = ["neurodata", "prepare", dataset, *(["--twin"] if twin else [])]
    for option, value in options.items():
        if value is not None:
            words += [f"--{option}", str(value)]
    for step, parameters in step_overrides.items():
        for name, value in parameters.items():
            # What `--set` reads: TOML, which writes these values as JSON does, or plain text.
            words += ["--set", f"{step}.{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
