"""Two runs of one recipe at once: one waits, or stops where the other has taken over; nothing is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import neurodata
from neurodata.errors import StorageError
from neurodata.pipeline import ShardTask
from neurodata.pipeline import _execute as execute_module
from neurodata.store import verify

PREPARE = """
import sys, neurodata
store = neurodata.prepare("dvs-gesture", recipe=sys.argv[1], source=sys.argv[2], cache=sys.argv[3], workers=1,
                          on_wait=lambda message: print(message, file=sys.stderr))
print(store.path)
"""


def test_two_processes_at_once_make_one_store_and_no_shard_twice(source: Path, recipe: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PREPARE, recipe, source, tmp_path / "cache"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    spoken = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], spoken
    (path,) = {output.strip() for output, _ in spoken}
    assert verify(path, deep=True).ok
    assert sorted(file.name for file in Path(path).parent.iterdir()) == [Path(path).name]  # the lease is given back


def test_a_run_whose_lease_was_taken_over_stops_and_touches_nothing_more(
    source: Path, recipe: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    other = json.dumps({"owner": "another", "process": os.getpid(), "host": "node7", "machine": "node7", "beat": 1})

    def take_over(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "encode" and done == 3:
            (lease,) = cache.glob("stores/*/.*.lock")
            lease.write_text(other)
            folder = next(cache.glob("stores/dvs-gesture/small*"))
            (folder / "commits" / ".00032.json.1.0123abcd.tmp").write_text("of the other run")

    with pytest.raises(StorageError, match="another run has taken over"):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=cache, workers=1, progress=take_over)
    (folder,) = cache.glob("stores/dvs-gesture/small*")
    assert not (folder / "manifest.json").exists()
    assert 3 <= len(list(folder.glob("commits/[0-9]*.json"))) < 33
    (lease,) = cache.glob("stores/*/.*.lock")
    assert lease.read_text() == other  # not given back: it is not ours
    assert len(list(folder.glob("commits/.*.tmp"))) == 1
    lease.unlink()
    assert verify(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=cache).path, deep=True).ok


def test_a_shard_that_another_run_has_finished_is_left_alone(
    source: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a worker would find it that slept while another run took over and finished the store."""
    tasks: list[ShardTask] = []
    run_tasks = execute_module.run_tasks

    def recorded(todo: Any, *arguments: Any) -> None:
        tasks.extend(todo)
        run_tasks(todo, *arguments)

    monkeypatch.setattr("neurodata.pipeline._build.run_tasks", recorded)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*")}
    assert [execute_module.run_task(task) for task in tasks] == [1] * 33
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*")} == before
