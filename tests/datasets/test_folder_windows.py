"""Windows of recordings as samples: sliding ones, and those that end where boxes are labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from neurodata.datasets import Dataset, Windows, find_dataset
from neurodata.errors import FormatError, NeurodataError, RecipeError
from neurodata.signals import EventArray, Sensor, Waveform
from neurodata.store import verify

SENSOR = Sensor(20, 16)
BOX = [("ts", "<u8"), *((name, "<f4") for name in ("x", "y", "w", "h")), ("class_id", "u1")]


def recording(n: int = 400, step_us: int = 50, start_us: int = 1_000, seed: int = 0) -> EventArray:
    """An event every step_us."""
    rng = np.random.default_rng(seed)
    return EventArray(
        start_us + step_us * np.arange(n, dtype=np.int64),
        rng.integers(0, SENSOR.width, n).astype(np.uint16),
        rng.integers(0, SENSOR.height, n).astype(np.uint16),
        rng.integers(0, 2, n).astype(bool),
        SENSOR,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of 20 ms, one a class."""
    for k, name in enumerate("ab"):
        neurodata.write(recording(seed=k), tmp_path / f"mine/{name}/r{k}.es")
    return tmp_path / "mine"


def cut(folder: Path, *rows: str, labels: str = "path,label", **windows: int) -> Dataset:
    table = None
    if rows:
        table = folder.parent / "labels.csv"
        table.write_text("\n".join([labels, *rows]))
    return find_dataset(f"folder:{folder}", labels=table, windows=Windows(**windows))


def intervals(dataset: Dataset, recording: str) -> list[tuple[int | None, int | None]]:
    refs = dataset.samples(Path())
    return [(ref.start_us, ref.stop_us) for ref in refs if ref.recording == recording]


def test_windows_follow_each_other_and_what_is_left_is_in_none(folder: Path) -> None:
    dataset = cut(folder, window_us=6_000)
    # Events at 1,000 to 20,950 us: the recording ends at 20,951.
    assert intervals(dataset, "a/r0.es") == [(1_000, 7_000), (7_000, 13_000), (13_000, 19_000)]
    assert [ref.key for ref in dataset.samples(folder)][:1] == ["a/r0.es:1000-7000"]
    assert {ref.group for ref in dataset.samples(folder)} == {"a/r0.es", "b/r1.es"}


def test_the_last_window_may_end_with_the_recording(folder: Path) -> None:
    assert len(intervals(cut(folder, window_us=19_951), "a/r0.es")) == 1
    with pytest.raises(RecipeError, match="no recording has a window of window_us=19952: state"):
        cut(folder, window_us=19_952)


@pytest.mark.parametrize(("stride_us", "n"), [(1_000, 16), (5_000, 4), (9_000, 2)])
def test_windows_begin_at_every_stride(folder: Path, stride_us: int, n: int) -> None:
    found = intervals(cut(folder, window_us=4_000, stride_us=stride_us), "a/r0.es")
    assert found == [(1_000 + k * stride_us, 5_000 + k * stride_us) for k in range(n)]


def test_windows_lie_in_the_interval_that_a_label_names(folder: Path) -> None:
    labels = "path,label,start_us,end_us"
    dataset = cut(folder, "a/r0.es,x,2000,6500", "a/r0.es,y,9000,", labels=labels, window_us=2_000)
    assert intervals(dataset, "a/r0.es") == [(2_000, 4_000), (4_000, 6_000)] + [
        (9_000 + k * 2_000, 11_000 + k * 2_000) for k in range(5)
    ]
    assert [dataset.classes[ref.target] for ref in dataset.samples(folder)] == ["x"] * 2 + ["y"] * 5


@pytest.mark.parametrize("layout", ["dense", "events"])
def test_a_window_holds_the_events_of_its_interval(folder: Path, layout: str) -> None:
    place = {"window_us": 4_000, "stride_us": 1_500, "layout": layout}
    store = neurodata.prepare(f"folder:{folder}", T=2, **place)  # type: ignore[arg-type]
    split = neurodata.load(f"folder:{folder}", T=2, **place)  # type: ignore[arg-type]
    assert len(split) == len(store) == 22
    for k, key in enumerate(split.keys):
        start_us, stop_us = map(int, key.partition(":")[2].split("-"))
        part = recording(seed=int(key[3])).between(start_us, stop_us)
        frames = split[k][0]
        assert int(frames.sum()) == len(part)
        np.testing.assert_array_equal(frames.sum((0, 1)).numpy(), _pixels(part))
    assert verify(store.path, deep=True).ok
    with pytest.raises(NeurodataError, match="window-us 4000"):
        neurodata.load(f"folder:{folder}", T=2, **place | {"stride_us": 1_000})  # type: ignore[arg-type]


def _pixels(events: EventArray) -> Any:
    counts = np.zeros((SENSOR.height, SENSOR.width), np.float32)
    np.add.at(counts, (events.y, events.x), 1)
    return counts


