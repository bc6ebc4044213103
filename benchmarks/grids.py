"""Voxel grids and time surfaces, ours and tonic's, for `benchmarks.encodings`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from importlib import import_module

from neurodata.encodings.time_surface import TimeSurface
from neurodata.encodings.voxel_grid import VoxelGrid
from neurodata.signals import EventArray
from neurodata.steps import DenseEncoding

Encoder = Callable[[], object]
BINS = 10
SURFACES = 48
TAU_US = 50_000


def grid_encoders(events: EventArray) -> dict[str, dict[str, Encoder]]:
    """For each representation, the encoders by name; all take the same events."""
    dt_us = events.duration_us // SURFACES
    grids = our_encoders(events, VoxelGrid(BINS))
    surfaces = our_encoders(events, TimeSurface(SURFACES, TAU_US, window_us=dt_us))
    try:
        transforms = import_module("tonic.transforms")
    except ImportError as error:
        print(f"tonic: absent ({error})", file=sys.stderr)
    else:
        size, records = (events.sensor.width, events.sensor.height, 2), events.to_structured()
        to_grid = transforms.ToVoxelGrid(sensor_size=size, n_time_bins=BINS)
        to_surfaces = transforms.ToTimesurface(sensor_size=size, dt=dt_us, tau=TAU_US)
        grids["tonic"] = lambda: to_grid(records)
        surfaces["tonic"] = lambda: to_surfaces(records)
    return {f"voxel grid of {BINS}": grids, f"{SURFACES} time surfaces": surfaces}


def our_encoders(events: EventArray, step: DenseEncoding) -> dict[str, Encoder]:
    """A call, which makes an array; the same into an array that is there, as loaders do; and the limit."""
    given = step(events)

    def fill_again() -> None:
        given.fill(0)
        step.fill(events, given, Counter())

    return {
        "neurodata": lambda: step(events),
        "neurodata, given an array": fill_again,
        "one read of the columns": lambda: [column.sum() for column in (events.t, events.x, events.y, events.p)],
    }
