"""neurodata view: look at a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import note
from .options import (
    BeforeOption,
    CacheOption,
    EncodingOption,
    FormatOption,
    LabelsOption,
    LayoutOption,
    PartialOption,
    Prepared,
    RecipeOption,
    SensorOption,
    Settings,
    SourceOption,
    SplitBy,
    SplitByOption,
    StrideOption,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
    WindowOption,
    parse_sensor,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurodata.signals import EventArray, Sensor

LARGEST_PICTURE_BYTES = 1 << 28
RASTER_COLUMNS = 600


def view(
    target: Annotated[
        str, typer.Argument(help="A dataset that was prepared, a store's folder or URL, or a recording.")
    ],
    index: Annotated[int, typer.Option("--index", "-i", help="Which sample of the split, or of a file of many.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture: .png shows all steps, .gif moves; SPLIT-INDEX.png if not given."),
    ] = None,
    T: TimeSteps = None,
    split_by: SplitByOption = None,
    settings: Settings = None,
    recipe: RecipeOption = None,
    encoding: EncodingOption = None,
    layout: LayoutOption = None,
    source: SourceOption = None,
    labels: LabelsOption = None,
    twin: TwinOption = False,
    twin_size: TwinSizeOption = None,
    partial: PartialOption = False,
    cache: CacheOption = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    window_us: WindowOption = None,
    stride_us: StrideOption = None,
    before_us: BeforeOption = None,
) -> None:
    """Write a picture of a sample (or of a raw recording): ON events orange, OFF events blue.

    Examples:

    neurodata view dvs-gesture --T 16 --twin --index 3 --out wave.gif

    neurodata view DvsGesture/user01_led.aedat --T 32 --out recording.png
    """
    from neurodata.forms import counted_as
    from neurodata.report import save_sample
    from neurodata.storage import is_file

    if is_file(Path(target)):
        events = _events(Path(target), format, parse_sensor(sensor), index)
        frames, title = _frames(events, T or 16, split_by or SplitBy.TIME, Path(target).name)
        name = Path(target).stem
    else:
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
            labels,
            format,
            sensor,
            layout,
            encoding,
            window_us=window_us,
            stride_us=stride_us,
            before_us=before_us,
        )
        chosen = prepared.split(split)
        if not 0 <= index < len(chosen):
            raise typer.BadParameter(f"--index {index}: the split has samples 0 to {len(chosen) - 1}")
        sample = chosen.sample(index)
        frames, name = sample.frames, f"{split}-{index}"
        n_events = sample.meta["n_events"]
        named = f"{chosen.classes[sample.target]}   " if chosen.classes else ""
        title = f"{named}{sample.key}" + (f"   {n_events:,} {counted_as(chosen.store.head.form)}" if n_events else "")
    out = out or Path(f"{name}.png")
    save_sample(frames, out, title)
    note(title)
    print(out)


def _events(path: Path, format: str | None, sensor: Sensor | None, index: int) -> EventArray:
    """Of a recording, or of sample `index` of a file of many."""
    import neurodata
    from neurodata import registry
    from neurodata.formats import CollectionFormat, detect

    found = detect(path) if format is None else registry.formats[format]
    item = index if isinstance(found, CollectionFormat) else None
    return neurodata.open_recording(path, found.name, sensor, item=item).events()


def _frames(events: EventArray, T: int, split_by: SplitBy, name: str) -> tuple[NDArray[np.uint32], str]:
    """Frames [T, C, H, W]; of a sensor of one row a single picture, [1, C, channels, time]."""
    title = f"{name}   {len(events):,} events   {events.duration_us / 1e6:.2f} s"
    if events.sensor.height == 1:
        raster = _counted(events, RASTER_COLUMNS, SplitBy.TIME)  # [columns, C, 1, W]
        return raster.transpose(2, 1, 3, 0), f"{title}   channel over time"
    return _counted(events, T, split_by), title


def _counted(events: EventArray, T: int, split_by: SplitBy) -> NDArray[np.uint32]:
    from neurodata.encodings.event_frame import EventFrame

    step = EventFrame(T=T, split_by=split_by.value, dtype="uint32")
    if step.spec(events.sensor).size_bytes > LARGEST_PICTURE_BYTES:
        raise typer.BadParameter(f"{T} frames of {events.sensor} are too many to draw: fewer with --T")
    return step(events)
