from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from neurodata.loader import Measurement, Store, measure
from neurodata.loader._measure import Rate
from neurodata.store import EventsLayout
from tests.store.test_ragged import SENSOR, build, clips_of, recordings_of, sparse_layout

FOUND = Measurement(
    batch_size=32,
    frame_bytes=1000,
    copy_us=1,
    read_us=5,
    decode_us=20,
    convert_us=2,
    first_batch_ms=3,
    rates=(Rate("stored", 1, 100, 1), Rate("stored", 2, 150, 1), Rate("float32", 1, 60, 1), Rate("float32", 2, 70, 1)),
)


@pytest.mark.parametrize("kind", ["dense", "sparse", "events"])
def test_every_layout_is_measured(store: Store, tmp_path: Path, kind: str) -> None:
    split = store["train"]
    if kind == "sparse":
        split = Store(build(tmp_path, sparse_layout(), clips_of([2] * 9)))["train"]
    if kind == "events":
        events = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=3), recordings_of([20] * 9)))
        split = events["train"].with_view([{"name": "event_frame", "T": 2}])
    found = measure(split, 4, 2)
    assert [(rate.dtype, rate.threads) for rate in found.rates] == [
        ("stored", 1), ("stored", 2), ("float32", 1), ("float32", 2)
    ]  # fmt: skip
    assert all(rate.samples_per_s > 0 for rate in found.rates)
    assert found.read_us > 0
    assert found.advice


def test_advice_follows_from_what_was_measured() -> None:
    assert FOUND.limit == "decode"
    assert FOUND.advice[0] == "threads=2 is fastest here"
    assert "2.1 times as fast as float32" in FOUND.advice[1]
    assert "decoding is the limit" in FOUND.advice[2]
    assert "reading and unpacking is the limit" in replace(FOUND, read_us=50).advice[2]
