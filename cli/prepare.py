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
    FormatOption,
    JsonOption,
    LabelsOption,
    Layout,
    LayoutOption,
    RecipeOption,
    SensorOption,
    Settings,
    SourceOption,
    SplitByOption,
    StrideOption,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
    WindowOption,
    dataset_of,
    recipe_of,
    source_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from neurodata.pipeline import Preview, SourceRequest
    from neurodata.recipe import Recipe
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
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
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
    """
    from neurodata.pipeline import n_cores, prepare_recipe, preview, process_pool
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
    with progress_bars() as progress:
        prepared = prepare_recipe(
            chosen,
            request,
            cache,
            make_executor=lambda n_tasks: process_pool(min(workers or n_cores(), n_tasks)),
            force=force,
            progress=progress,
            on_wait=note,
        )
    store = StoreReader(prepared.path)
    note(_summary(store, prepared.reused))
    if json:
        print_json({"store": str(prepared.path), "reused": prepared.reused} | store_facts(store))
    else:
        print(prepared.path)


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
    note(f"sample  {plan.array.shape} {plan.array.dtype}, {human_bytes(plan.array.size_bytes)} before compression")
    note(f"files   {plan.files}")
    note("stores  " + ("\n        ".join(map(_store_line, plan.stores)) or "none with this recipe yet"))


def _print_layouts(recipe: Recipe, request: SourceRequest, cache: Path | None, json: bool) -> None:
    from neurodata.datasets import locate
    from neurodata.pipeline import measure_layouts
    from neurodata.storage import cache_root

    with progress_bars() as progress:
        located = locate(recipe.dataset, cache_root(cache), source=request.folder, twin=request.twin, progress=progress)
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


def _call(step: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in step["parameters"].items())
    return f"{step['name']}({parameters})"


def _summary(store: StoreReader, reused: bool) -> str:
    counts = store.counts
    what = f"{'reused' if reused else 'prepared'} {store.head.dataset}: {len(store):,} samples"
    events = f"{counts.read:,} events read, {counts.encoded:,} encoded, {sum(counts.dropped.values()):,} dropped"
    lines = [f"{what}, {events}" if counts.read or counts.encoded else what]
    lines += [f"  dropped: {count:,} {reason}" for reason, count in counts.dropped.items()]
    n_read, n_dropped = counts.read, sum(counts.dropped.values())
    if n_read and n_dropped > n_read / 10:
        lines.append(
            f"  CAUTION: {n_dropped / n_read:.0%} of the events are in no sample: is that what the recipe is for?"
        )
    lines += [f"  noticed: {count:,} {finding}" for finding, count in counts.notes.items()]
    if store.head.source_kind == "twin":
        lines.append("  twin: generated look-alike data; results on it say nothing about the real dataset")
    if store.head.partial:
        lines.append("  partial: not all published samples; ask for it with --source, --partial or by its folder")
    return "\n".join(lines)