def test_a_window_ends_with_the_boxes_that_are_its_own(folder: Path) -> None:
    boxes = np.zeros(5, BOX)
    boxes["ts"] = [500, 3_000, 3_000, 4_500, 90_000]  # the first before the recording, the last behind it
    boxes["class_id"] = np.arange(5)
    np.save(folder / "a/r0_bbox.npy", boxes)
    arguments = {"labels": folder.parent / "labels.csv", "before_us": 2_000}
    dataset = cut(folder, "a/r0.es,a/r0_bbox.npy", labels="path,target.place:boxes", before_us=2_000)
    assert intervals(dataset, "a/r0.es") == [(1_001, 3_001), (2_501, 4_501)]
    store = neurodata.prepare(f"folder:{folder}", T=2, layout="events", **arguments)  # type: ignore[arg-type]
    found = {key: store.read_target(k, "place")[:, [0, 5]].tolist() for k, key in enumerate(store.table.keys)}
    assert found == {"a/r0.es:1001-3001": [[3_000, 1], [3_000, 2]], "a/r0.es:2501-4501": [[4_500, 3]]}
    assert store.read_events(0).stop_us - 1 == 3_000


def test_samples_that_end_with_their_boxes_are_other_samples_than_those_of_the_same_intervals(folder: Path) -> None:
    boxes = np.zeros(2, BOX)
    boxes["ts"] = [2_500, 3_000]
    np.save(folder / "a/b.npy", boxes)
    ends = cut(folder, "a/r0.es,2800,,a/b.npy", labels="path,start_us,end_us,target.p:boxes", before_us=2_000)
    whole = folder.parent / "whole.csv"
    whole.write_text("path,start_us,end_us,target.p:boxes\na/r0.es,1001,3001,a/b.npy\n")
    same = find_dataset(f"folder:{folder}", labels=whole)
    assert [ref.key for ref in ends.samples(folder)] == [ref.key for ref in same.samples(folder)]
    assert ends.source_facts(folder, ()) != same.source_facts(folder, ())


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({}, "state window_us"),
        ({"stride_us": 5}, "state window_us"),
        ({"window_us": 5, "before_us": 5}, "state window_us"),
        ({"before_us": 5, "stride_us": 5}, "state window_us"),
        ({"window_us": 0}, "window_us=0: expected whole microseconds"),
        ({"window_us": 5, "stride_us": -1}, "stride_us=-1"),
        ({"window_us": 2.5}, "window_us=2.5"),
        ({"window_us": True}, "window_us=True"),
    ],
)
def test_windows_that_make_no_sense_are_refused(windows: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Windows(**windows)


def test_windows_that_two_rows_tell_differently_are_refused(folder: Path) -> None:
    labels = "path,label,start_us,end_us"
    rows = "a/r0.es,x,2000,8000", "a/r0.es,{},4000,10000"
    same = cut(folder, rows[0], rows[1].format("x"), labels=labels, window_us=2_000)
    assert intervals(same, "a/r0.es") == [(2_000, 4_000), (4_000, 6_000), (6_000, 8_000), (8_000, 10_000)]
    with pytest.raises(FormatError, match=r"overlap, and tell a/r0.es:4000-6000 differently \(label"):
        cut(folder, rows[0], rows[1].format("y"), labels=labels, window_us=2_000)
    # Each is there once, as it begins at another time.
    assert len(cut(folder, rows[0], "a/r0.es,y,4001,10000", labels=labels, window_us=2_000).samples(folder)) == 5


def test_windows_of_an_interval_that_reaches_beyond_the_recording_lie_in_it(folder: Path) -> None:
    """The recording reaches from 1,000 to 20,951 us: the window that ends with 1,000 is outside."""
    labels = "path,label,start_us,end_us"
    dataset = cut(folder, "a/r0.es,x,-6000,900000000000000000", labels=labels, window_us=4_000, stride_us=3_000)
    assert intervals(dataset, "a/r0.es") == [(start, start + 4_000) for start in range(0, 20_951, 3_000)]
    # An interval that misses it is a mistake, and the first window of it says so.
    assert len(cut(folder, "a/r0.es,x,30000,40000", labels=labels, window_us=4_000).samples(folder)) == 2


def test_windows_are_counted_before_they_are_made(folder: Path) -> None:
    neurodata.write(recording(2, step_us=60_000_000), folder / "a/long.es")
    with pytest.raises(RecipeError, match=r"60,000,000 windows .* state a longer stride_us"):
        cut(folder, window_us=2, stride_us=1)


def test_windows_are_not_cut_from_sound(tmp_path: Path) -> None:
    neurodata.write(Waveform(np.zeros(800, np.float32), 8_000.0), tmp_path / "mine/x/a.wav")
    with pytest.raises(RecipeError, match=r"x/a.wav: windows are cut from recordings of events; wav holds none"):
        cut(tmp_path / "mine", window_us=10)


def test_windows_that_end_with_boxes_need_boxes(folder: Path) -> None:
    with pytest.raises(RecipeError, match="no boxes with times"):
        cut(folder, before_us=10)
    boxes = np.zeros(1, BOX)
    np.save(folder / "a/b.npy", boxes)
    with pytest.raises(RecipeError, match="no boxes lie in the recordings"):
        cut(folder, "a/r0.es,a/b.npy", labels="path,target.place:boxes", before_us=10)
