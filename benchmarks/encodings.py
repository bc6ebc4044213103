"""How fast events become frames, voxel grids and time surfaces, next to the libraries that make the same.

    python -m benchmarks.encodings [--events 400000] [--rounds 15] [--json FILE]

One recording of 128x128 pixels in memory, T = 16. Peers run where they are installed: spikingjelly, tonic.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.grids import grid_encoders
from benchmarks.peers import spikingjelly_event_functions
from benchmarks.timing import medians_s, write_report
from neurodata.encodings.event_frame import EventFrame
from neurodata.signals import EventArray, Sensor

T = 16
SENSOR = Sensor(128, 128)
SplitBy = Literal["count", "time"]
Encoder = Callable[[], object]


def generated(n: int) -> EventArray:
    rng = np.random.default_rng(0)
    return EventArray(
        t=np.sort(rng.integers(0, 6_000_000, n)),
        x=rng.integers(0, 128, n).astype(np.uint16),
        y=rng.integers(0, 128, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=SENSOR,
    )


def encoders(events: EventArray, split_by: SplitBy) -> dict[str, Encoder]:
    step = EventFrame(T=T, split_by=split_by)
    found: dict[str, Encoder] = {
        "neurodata": lambda: step(events),
        "one read of the columns": lambda: [column.sum() for column in (events.t, events.x, events.y, events.p)],
    }
    for peer, load in (("spikingjelly", spikingjelly_encoder), ("tonic", tonic_encoder)):
        try:
            found[peer] = load(events, split_by)
        except ImportError as error:
            print(f"{peer}: absent ({error})", file=sys.stderr)
    return found


def spikingjelly_encoder(events: EventArray, split_by: SplitBy) -> Encoder:
    functions = spikingjelly_event_functions()
    columns = {"t": events.t, "x": events.x, "y": events.y, "p": events.p}
    name = {"count": "number", "time": "time"}[split_by]
    return lambda: functions.integrate_events_by_fixed_frames_number(columns, name, T, 128, 128)


def tonic_encoder(events: EventArray, split_by: SplitBy) -> Encoder:
    transforms = import_module("tonic.transforms")
    bins = {"count": "n_event_bins", "time": "n_time_bins"}[split_by]
    to_frame = transforms.ToFrame(sensor_size=(128, 128, 2), **{bins: T})
    structured = events.to_structured()
    return lambda: to_frame(structured)


def measured(n_events: int, rounds: int) -> list[dict[str, Any]]:
    events = generated(n_events)
    rows = []
    ways: tuple[SplitBy, ...] = ("count", "time")
    groups = {f"frames by {split_by}": encoders(events, split_by) for split_by in ways} | grid_encoders(events)
    for group, candidates in groups.items():
        for call in candidates.values():
            call()
        seconds = medians_s(candidates, rounds)
        for name, median_s in seconds.items():
            rows.append(
                {
                    "representation": group,
                    "encoder": name,
                    "mev_per_s": n_events / median_s / 1e6,
                    "ours_is_times_faster": median_s / seconds["neurodata"],
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measured(options.events, options.rounds)
    print(f"{'representation':20}{'encoder':26}{'Mev/s':>8}{'ours is x faster':>18}")
    for row in rows:
        speed, ratio = row["mev_per_s"], row["ours_is_times_faster"]
        print(f"{row['representation']:20}{row['encoder']:26}{speed:8.1f}{ratio:18.2f}")
    if options.json:
        write_report(options.json, rows, events=options.events, rounds=options.rounds)


if __name__ == "__main__":
    main()
