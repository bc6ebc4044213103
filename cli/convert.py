"""neurodata convert: the same events, sound, clip or points in another file format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import note
from .options import FormatOption, ItemOption, SensorOption, parse_item, parse_sensor

if TYPE_CHECKING:
    from neurodata.formats import Stream
    from neurodata.signals import Sensor, Signal


def convert(
    source: Annotated[Path, typer.Argument(help="A file of any format that can be read.")],
    out: Annotated[Path, typer.Argument(help="The file to write; its extension tells the format.")],
    to: Annotated[
        str | None, typer.Option("--to", help="Format to write, where the extension leaves a choice.")
    ] = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    item: ItemOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a file in another format; the new file appears when it is complete.

    Recordings of events are converted piece by piece, whatever their size; other signals are held in memory.
    `neurodata formats` lists what can be written.

    Examples:

    neurodata convert DvsGesture/user01_led.aedat user01_led.bin

    neurodata convert 00001.bin digit.aedat --to aedat31 --sensor 34x34

    neurodata convert shd_train.h5 first.npz --item 0
    """
    import os

    import neurodata
    from neurodata.errors import StorageError
    from neurodata.storage import is_file

    if os.path.lexists(out) and (out.is_symlink() or not is_file(out)):
        raise StorageError(f"{out}: is no plain file; name one to write to")
    if is_file(out) and not force:
        raise StorageError(f"{out}: is there already; --force replaces it")
    found, findings = _opened(source, format, parse_sensor(sensor), item)
    neurodata.write(found, out, format=to)
    note(_summary(found))
    for finding, n in findings.items():
        note(f"  not converted, or put right: {n:,} {finding}")
    print(out)


def _opened(
    path: Path, format: str | None, sensor: Sensor | None, item: str | None
) -> tuple[Signal | Stream, Counter[str]]:
    """A recording that is not read yet, or another signal; and what was put right or left out."""
    import neurodata
    from neurodata import registry
    from neurodata.formats import detect
    from neurodata.signals import EventArray

    chosen = detect(path) if format is None else registry.formats[format]
    if chosen.gives is EventArray:
        recording = neurodata.open_recording(path, chosen.name, sensor, item=parse_item(item))
        return recording, recording.findings
    findings: Counter[str] = Counter()
    return neurodata.read(path, chosen.name, sensor, item=parse_item(item), findings=findings), findings


def _summary(found: Signal | Stream) -> str:
    from neurodata.formats import Stream

    if isinstance(found, Stream):
        duration_s = (found.stop_us - found.start_us) / 1e6
        return f"{found.n_events:,} events on {found.sensor}, {duration_s:.3f} s"
    return repr(found)
