"""Long recordings through the whole pipeline: written piece by piece, or as windows, and read in parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from benchmarks.prepare_data import long_recording
from neurodata.datasets import find_dataset, locate
from neurodata.loader import Store
from neurodata.pipeline import _execute, measure_layouts
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.store import StoreReader, verify
from neurodata.store._layout import EVENTS_PER_CHUNK
from tests.store.stores import contents

SENSOR = Sensor(20, 16)
N_EVENTS = 90_000


def recording() -> EventArray:
    rng = np.random.default_rng(5)
    return EventArray(
        np.cumsum(rng.integers(0, 40, N_EVENTS)).astype(np.int64) + 77,
        rng.integers(0, SENSOR.width, N_EVENTS).astype(np.uint16),
        rng.integers(0, SENSOR.height, N_EVENTS).astype(np.uint16),
        rng.integers(0, 2, N_EVENTS).astype(bool),
        SENSOR,
    )


@pytest.fixture(scope="module", params=["es", "dat", "aedat4"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drives")
    neurodata.write(recording(), root / f"mine/a/long.{request.param}")
    return root / "mine"


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings of more than 7,000 events are long, and are never read whole."""
    monkeypatch.setattr(_execute, "EVENTS_AT_ONCE", 7_000)


# Prepares each folder in a process of its own, which is forked when everything is imported and compiled; prints the
# peak of each in kB. Recordings of more than 2^17 events are long.
MEASURED = """
import os, sys
from pathlib import Path
import neurodata
from neurodata.pipeline import _execute
from neurodata.store import _append

_execute.EVENTS_AT_ONCE = _append.MOST_SHARED = 1 << 17
root = Path(sys.argv[1])
ways = {"whole": {}, "windows": {"window_us": 100_000, "stride_us": 50_000}, "labels": {}}

def prepare(name, way):
    words = ways[way] | ({"labels": root / f"{name}.csv"} if way == "labels" else {})
    words |= {"layout": "events", "cache": root / "stores" / name / way, "workers": 1}
    neurodata.prepare(f"folder:{root / name}", T=4, **words)

for way in ways:
    prepare("warm", way)
for way in ways:
    for name in ("short", "long"):
        child = os.fork()
        if child == 0:
            prepare(name, way)
            status = Path("/proc/self/status").read_text().splitlines()
            print(way, name, next(line.split()[1] for line in status if line.startswith("VmHWM")), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"{way} {name}: the child has failed")
"""
SHORT, LONG = 1_500_000, 6_000_000  # events, one every microsecond: 20 and 78 MB in memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_length_of_a_recording_or_of_a_sample(tmp_path: Path) -> None:
    """Whole, as overlapping windows, and as two labelled intervals, each longer than what is held."""
    for name, n in {"warm": 300_000, "short": SHORT, "long": LONG}.items():
        long_recording(tmp_path / name / "a" / "one.raw", 4 * n)
        rows = f"a/one.raw,0,{n * 6 // 10},x\na/one.raw,{n * 6 // 10 - 50_000},{n},y\n"
        (tmp_path / f"{name}.csv").write_text(f"path,start_us,end_us,label\n{rows}")
    measured = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert measured.returncode == 0, measured.stderr
    peaks_mb = {(way, name): int(kb) / 1000 for way, name, kb in map(str.split, measured.stdout.splitlines())}
    assert len(peaks_mb) == 6
    for way in ("whole", "windows", "labels"):
        assert peaks_mb[way, "long"] - peaks_mb[way, "short"] < 15, peaks_mb


def prepared(folder: Path, cache: Path, **words: Any) -> Store:
    store = neurodata.prepare(f"folder:{folder}", T=4, layout="events", sensor=SENSOR, cache=cache, **words)
    assert verify(store.path, deep=True).ok
    return store


@pytest.mark.usefixtures("few_at_once")
def test_a_recording_written_piece_by_piece_gives_the_same_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piecewise = prepared(folder, tmp_path / "pieces")
    monkeypatch.setattr(_execute, "EVENTS_AT_ONCE", 1 << 22)
    whole = prepared(folder, tmp_path / "whole")
    assert contents(piecewise.path) == contents(whole.path)
    assert whole.counts.encoded == N_EVENTS
    np.testing.assert_array_equal(piecewise.read_events(0).t, recording().t)


INTERVALS = [
    (77, 900_000),  # longer than what is held, as are the next two, which share most of it
    (300_000, 1_200_000),
    (300_000, 1_700_000),
    (400_000, 450_000),  # short, inside the one before
    (1_690_000, 1_750_000),
    (100_000, 1_500_000),  # goes back: written anew
]


