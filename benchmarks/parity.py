"""What three libraries make of the same events: the table of docs/parity.md, measured, not remembered.

    python -m benchmarks.parity [--write]

Every probe is a small recording on which libraries differ, or could. What they give is printed beside what the
definition says; `--write` puts the table into docs/parity.md.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import spikingjelly_event_functions
from neurodata import registry
from neurodata.signals import EventArray, Sensor

PAGE = Path(__file__).parents[1] / "docs" / "parity.md"
SENSOR = Sensor(8, 8)
Outcome = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Probe:
    """One case: what is asked, what the definition says, and how to ask each library (None: it has no such thing)."""

    question: str
    expected: str
    neurodata: Outcome
    tonic: Outcome | None = None
    spikingjelly: Outcome | None = None


def events_at(t: NDArray[np.int64], seed: int = 0) -> EventArray:
    rng = np.random.default_rng(seed)
    n = len(t)
    x, y = rng.integers(0, 8, (2, n)).astype(np.uint16)
    return EventArray(t, x, y, rng.integers(0, 2, n).astype(np.bool_), SENSOR)


def on_one_pixel(n: int) -> EventArray:
    zeros = np.zeros(n, np.uint16)
    return EventArray(np.arange(n), zeros, zeros, np.ones(n, np.bool_), SENSOR)


def total(array: Any) -> int:
    return int(np.asarray(array).sum())


def step(name: str, **parameters: Any) -> Callable[[EventArray], Any]:
    found: Callable[[EventArray], Any] = registry.encodings[name](**parameters)
    return found


def tonic_frames(events: Any, **parameters: Any) -> Any:
    transform = import_module("tonic.transforms").ToFrame(sensor_size=(8, 8, 2), **parameters)
    return transform(events if isinstance(events, np.ndarray) else events.to_structured())


def tonic_voxels(events: EventArray, n_bins: int) -> Any:
    return import_module("tonic.transforms").ToVoxelGrid(sensor_size=(8, 8, 2), n_time_bins=n_bins)(
        events.to_structured()
    )


def jelly_frames(columns: dict[str, Any], split_by: str, n: int) -> Any:
    return spikingjelly_event_functions().integrate_events_by_fixed_frames_number(columns, split_by, n, 8, 8)


def columns_of(events: EventArray) -> dict[str, Any]:
    return {"t": events.t, "x": events.x, "y": events.y, "p": events.p}


def probes() -> list[Probe]:
    rng = np.random.default_rng(1)
    thousand = events_at(np.sort(rng.integers(0, 16_000, 1000)))
    quiet = events_at(np.concatenate([np.arange(100), np.arange(9_000, 9_100)]))
    short = events_at(np.array([0, 1, 2]))
    empty, single, crowd = EventArray.empty(SENSOR), events_at(np.array([5])), on_one_pixel(40_000)
    signed = int(np.count_nonzero(thousand.p)) * 2 - 1000
    backwards = thousand.to_structured()[::-1].copy()
    unsorted = {name: column[::-1].copy() for name, column in columns_of(thousand).items()}

    def sorted_frames() -> int:
        events, _ = EventArray.from_unsorted(unsorted["t"], unsorted["x"], unsorted["y"], unsorted["p"], SENSOR)
        return total(step("event_frame", T=16, split_by="time")(events))

    return [
        Probe(
            "events in 16 frames of equal count, of 1000", "1000",
            lambda: total(step("event_frame", T=16)(thousand)),
            lambda: total(tonic_frames(thousand, n_event_bins=16)),
            lambda: total(jelly_frames(columns_of(thousand), "number", 16)),
        ),
        Probe(
            "events in 16 frames of equal time, of 1000", "1000",
            lambda: total(step("event_frame", T=16, split_by="time")(thousand)),
            lambda: total(tonic_frames(thousand, n_time_bins=16)),
            lambda: total(jelly_frames(columns_of(thousand), "time", 16)),
        ),
        Probe(
            "events in frames of 1000 us, of 1000", "1000",
            lambda: total(step("event_frame", duration_us=1000)(thousand)),
            lambda: total(tonic_frames(thousand, time_window=1000)),
        ),
        Probe(
            "events in frames of 64 events, of 1000", "1000",
            lambda: total(step("event_frame", events_per_frame=64)(thousand)),
            lambda: total(tonic_frames(thousand, event_count=64)),
        ),
        Probe(
            "smallest count where 40,000 events meet one pixel", "0",
            lambda: int(step("event_frame", T=1)(crowd).min()),
            lambda: int(np.asarray(tonic_frames(crowd, n_time_bins=1)).min()),
            lambda: int(jelly_frames(columns_of(crowd), "time", 1).min()),
        ),
        Probe(
            "200 events with a pause, in 16 frames of equal time", "200",
            lambda: total(step("event_frame", T=16, split_by="time")(quiet)),
            lambda: total(tonic_frames(quiet, n_time_bins=16)),
            lambda: total(jelly_frames(columns_of(quiet), "time", 16)),
        ),
        Probe(
            "3 events within 2 us, in 16 frames of equal time", "3",
            lambda: total(step("event_frame", T=16, split_by="time")(short)),
            lambda: total(tonic_frames(short, n_time_bins=16)),
            lambda: total(jelly_frames(columns_of(short), "time", 16)),
        ),
        Probe(
            "1000 events in backward order, in 16 frames of equal time", "1000, sorted first, or an error",
            sorted_frames,
            lambda: total(tonic_frames(backwards, n_time_bins=16)),
            lambda: total(jelly_frames(unsorted, "time", 16)),
        ),
        Probe(
            "shape and type of 4 frames without events", "(4, 2, 8, 8), an integer",
            lambda: described(step("event_frame", T=4)(empty)),
            lambda: described(tonic_frames(empty, n_time_bins=4)),
            lambda: described(jelly_frames(columns_of(empty), "number", 4)),
        ),
        Probe(
            f"sum of a voxel grid with {(1000 + signed) // 2} ON and {(1000 - signed) // 2} OFF events", str(signed),
            lambda: round(float(step("voxel_grid", T=10)(thousand).sum()), 3),
            lambda: round(float(tonic_voxels(thousand, 10).sum()), 3),
        ),
        Probe(
            "values of a voxel grid of a single event", "finite",
            lambda: "finite" if np.isfinite(step("voxel_grid", T=10)(single)).all() else "NaN",
            lambda: "finite" if np.isfinite(tonic_voxels(single, 10)).all() else "NaN",
        ),
    ]  # fmt: skip


def described(array: Any) -> str:
    return f"{np.asarray(array).shape}, {np.asarray(array).dtype}"


def outcome(ask: Outcome | None) -> str:
    if ask is None:
        return "has none"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(ask())
    except ImportError as error:
        return f"not installed ({error.name})"
    except Exception as error:
        return type(error).__name__


def table() -> str:
    lines = ["| asked | by definition | neurodata | tonic | SpikingJelly |", "|---|---|---|---|---|"]
    for probe in probes():
        found = [outcome(ask) for ask in (probe.neurodata, probe.tonic, probe.spikingjelly)]
        lines.append(f"| {probe.question} | {probe.expected} | {' | '.join(found)} |")
    return "\n".join(lines)


def page() -> str:
    return f"""# Parity with tonic and SpikingJelly

Made by `python -m benchmarks.parity --write` with tonic {version("tonic")} and SpikingJelly {version("spikingjelly")}.
Where the three agree, neurodata's frames equal theirs bit for bit (tests/differential, tests/encodings); below is
where they do not, on small recordings of 8x8 pixels.

{table()}

An error name is what a call raises. tonic reads the polarity of a voxel grid as a number: with `bool`, the type that
its own datasets have, every event counts as ON. Its frames end at the last whole window, and count in int16, which
wraps at 32,768. SpikingJelly's frames by time take the first event of each window, and fail where there is none.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/parity.md")
    options = parser.parse_args()
    if options.write:
        PAGE.write_text(page(), "utf-8")
    else:
        print(table())


if __name__ == "__main__":
    main()
