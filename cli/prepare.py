"""neurodata prepare: make a store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import human_bytes, note, print_json, progress_bars
from .options import (
    BeforeOption,
    CacheOption,
    DatasetName,
    EncodingOption,
    ExecutorKind,
    ExecutorOption,
    FormatOption,
    JsonOption,
    LabelsOption,
    Layout,
    LayoutOption,
    RecipeOption,
    SchedulerOption,
    SensorOption,
    Settings,
    ShareOption,
    SlurmOption,
    SourceOption,
    SplitByOption,
    StrideOption,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
    WindowOption,
    WorkersOption,
    dataset_of,
    parse_slurm_options,
    recipe_of,
    source_of,
)

if TYPE_CHECKING:
    from neurodata.pipeline import Preview, SourceRequest
    from neurodata.recipe import Recipe
    from neurodata.steps import ArraySpec
    from neurodata.storage import Location
    from neurodata.store import StoreReader


def prepare(
    dataset: DatasetName,
    T: TimeSteps = None,
    split_by: SplitByOption = None,
    settings: Settings = None,
    recipe: RecipeOption = None,
    encoding: EncodingOption = None,
    layout: LayoutOption = None,
    source: SourceOption = None,
    labels: LabelsOption = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    window_us: WindowOption = None,
    stride_us: StrideOption = None,
    before_us: BeforeOption = None,
    twin: TwinOption = False,
    twin_size: TwinSizeOption = None,
    cache: CacheOption = None,
    executor: ExecutorOption = ExecutorKind.PROCESSES,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    slurm_option: SlurmOption = None,
    shard: ShareOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Prepare anew; replaces the finished store.")] = False,
    json: JsonOption = False,
) -> None:
    """Prepare a dataset: get the files, verify, read, encode, and write a sharded Zarr store.

    A finished store with the same recipe is reused; an interrupted run goes on where it stopped.
    The store's folder is printed on stdout.

    Examples:

    neurodata prepare dvs-gesture --T 16 --source /data/DvsGesture

    neurodata prepare n-mnist --T 10 --split-by time

    neurodata prepare dvs-gesture --layout events    # any T at load

    neurodata prepare dvs-gesture --layout auto --dry-run

    neurodata prepare folder:recordings --T 16 --labels labels.csv

    neurodata prepare folder:drives --layout events --window-us 50000 --stride-us 10000

    neurodata prepare dvs-gesture --T 8 --set event_frame.overflow=saturate --twin

    neurodata prepare hardvs --T 8 --source /data/hardvs --cache s3://lab/neurodata --executor dask --scheduler tcp://head:8786

    neurodata prepare hardvs --T 8 --source /data/hardvs --executor slurm --workers 64 --slurm-option partition=cpu

    neurodata prepare hardvs --T 8 --source /data/hardvs --shard "$SLURM_ARRAY_TASK_ID/64"    # then: neurodata finalise
    """
    from neurodata.pipeline import Share, executor_maker, prepare_recipe, prepare_share, preview
    from neurodata.storage import local_root
    from neurodata.store import StoreReader

    found = dataset_of(dataset, labels, format, sensor, window_us, stride_us, before_us)
    request = source_of(found, source, twin, twin_size)
    if layout is Layout.AUTO:
        if not dry_run:
            raise typer.BadParameter("--layout auto measures and recommends: add --dry-run, then name a layout")
        _print_layouts(recipe_of(found, recipe, T, split_by, settings, Layout.DENSE, encoding), request, cache, json)
        return
    chosen = recipe_of(found, recipe, T, split_by, settings, layout, encoding)
    if dry_run:
        _print_preview(preview(chosen, request, cache), json)
        return
    if str(cache).startswith("memory:") and executor.value != "threads":
        raise typer.BadParameter(
            f"--cache {cache}: lost when the command ends, and seen by its threads alone: add --executor threads"
        )
    share = None if shard is None else Share.parse(shard)
    if share is not None and force:
        raise typer.BadParameter("--shard adds to a store; to write one anew, prepare it without --shard, with --force")
    make_executor = executor_maker(
        executor.value,
        workers,
        scheduler=scheduler,
        slurm_options=parse_slurm_options(slurm_option),
        slurm_folder=local_root(cache) / "slurm",
    )
    with progress_bars() as progress:
        if share is not None:
            place = prepare_share(
                chosen, request, share, cache, make_executor=make_executor, progress=progress, on_wait=note
            )
            _tell_share(place, shard, json)
            return
        prepared = prepare_recipe(
            chosen, request, cache, make_executor=make_executor, force=force, progress=progress, on_wait=note
        )
    tell_store(StoreReader(prepared.path), prepared.reused, json)


def tell_store(store: StoreReader, reused: bool, json: bool) -> None:
    """What was prepared, on stderr; where it is, on stdout."""
    note(_summary(store, reused))
    if json:
        print_json({"store": str(store.path), "reused": reused} | store_facts(store))
    else:
        print(store.path)


def _tell_share(store: Location, shard: str | None, json: bool) -> None:
    from neurodata.pipeline import is_finished

    if is_finished(store):
        note("the store is finished already")
    else:
        note(f"share {shard} is written; when all are: neurodata finalise {store}")
    if json:
        print_json({"store": str(store), "shard": shard})
    else:
        print(store)


def store_facts(store: StoreReader) -> dict[str, Any]:
    """What a store holds and where it comes from, as JSON values."""
    return {
        "dataset": store.head.dataset,
        "samples": len(store),
        "layout": store.head.layout.kind,
        "sample": store.contents,
        "sample_shape": None if store.array is None else list(store.array.shape),
        "dtype": None if store.array is None else str(store.array.dtype),
        "classes": list(store.head.classes),
        "targets": list(map(str, store.head.targets)),
        "source": store.head.source_kind,
        "source_id": store.head.source_id,
        "partial": store.head.partial,
        "recipe_id": store.head.recipe_id,
        "events_read": store.counts.read,
        "events_encoded": store.counts.encoded,
        "events_dropped": dict(store.counts.dropped),
        "notes": dict(store.counts.notes),
    }


def _print_preview(plan: Preview, json: bool) -> None:
    steps = [*plan.recipe.canonical()["steps"], *plan.recipe.canonical_view()]
    facts = {
        "recipe": plan.recipe.name,
        "recipe_id": plan.recipe.recipe_id,
        "layout": plan.recipe.layout,
        "steps": [{"name": step["name"]} | step["parameters"] for step in steps],
        "sample_shape": list(plan.array.shape),
        "sample_bytes": plan.array.size_bytes,
        "files": plan.files,
        "stores": [str(store.path) for store in plan.stores],
    }
    if json:
        print_json(facts)
        return
    note(f"recipe  {plan.recipe.name} {plan.recipe.recipe_id[:12]}: {', then '.join(map(_call, steps))}")
    note(f"layout  {plan.recipe.layout}")
    note(f"sample  {_sample_line(plan.array)}")
    note(f"files   {plan.files}")
    note("stores  " + ("\n        ".join(map(_store_line, plan.stores)) or "none with this recipe yet"))


def _print_layouts(recipe: Recipe, request: SourceRequest, cache: str | None, json: bool) -> None:
    from neurodata.datasets import locate
    from neurodata.pipeline import measure_layouts

    with progress_bars() as progress:
        located = locate(recipe.dataset, cache, source=request.folder, twin=request.twin, progress=progress)
        sizes = measure_layouts(recipe, located, progress)
    if json:
        print_json({"recommended": sizes.recommended} | asdict(sizes))
        return
    note(f"{sizes.n_samples} samples of {recipe.name}; {sizes.density:.1%} of their numbers are not zero")
    for name, plain in sizes.plain.items():
        note(f"  {name:7} {human_bytes(int(plain)):>9} a sample, {human_bytes(int(sizes.packed[name])):>9} with zstd")
    note("events make frames of any T, window and encoding at load, and random transforms anew in every epoch")
    print(sizes.recommended)


def _store_line(store: StoreReader) -> str:
    kinds = {"published": "the published files", "folder": "files of a folder", "twin": "a twin: only with --twin"}
    return f"{store.path} ({kinds[store.head.source_kind]}{', partial' * store.head.partial})"


def _sample_line(array: ArraySpec) -> str:
    if array.has_variable_steps:
        shape = ", ".join([array.axes[0], *map(str, array.shape[1:])])
        return f"({shape}) {array.dtype}, {array.axes[0]} as large as each sample needs"
    return f"{array.shape} {array.dtype}, {human_bytes(array.size_bytes)} before compression"


def _call(step: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in step["parameters"].items())
    return f"{step['name']}({parameters})"


def _summary(store: StoreReader, reused: bool) -> str:
    from neurodata.forms import counted_as

    counts = store.counts
    what = f"{'reused' if reused else 'prepared'} {store.head.dataset}: {len(store):,} samples"
    things = counted_as(store.head.form)
    events = f"{counts.read:,} {things} read, {counts.encoded:,} encoded, {sum(counts.dropped.values()):,} dropped"
    lines = [f"{what}, {events}" if counts.read or counts.encoded else what]
    lines += [f"  dropped: {count:,} {reason}" for reason, count in counts.dropped.items()]
    n_read, n_dropped = counts.read, sum(counts.dropped.values())
    if n_read and n_dropped > n_read / 10:
        lines.append(
            f"  CAUTION: {n_dropped / n_read:.0%} of the {things} are in no sample: is that what the recipe is for?"
        )
    lines += [f"  noticed: {count:,} {finding}" for finding, count in counts.notes.items()]
    if store.head.source_kind == "twin":
        lines.append("  twin: generated look-alike data; results on it say nothing about the real dataset")
    if store.head.partial:
        lines.append("  partial: not all published samples; ask for it with --source, --partial or by its folder")
    return "\n".join(lines)
