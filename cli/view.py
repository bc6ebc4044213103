"""neurodata view: look at a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import note
from .options import (
    CacheOption,
    PartialOption,
    Prepared,
    RecipeOption,
    Settings,
    SourceOption,
    SplitByOption,
    Target,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def view(
    target: Target,
    index: Annotated[int, typer.Option("--index", "-i", help="Which sample of the split.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Picture: .png shows all steps, .gif moves.")] = None,
    T: TimeSteps = None,
    split_by: SplitByOption = None,
    settings: Settings = None,
    recipe: RecipeOption = None,
    source: SourceOption = None,
    twin: TwinOption = False,
    twin_size: TwinSizeOption = None,
    partial: PartialOption = False,
    cache: CacheOption = None,
) -> None:
    """Write a picture of a sample (or of a raw recording): ON events orange, OFF events blue.

    Examples:

    neurodata view dvs-gesture --T 16 --twin --index 3 --out wave.gif

    neurodata view DvsGesture/user01_led.aedat --T 32 --out recording.png
    """
    from neurodata.report import save_sample

    if Path(target).is_file():
        frames, title = _recording(Path(target), T or 16, split_by.value if split_by else "time")
        name = Path(target).stem
    else:
        prepared = Prepared(target, T, split_by, settings, recipe, source, twin, twin_size, partial, cache)
        chosen = prepared.split(split)
        if not 0 <= index < len(chosen):
            raise typer.BadParameter(f"--index {index}: the split has samples 0 to {len(chosen) - 1}")
        sample = chosen.sample(index)
        frames, name = sample.frames, f"{split}-{index}"
        title = f"{chosen.classes[sample.target]}   {sample.key}   {int(frames.sum()):,} events"
    out = out or Path(f"{name}.png")
    save_sample(frames, out, title)
    note(title)
    print(out)


def _recording(path: Path, T: int, split_by: str) -> tuple[NDArray[np.uint32], str]:
    import neurodata
    from neurodata.encodings.event_frame import EventFrame

    events = neurodata.read(path)
    frames = EventFrame(T=T, split_by=split_by, dtype="uint32")(events)  # type: ignore[arg-type]  # an Option's value
    return frames, f"{path.name}   {len(events):,} events   {events.duration_us / 1e6:.2f} s"
