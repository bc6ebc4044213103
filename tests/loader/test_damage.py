"""A store that is damaged, or goes away, while it is read: an error that names the sample, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from neurodata.errors import NeurodataError
from neurodata.loader import Split, Store
from neurodata.store import EventsLayout, Layout
from tests.loader.stores import write_store
from tests.store.test_ragged import SENSOR, build, clips_of, recordings_of, sparse_layout

KINDS = ("dense", "sparse", "events")


def split_of(folder: Path, kind: str) -> Split:
    """A dozen training samples in shards of a few."""
    if kind == "dense":
        return Store(write_store(folder))["train"]
    layout: Layout = sparse_layout() if kind == "sparse" else EventsLayout(SENSOR, samples_per_shard=3)
    signals: list[Any] = clips_of([2] * 24) if kind == "sparse" else recordings_of([50] * 24)
    split = Store(build(folder, layout, signals))["train"]
    return split if kind == "sparse" else split.with_view([{"name": "event_frame", "T": 2}])


def no_threads_are_left() -> bool:
    for _ in range(100):
        if not any(thread.name.startswith("neurodata-loader") for thread in threading.enumerate()):
            return True
        time.sleep(0.02)
    return False


def shard_files(split: Split) -> list[Path]:
    """Of one shard, all that frames are made of: not the time index."""
    columns = split.store.head.layout.all_columns
    return [Path(str(split.store.path)) / column.shard_path(1) for column in columns if column.every == 1]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["changed", "cut", "vanished"])
def test_damage_names_the_sample_and_the_loader_goes_on_once_it_is_mended(
    tmp_path: Path, kind: str, damage: str
) -> None:
    split = split_of(tmp_path / "store", kind)
    path = shard_files(split)[-1]
    whole = path.read_bytes()
    if damage == "vanished":
        path.unlink()
    else:
        path.write_bytes(whole[:-200] if damage == "cut" else bytes([whole[0] ^ 1]) + whole[1:])
    loader = split.loader(2, threads=3)
    with pytest.raises(NeurodataError) as caught:
        list(loader)
    assert "sample" in str(caught.value)
    assert any("while loading sample" in note for note in caught.value.__notes__)
    assert no_threads_are_left()
    path.write_bytes(whole)
    assert sum(len(batch) for batch in loader) == len(split)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_the_loop_ends_the_threads(tmp_path: Path, kind: str) -> None:
    loader = split_of(tmp_path / "store", kind).loader(1, threads=2)
    for _ in loader:
        break
    assert no_threads_are_left()
    with pytest.raises(ZeroDivisionError):
        print([1 / 0 for _ in loader])
    assert no_threads_are_left()
    iterator = iter(loader)
    next(iterator)
    del iterator
    assert no_threads_are_left()


INTERRUPTED = """
import sys, time
from neurodata.loader import Store
def slow(frames, rng):
    time.sleep(0.05)
    return frames
for _ in range(1000):
    for batch in Store(sys.argv[1])["train"].loader(2, threads=2, transform=slow):
        print("batch", flush=True)
"""


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a child")
def test_control_c_ends_the_process_at_once(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "batch\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == -signal.SIGINT
