"""neurodata convert: the same events in another container."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import note
from .options import FormatOption, SensorOption, parse_sensor


def convert(
    recording: Annotated[Path, typer.Argument(help="A recording.")],
    out: Annotated[Path, typer.Argument(help="The file to write; its extension tells the format.")],
    to: Annotated[
        str | None, typer.Option("--to", help="Format to write, where the extension leaves a choice.")
    ] = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a recording in another format; the new file appears when it is complete.

    All events are held in memory (13 bytes each).

    Examples:

    neurodata convert DvsGesture/user01_led.aedat user01_led.bin

    neurodata convert 00001.bin digit.aedat --to aedat31 --sensor 34x34
    """
    import neurodata
    from neurodata.errors import StorageError
    from neurodata.storage import is_file

    if is_file(out) and not force:
        raise StorageError(f"{out}: is there already; --force replaces it")
    events = neurodata.open_recording(recording, format=format, sensor=parse_sensor(sensor)).events()
    neurodata.write(events, out, format=to)
    note(f"{len(events):,} events on {events.sensor}, {events.duration_us / 1e6:.3f} s")
    print(out)
