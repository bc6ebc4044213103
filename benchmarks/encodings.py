"""How fast events become frames, voxel grids and time surfaces, next to the libraries that make the same.

    python -m benchmarks.encodings [--events 400000] [--rounds 15] [--json FILE]

    python -m benchmarks.encodings --quality [--speech FOLDER] [--words 800] [--json FILE]

With --quality, what encodings of sound are worth: see encodings_quality.py. Otherwise: one recording of 128x128 pixels
in memory, T = 16. Peers run where they are installed: spikingjelly, tonic, evlib (its rewrite of RVT's stacked
histogram, which gives sparse counts).
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from benchmarks import encodings_quality
from benchmarks.grids import Encoder, grid_encoders, our_encoders
from benchmarks.peers import evlib_rvt_representation, spikingjelly_event_functions
from benchmarks.timing import medians_s, write_report
from neurodata.encodings.bina_rep import BinaRep
from neurodata.encodings.event_frame import EventFrame
from neurodata.encodings.stacked_histogram import StackedHistogram
from neurodata.signals import EventArray, Sensor
from neurodata.steps import DenseEncoding

T = 16
DURATION_US = 50_000
SENSOR = Sensor(128, 128)
Frames = Literal["count", "time", "duration", "bina_rep", "histogram"]


def generated(n: int) -> EventArray:
    rng = np.random.default_rng(0)
    return EventArray(
        t=np.sort(rng.integers(0, 6_000_000, n)),
        x=rng.integers(0, 128, n).astype(np.uint16),
        y=rng.integers(0, 128, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(np.bool_),
        sensor=SENSOR,
    )


def encoders(events: EventArray, frames: Frames) -> dict[str, Encoder]:
    step: DenseEncoding = {
        "count": EventFrame(T=T, split_by="count"),
        "time": EventFrame(T=T, split_by="time"),
        "duration": EventFrame(duration_us=DURATION_US),
        "bina_rep": BinaRep(T=T, split_by="time"),
        "histogram": StackedHistogram(duration_us=DURATION_US, bins_span="events"),
    }[frames]
    found = our_encoders(events, step)
    for peer, load in PEERS:
        try:
            encoder = load(events, frames)
        except ImportError as error:
            print(f"{peer}: absent ({error})", file=sys.stderr)
        else:
            found.update({} if encoder is None else {peer: encoder})
    return found


def spikingjelly_encoder(events: EventArray, frames: Frames) -> Encoder | None:
    functions = spikingjelly_event_functions()
    columns = {"t": events.t, "x": events.x, "y": events.y, "p": events.p}
    if frames == "duration":
        return lambda: functions.integrate_events_by_fixed_duration(columns, DURATION_US, 128, 128)
    names = {"count": "number", "time": "time"}
    if frames not in names:
        return None
    return lambda: functions.integrate_events_by_fixed_frames_number(columns, names[frames], T, 128, 128)


def tonic_encoder(events: EventArray, frames: Frames) -> Encoder | None:
    transforms = import_module("tonic.transforms")
    windows: dict[str, dict[str, int]] = {
        "count": {"n_event_bins": T},
        "time": {"n_time_bins": T},
        "duration": {"time_window": DURATION_US, "include_incomplete": True},
        "bina_rep": {"n_time_bins": 8 * T},
    }
    if frames not in windows:
        return None
    to_frame = transforms.ToFrame(sensor_size=(128, 128, 2), **windows[frames])
    structured = events.to_structured()
    if frames == "bina_rep":
        to_bits = transforms.ToBinaRep(n_frames=T, n_bits=8)
        return lambda: to_bits(to_frame(structured))
    return lambda: to_frame(structured)


def evlib_encoder(events: EventArray, frames: Frames) -> Encoder | None:
    if frames != "histogram":
        return None
    polars, representation = import_module("polars"), evlib_rvt_representation()
    table = polars.DataFrame({"t": events.t, "x": events.x, "y": events.y, "p": events.p.astype(np.int32)})
    ends_us = np.arange(events.start_us + DURATION_US - 1, events.stop_us + DURATION_US, DURATION_US)
    size = {"nbins": 10, "count_cutoff": 10, "height": 128, "width": 128}
    return lambda: representation.build_sparse_histogram(table, ends_us, DURATION_US - 1, **size, downsample_by_2=False)


PEERS = (("spikingjelly", spikingjelly_encoder), ("tonic", tonic_encoder), ("evlib", evlib_encoder))


def measured(n_events: int, rounds: int) -> list[dict[str, Any]]:
    events = generated(n_events)
    rows = []
    groups = {f"frames by {frames}": encoders(events, frames) for frames in get_args(Frames)} | grid_encoders(events)
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
    encodings_quality.add_options(parser)
    options = parser.parse_args()
    if options.quality:
        encodings_quality.main(options.speech, options.words, options.json)
        return
    rows = measured(options.events, options.rounds)
    print(f"{'representation':20}{'encoder':26}{'Mev/s':>8}{'ours is x faster':>18}")
    for row in rows:
        speed, ratio = row["mev_per_s"], row["ours_is_times_faster"]
        print(f"{row['representation']:20}{row['encoder']:26}{speed:8.1f}{ratio:18.2f}")
    if options.json:
        write_report(options.json, rows, events=options.events, rounds=options.rounds)


if __name__ == "__main__":
    main()
