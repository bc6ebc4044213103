"""From files on disk to a finished store, through the public verbs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from neurodata.encodings.event_frame import reference
from neurodata.errors import (
    EncodingError,
    FormatError,
    NeurodataError,
    RecipeError,
    SourceNotFoundError,
    StorageError,
    StoreError,
    StoreNotFoundError,
)
from neurodata.store import verify


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from neurodata.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, env=os.environ | environment, check=False,
    )  # fmt: skip


def test_each_stored_sample_is_the_frames_of_its_interval(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    assert len(store) == 33
    for index, key in enumerate(store.table.keys):
        name, interval = key.split(":")
        start_us, stop_us = map(int, interval.split("-"))
        events = neurodata.read(source / name).between(start_us, stop_us)
        np.testing.assert_array_equal(store.read(index), reference(events, 4, "count"))
        assert store.table.n_events[index] == len(events)
        assert store.table.duration_us[index] == events.duration_us


def test_events_are_conserved_and_the_store_verifies(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    frames = sum(int(store.read(index).sum()) for index in range(len(store)))
    assert store.counts.read == store.counts.encoded == frames == store.table.n_events.sum() > 0
    assert verify(store.path, deep=True).problems == ()


def test_order_is_partition_then_hash_and_recordings_stay_together(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    recordings = [key.split(":")[0] for key in store.table.keys]
    assert recordings[-11:] == ["user24_lab.aedat"] * 11
    assert len(set(recordings[:11])) == len(set(recordings[11:22])) == 1
    assert store.schemes["official"].test.tolist() == list(range(22, 33))


def test_the_same_recipe_is_reused_and_a_changed_one_is_another_store(source: Path) -> None:
    first = neurodata.prepare("dvs-gesture", T=4, source=source)
    manifest = first.path / "manifest.json"
    before = manifest.stat().st_mtime_ns
    assert neurodata.prepare("dvs-gesture", T=4, source=source).path == first.path
    assert manifest.stat().st_mtime_ns == before
    assert neurodata.prepare("dvs-gesture", T=5, source=source).path != first.path
    assert neurodata.prepare("dvs-gesture", T=4, split_by="time", source=source).path != first.path


def test_changed_source_files_are_another_store(source: Path) -> None:
    first = neurodata.prepare("dvs-gesture", T=4, source=source)
    labels = source / "user01_led_labels.csv"
    labels.write_text(labels.read_text().replace("1,1000000,1100000", "2,1000000,1100000"))
    assert neurodata.prepare("dvs-gesture", T=4, source=source).path != first.path


def test_force_prepares_anew_with_the_same_bytes(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    before, inode = tree(store.path), (store.path / "manifest.json").stat().st_ino
    again = neurodata.prepare("dvs-gesture", T=4, source=source, force=True)
    assert again.path == store.path
    assert tree(again.path) == before
    assert (again.path / "manifest.json").stat().st_ino != inode
    assert [path.name for path in store.path.parent.glob(".*.rebuild")] == []


def test_bytes_do_not_depend_on_workers_threads_or_processes(source: Path, recipe: Path, tmp_path: Path) -> None:
    one = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, workers=1, cache=tmp_path / "1")
    four = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, workers=4, cache=tmp_path / "4")
    with ThreadPoolExecutor(3) as executor:
        own = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, executor=executor, cache=tmp_path / "o")
    done = command("prepare", "dvs-gesture", "--recipe", recipe, "--source", source, "--workers", "2",
                   "--cache", tmp_path / "p")  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = tree(one.path)
    assert tree(four.path) == expected
    assert tree(own.path) == expected
    assert tree(Path(done.stdout.strip())) == expected


def test_a_killed_run_is_never_served_and_resumes_to_the_same_bytes(source: Path, recipe: Path, tmp_path: Path) -> None:
    cache = tmp_path / "killed"
    run = subprocess.Popen(
        [sys.executable, "-c", "from neurodata.cli import main; main()", "prepare", "dvs-gesture", "--recipe", recipe,
         "--source", source, "--workers", "2", "--cache", cache],
        start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while len(list(cache.glob("stores/*/*/commits/*.json"))) < 3 and run.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    (folder,) = cache.glob("stores/dvs-gesture/small*")
    n_done = len(list(folder.glob("commits/*.json")))
    assert n_done >= 3
    if not (folder / "manifest.json").exists():
        with pytest.raises(StoreError, match=r"not finished .* resumes it"):
            neurodata.open_store(folder)
        with pytest.raises(StoreNotFoundError, match="no finished store"):
            neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=cache)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("commits/*.json")}
    resumed = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=cache, workers=1)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # finished shards are not made again
    undisturbed = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole", workers=3)
    assert tree(resumed.path) == tree(undisturbed.path)


def test_two_runs_at_once_make_one_store(source: Path, recipe: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        runs = [
            both.submit(neurodata.prepare, "dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "c")
            for _ in range(2)
        ]
        paths = {run.result().path for run in runs}
    assert len(paths) == 1
    assert verify(paths.pop(), deep=True).ok


def test_a_row_past_the_end_is_clipped_and_one_without_events_is_zeros_and_both_are_counted(source: Path) -> None:
    labels = source / "user24_lab_labels.csv"
    labels.write_text(labels.read_text() + "3,2500000,99000000\n4,500000,600000\n5,99000000,99900000\n")
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    assert store.counts.notes == {"clipped at the end of the recording": 2, "samples without events": 2}
    clipped = store.table.keys.index("user24_lab.aedat:2500000-99000000")
    empty = store.table.keys.index("user24_lab.aedat:500000-600000")
    assert store.read(clipped).sum() == store.table.n_events[clipped] > 0
    assert store.read(empty).sum() == store.table.n_events[empty] == 0


def test_a_truncated_recording_is_named_and_what_was_finished_is_kept(source: Path, recipe: Path) -> None:
    path = source / "user24_lab.aedat"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(FormatError, match=r"user24_lab\.aedat: .*byte \d+"):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, workers=1)
    path.write_bytes(whole)
    assert len(neurodata.prepare("dvs-gesture", recipe=recipe, source=source)) == 33


def test_a_count_that_does_not_fit_names_file_sample_and_way_out(source: Path) -> None:
    events = neurodata.read(source / "user01_led.aedat")
    zeros = np.zeros_like(events.x)
    neurodata.write(
        neurodata.EventArray(events.t, zeros, zeros, zeros == 0, events.sensor), source / "user01_led.aedat", "aedat31"
    )
    narrow = {"dtype": "uint8"}
    with pytest.raises(EncodingError, match=r"user01_led\.aedat: sample user01_led\.aedat:\d+-\d+: .*uint8"):
        neurodata.prepare("dvs-gesture", T=1, source=source, event_frame=narrow)
    store = neurodata.prepare("dvs-gesture", T=1, source=source, event_frame={**narrow, "overflow": "saturate"})
    assert store.counts.dropped["saturated"] > 0
    assert store.counts.read == store.counts.encoded + store.counts.dropped["saturated"]


def test_the_missing_published_files_are_explained_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"(?s)By hand:.*DvsGesture\.tar\.gz.*put it at .*--twin"):
        neurodata.prepare("dvs-gesture", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.aedat")) == []


def test_load_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match=r"neurodata prepare dvs-gesture --T 8 --set event_frame.dtype=uint8"):
        neurodata.load("dvs-gesture", T=8, event_frame={"dtype": "uint8"})


def test_the_command_that_load_prints_can_be_pasted() -> None:
    with pytest.raises(StoreNotFoundError) as error:
        neurodata.load("dvs-gesture", T=2, twin=True, twin_size=22, event_frame={"overflow": "saturate"})
    line = next(line for line in str(error.value).splitlines() if "neurodata prepare" in line)
    choices = "--twin --T 2 --twin-size 22 --set event_frame.overflow=saturate"
    assert line.strip() == f"neurodata prepare dvs-gesture {choices}"
    done = command(*line.split()[1:])
    assert done.returncode == 0, done.stderr
    split = neurodata.load("dvs-gesture", T=2, twin=True, twin_size=22, event_frame={"overflow": "saturate"})
    assert str(split.store.path) == done.stdout.strip()
    assert "TWIN" in repr(split)
    with pytest.raises(StoreNotFoundError, match="a twin of 22 samples: ask for it with --twin"):
        neurodata.load("dvs-gesture", T=2, event_frame={"overflow": "saturate"})


@pytest.mark.parametrize(
    "arguments", [{"workers": 0}, {"workers": "x"}, {"twin_size": 44}, {"twin": True, "twin_size": 2.5}]
)
def test_arguments_that_cannot_be_used_are_our_errors(arguments: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        neurodata.prepare("dvs-gesture", **arguments)


def test_an_object_that_is_no_dataset_is_refused_with_the_way_to_make_it_one() -> None:
    with pytest.raises(RecipeError, match=r"\[1, 2\]: not a dataset.*neurodata\.adapters\.torch\.source"):
        neurodata.prepare([1, 2], T=4)  # type: ignore[arg-type]


def test_a_partial_store_is_only_served_when_asked_for(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    assert "-partial-" in store.path.name
    with pytest.raises(StoreNotFoundError, match="a part of the dataset: ask for it with --partial"):
        neurodata.load("dvs-gesture", T=4)
    for split in (neurodata.load("dvs-gesture", T=4, partial=True), neurodata.load("dvs-gesture", T=4, source=source)):
        assert len(split) == 22
        assert "PARTIAL" in repr(split)


def test_several_stores_that_fit_are_listed(source: Path, tmp_path: Path) -> None:
    neurodata.prepare("dvs-gesture", T=4, source=source)
    other = tmp_path / "other"
    shutil.copytree(source, other)
    labels = other / "user01_led_labels.csv"
    labels.write_text("\n".join(labels.read_text().splitlines()[:-1]))
    neurodata.prepare("dvs-gesture", T=4, source=other)
    with pytest.raises(StoreNotFoundError, match="2 stores fit"):
        neurodata.load("dvs-gesture", T=4, partial=True)
    assert len(neurodata.load("dvs-gesture", T=4, source=other)) == 21


def test_shared_roots_are_searched_and_not_written_to(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    store = neurodata.prepare("dvs-gesture", T=4, source=source, cache=shared)
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    monkeypatch.setenv("NEURODATA_PATH", str(shared))
    assert neurodata.load("dvs-gesture", T=4, source=source, cache=tmp_path / "own").store.path == store.path
    assert neurodata.prepare("dvs-gesture", T=4, source=source, cache=tmp_path / "own").path == store.path
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*")} == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache_is_an_error_with_a_way_out(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o500)
    with pytest.raises(StorageError, match="--cache"):
        neurodata.prepare("dvs-gesture", T=4, source=source, cache=cache)


def test_a_cache_that_is_a_file_is_an_error_not_a_traceback(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("prepare", "dvs-gesture", "--source", source, "--cache", tmp_path / "file")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr
    assert "hash source files" not in done.stderr, "hours, perhaps, before it is told"


def test_prepare_works_in_a_script_without_a_main_guard(source: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, neurodata\n"
        "neurodata.prepare('dvs-gesture', T=2, source=sys.argv[1])\n"
        "split = neurodata.load('dvs-gesture', T=2, source=sys.argv[1])\n"
        "print(sum(int(frames.sum()) for frames, _ in split.loader(4)), len(split))\n"
    )
    done = subprocess.run([sys.executable, script, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    store = neurodata.load("dvs-gesture", T=2, source=source)
    assert done.stdout.split() == [str(sum(int(store[i][0].sum()) for i in range(len(store)))), "22"]


def test_every_error_of_prepare_is_one_of_ours() -> None:
    with pytest.raises(NeurodataError, match="exclude each other"):
        neurodata.prepare("dvs-gesture", source=".", twin=True)
    with pytest.raises(NeurodataError, match="expected at least 11"):
        neurodata.prepare("dvs-gesture", twin=True, twin_size=5)
    with pytest.raises(NeurodataError, match="no such folder"):
        neurodata.prepare("dvs-gesture", source="/nowhere")