@pytest.mark.usefixtures("few_at_once")
def test_labelled_intervals_written_piece_by_piece_give_the_same_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (folder / "a").iterdir()
    rows = "".join(f"a/{path.name},{start},{stop},{k}\n" for k, (start, stop) in enumerate(INTERVALS))
    labels = tmp_path / "labels.csv"
    labels.write_text(f"path,start_us,end_us,label\n{rows}")
    piecewise = prepared(folder, tmp_path / "pieces", labels=labels)
    monkeypatch.setattr(_execute, "EVENTS_AT_ONCE", 1 << 22)
    whole = prepared(folder, tmp_path / "whole", labels=labels)
    assert contents(piecewise.path) == contents(whole.path)
    expected = recording()
    for k, (start, stop) in enumerate(INTERVALS):
        assert piecewise.read_events(k) == expected.between(start, stop)
    # What the second to the fifth have in common with the one before is there once.
    n_once = len(expected.between(*INTERVALS[0])) + len(expected.between(900_000, 1_750_000))
    assert piecewise.table.stop[4] == n_once
    # The last one goes back: it begins a chunk of its own, behind all others.
    assert n_once <= piecewise.table.start[5] < n_once + EVENTS_PER_CHUNK


@pytest.mark.usefixtures("few_at_once")
def test_layouts_of_long_recordings_are_measured(folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe(find_dataset(f"folder:{folder}", sensor=SENSOR), T=4)
    sizes = measure_layouts(recipe, locate(recipe.dataset, tmp_path, source=folder))
    assert sizes.plain["events"] == N_EVENTS * 6


def test_windows_store_a_recording_once_and_any_part_is_read_from_them(folder: Path, tmp_path: Path) -> None:
    stride_us, window_us = 100_000, 300_000
    store = prepared(folder, tmp_path, window_us=window_us, stride_us=stride_us)
    split = neurodata.load(
        f"folder:{folder}",
        T=4,
        layout="events",
        sensor=SENSOR,
        cache=tmp_path,
        window_us=window_us,
        stride_us=stride_us,
    )
    expected = recording()
    assert len(split) == (expected.duration_us + 1 - window_us) // stride_us + 1 > 10
    last_us = expected.start_us + (len(split) - 1) * stride_us + window_us
    assert store.table.stop.max() == len(expected.between(None, last_us))
    for i, key in enumerate(split.keys):
        start_us, stop_us = map(int, key.rpartition(":")[2].split("-"))
        part = expected.between(start_us, stop_us)
        assert int(split[i][0].sum()) == len(part)
        middle = split.events(i, start_us + 50_000, start_us + 60_000)
        np.testing.assert_array_equal(middle.t, expected.between(start_us + 50_000, start_us + 60_000).t)
        assert split.row(i).meta["n_events"] == len(part)


@pytest.mark.parametrize("origin", ["first", "clock"])
@pytest.mark.parametrize(("start_us", "stop_us"), [(700_000, 750_000), (0, 90), (1_740_000, None), (9_000_000, None)])
def test_a_time_slice_at_load_reads_no_more_than_its_part(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str, start_us: int, stop_us: int | None
) -> None:
    prepared(folder, tmp_path)
    whole = neurodata.load(f"folder:{folder}", T=4, layout="events", sensor=SENSOR, cache=tmp_path)
    place = {"name": "time_slice", "start_us": start_us, "stop_us": stop_us, "origin": origin}
    place = {name: value for name, value in place.items() if value is not None}
    part = whole.with_view([place, {"name": "event_frame", "T": 3}])
    # The same steps on all of the events: what does nothing goes before.
    of_all = whole.with_view([{"name": "time_slice"}, place, {"name": "event_frame", "T": 3}])
    expected = of_all.sample(0).frames
    n_read = []
    inner = StoreReader._read_items

    def counted(self: StoreReader, index: int, name: str, items: tuple[int, int]) -> Any:
        n_read.append(items[1] - items[0])
        return inner(self, index, name, items)

    monkeypatch.setattr(StoreReader, "_read_items", counted)
    np.testing.assert_array_equal(part.sample(0).frames, expected)
    zero_us = recording().start_us if origin == "first" else 0
    n_part = len(recording().between(zero_us + start_us, None if stop_us is None else zero_us + stop_us))
    assert expected.sum() == n_part
    assert max(n_read) <= max(EVENTS_PER_CHUNK, n_part)


def test_windows_by_time_are_those_of_the_same_events_stored_alone(folder: Path, tmp_path: Path) -> None:
    """Times count from an origin that is not the window's first event: frames do not depend on it."""
    place = {"window_us": 300_000, "stride_us": 100_000}
    stored = prepared(folder, tmp_path, **place)
    dense = neurodata.prepare(
        f"folder:{folder}", T=4, split_by="time", layout="dense", sensor=SENSOR, cache=tmp_path, **place
    )  # type: ignore[arg-type]
    made = stored["train"].with_view([{"name": "event_frame", "T": 4, "split_by": "time"}])
    assert list(made.keys) == list(dense["train"].keys)
    for i in range(len(made)):
        np.testing.assert_array_equal(made.sample(i).frames, dense["train"].sample(i).frames)
