"""neurodata repair: make damaged parts of a store again."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import note, print_json, progress_bars
from .options import (
    BeforeOption,
    CacheOption,
    FormatOption,
    JsonOption,
    LabelsOption,
    SensorOption,
    SourceOption,
    StrideOption,
    TwinSizeOption,
    WindowOption,
    parse_sensor,
)


def repair(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A store's folder, or its URL (s3://, gs://).")],
    source: SourceOption = None,
    labels: LabelsOption = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    window_us: WindowOption = None,
    stride_us: StrideOption = None,
    before_us: BeforeOption = None,
    twin_size: TwinSizeOption = None,
    twin_seed: Annotated[int, typer.Option("--twin-seed", min=0, help="Seed of the look-alike.")] = 0,
    cache: CacheOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Find the damaged files of a store and make them again from its source; a whole store is left as it is.

    The store says by which recipe. Files take the place of damaged ones when they have the sha256 that the manifest
    states; when this installation makes other bytes, nothing is replaced, and the exit code is 1.

    Examples:

    neurodata repair cache/stores/n-mnist/n-mnist-0123456789ab

    neurodata repair cache/stores/dvs-gesture/dvs-gesture-0123456789ab-4567cdef --source ~/DvsGesture

    neurodata repair s3://lab/neurodata/stores/n-mnist/n-mnist-0123456789ab

    neurodata repair cache/stores/folder-recordings/folder-0123456789ab-4567cdef --source recordings --labels labels.csv
    """
    from neurodata.datasets import make_windows
    from neurodata.pipeline import SourceOfStore, n_cores, process_pool, repair_store
    from neurodata.storage import locate

    windows = make_windows(window_us, stride_us, before_us)
    made_of = SourceOfStore(source, labels, format, parse_sensor(sensor), windows, twin_size, twin_seed)
    with progress_bars() as progress:
        repaired = repair_store(
            locate(store),
            made_of,
            cache,
            make_executor=lambda n_tasks: process_pool(min(workers or n_cores(), n_tasks)),
            progress=progress,
            on_wait=note,
        )
    if json:
        print_json(
            {"store": str(repaired.path), "shards": repaired.n_shards}
            | {"replaced": list(repaired.replaced), "removed": list(repaired.removed)}
        )
    for name in () if json else repaired.replaced:
        print(name)
    if not repaired.replaced and not repaired.removed:
        note(f"{repaired.path}: whole; nothing was done")
        return
    n_replaced, n_removed = len(repaired.replaced), len(repaired.removed)
    note(
        f"{repaired.path}: {repaired.n_shards} shards made again, {n_replaced} files replaced by the same bytes as "
        f"before, {n_removed} files that did not belong there deleted; every byte right"
    )
