"""How fast events are transformed, next to tonic where it has the same transform.

    python -m benchmarks.transforms [--events 400000] [--rounds 5] [--json FILE]

One recording of 128x128 pixels in memory, random over pixels, polarities and time: the worst order for caches.
tonic's filters loop in Python; what takes it longer than some seconds runs once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encodings import generated
from benchmarks.timing import medians_s, write_report
from neurodata import registry
from neurodata.signals import EventArray

SIZE = (128, 128, 2)
# Ours, its parameters, tonic's class and its parameters.
CASES: list[tuple[str, dict[str, Any], str | None, dict[str, Any]]] = [
    ("flip_x", {}, "RandomFlipLR", {"sensor_size": SIZE, "p": 1}),
    ("reverse_time", {}, "RandomTimeReversal", {"p": 1}),
    ("time_slice", {"stop_us": 3_000_000}, "CropTime", {"max": 2_999_999}),
    ("crop", {"width": 100, "height": 100}, "CenterCrop", {"sensor_size": SIZE, "size": (100, 100)}),
    ("downsample", {"factor": 2}, "Downsample", {"spatial_factor": 0.5}),
    (
        "downsample",
        {"factor": 2, "method": "differentiator", "step_us": 10_000},
        "EventDownsampling",
        {
            "sensor_size": SIZE,
            "target_size": (64, 64),
            "downsampling_method": "differentiator",
            "dt": 20.0,
            "noise_threshold": 1,
            "differentiator_time_bins": 2,
        },
    ),
    ("rotate", {"degrees": 17.5}, None, {}),
    ("roll", {"x_px": 3, "y_px": -4}, None, {}),
    ("decimate", {"n": 3}, "Decimation", {"n": 3}),
    ("refractory", {"refractory_us": 100_001, "since": "any"}, "RefractoryPeriod", {"delta": 100_000}),
    ("denoise", {"filter_time_us": 20_000, "neighbours": 4}, "Denoise", {"filter_time": 20_000}),
    ("denoise", {"filter_time_us": 20_000}, None, {}),
    ("hot_pixels", {"max_rate_hz": 5.0}, "DropPixel", {"hot_pixel_frequency": 5}),
    ("drop_pixels", {"p": 0.1}, "RandomDropPixel", {"p": 0.1, "sensor_size": SIZE}),
    ("drop_events", {"method": "random", "ratio": 0.3}, "DropEvent", {"p": 0.3}),
    ("drop_events", {"method": "area", "ratio": 0.3}, "DropEventByArea", {"sensor_size": SIZE, "area_ratio": 0.3}),
    ("jitter_space", {}, "SpatialJitter", {"sensor_size": SIZE, "clip_outliers": True}),
    ("jitter_time", {"std_us": 100.0}, "TimeJitter", {"std": 100, "sort_timestamps": True}),
    ("time_skew", {"factor": 1.1}, "TimeSkew", {"coefficient": 1.1}),
    ("uniform_noise", {"n": 40_000}, "UniformNoise", {"sensor_size": SIZE, "n": 40_000}),
]


def our_call(events: EventArray, name: str, parameters: dict[str, Any]) -> Callable[[], object]:
    step = registry.transforms[name](**parameters)
    rng = np.random.default_rng(0)
    return lambda: step(events, rng)


def tonic_call(events: EventArray, name: str | None, parameters: dict[str, Any]) -> Callable[[], object] | None:
    if name is None:
        return None
    try:
        transform = getattr(import_module("tonic.transforms"), name)(**parameters)
    except ImportError as error:
        print(f"tonic: absent ({error})", file=sys.stderr)
        return None
    structured = events.to_structured()
    return lambda: transform(structured)


def measured(n_events: int, rounds: int) -> list[dict[str, Any]]:
    events = generated(n_events)
    rows = []
    for name, parameters, tonics_name, tonics_parameters in CASES:
        candidates = {"neurodata": our_call(events, name, parameters)}
        if (tonics := tonic_call(events, tonics_name, tonics_parameters)) is not None:
            candidates["tonic"] = tonics
        candidates["neurodata"]()
        seconds = medians_s(candidates, rounds)
        row: dict[str, Any] = {"transform": name, **parameters, "mev_per_s": n_events / seconds["neurodata"] / 1e6}
        if "tonic" in seconds:
            row["tonic_mev_per_s"] = n_events / seconds["tonic"] / 1e6
            row["ours_is_times_faster"] = seconds["tonic"] / seconds["neurodata"]
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measured(options.events, options.rounds)
    print(f"{'transform':16}{'Mev/s':>8}{'tonic':>9}{'ours is x faster':>18}")
    figures = {"mev_per_s", "tonic_mev_per_s", "ours_is_times_faster"}
    for row in rows:
        ratio = f"{row['tonic_mev_per_s']:9.2f}{row['ours_is_times_faster']:18.1f}" if "tonic_mev_per_s" in row else ""
        parameters = {key: value for key, value in row.items() if key != "transform" and key not in figures}
        print(f"{row['transform']:16}{row['mev_per_s']:8.1f}{ratio:27}  {parameters}")
    if options.json:
        write_report(options.json, rows, events=options.events, rounds=options.rounds)


if __name__ == "__main__":
    main()
