"""neurodata finalise: make a store of the shards that a job array wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .console import note, progress_bars
from .options import (
    BeforeOption,
    CacheOption,
    EncodingOption,
    FormatOption,
    JsonOption,
    LabelsOption,
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
from .prepare import tell_store

if TYPE_CHECKING:
    from neurodata.storage import Location


def finalise(
    target: Annotated[
        str, typer.Argument(help="The dataset, with the options of `prepare`; or the folder or URL that it printed.")
    ],
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
    json: JsonOption = False,
) -> None:
    """Finish a store whose shards were written with `prepare --shard I/N`.

    Says which shards are missing, with exit code 1. The store's folder is printed on stdout.

    Examples:

    neurodata finalise dvs-gesture --T 16 --source /data/DvsGesture --cache /shared/neurodata

    neurodata finalise /shared/neurodata/stores/dvs-gesture/dvs-gesture-0123456789ab
    """
    from neurodata.datasets import is_dataset
    from neurodata.pipeline import finalise_folder, finalise_recipe
    from neurodata.store import StoreReader

    place: Location
    if is_dataset(target):
        found = dataset_of(target, labels, format, sensor, window_us, stride_us, before_us)
        chosen = recipe_of(found, recipe, T, split_by, settings, layout, encoding)
        request = source_of(found, source, twin, twin_size)
        with progress_bars() as progress:
            place = finalise_recipe(chosen, request, cache, progress=progress, on_wait=note)
    else:
        steps = (T, split_by, settings, recipe, encoding, layout)
        files = (source, labels, format, sensor, window_us, stride_us, before_us, twin_size)
        if twin or any(option is not None for option in steps + files):
            raise typer.BadParameter(f"{target} is a store, which says by itself what it is: leave the options out")
        place = finalise_folder(target, on_wait=note)
    tell_store(StoreReader(place), reused=False, json=json)
