"""neurodata bench: how fast a prepared dataset is loaded here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .console import note, print_json, progress_bars
from .options import (
    CacheOption,
    EncodingOption,
    JsonOption,
    LayoutOption,
    PartialOption,
    Prepared,
    RecipeOption,
    Settings,
    SourceOption,
    SplitByOption,
    StageLimitOption,
    StageOption,
    Target,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
)


def bench(
    target: Target,
    T: TimeSteps = None,
    split_by: SplitByOption = None,
    settings: Settings = None,
    recipe: RecipeOption = None,
    encoding: EncodingOption = None,
    layout: LayoutOption = None,
    source: SourceOption = None,
    twin: TwinOption = False,
    twin_size: TwinSizeOption = None,
    partial: PartialOption = False,
    cache: CacheOption = None,
    stage: StageOption = None,
    stage_limit: StageLimitOption = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Samples of a batch.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Most threads to try; all cores if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure how fast a prepared dataset is loaded on this machine, what limits it, and what would be faster.

    Examples:

    neurodata bench dvs-gesture --T 16 --twin

    neurodata bench cache/stores/dvs-gesture/dvs-gesture-0123456789ab --batch-size 64 --json

    neurodata bench s3://lab/neurodata/n-mnist-0123456789ab --stage /local/scratch --stage-limit "20 GB"
    """
    from neurodata.loader import measure
    from neurodata.pipeline import n_cores

    prepared = Prepared(
        target,
        T,
        split_by,
        settings,
        recipe,
        source,
        twin,
        twin_size,
        partial,
        cache,
        layout=layout,
        encoding=encoding,
        stage=stage,
        stage_limit=stage_limit,
    )
    split = prepared.split("train")
    with progress_bars() as progress:
        found = measure(split, batch_size, threads or n_cores(), progress)
    if json:
        print_json(asdict(found) | {"limit": found.limit, "advice": found.advice})
        return
    note(repr(split))
    print(f"a sample: {found.frame_bytes / 1e3:,.1f} kB of frames; one thread, medians in us")
    print(f"  copy in memory {found.copy_us:8.1f}")
    print(f"  read           {found.read_us:8.1f}")
    print(f"  decode         {found.decode_us:8.1f}")
    print(f"  to float32     {found.convert_us:8.1f}")
    print(f"first batch: {found.first_batch_ms:.0f} ms")
    print(f"{'dtype':8} {'threads':>7} {'samples/s':>10} {'MB/s':>8}")
    for rate in found.rates:
        print(f"{rate.dtype:8} {rate.threads:>7} {rate.samples_per_s:>10,.0f} {rate.mb_per_s:>8,.0f}")
    for sentence in found.advice:
        print(f"- {sentence}")
