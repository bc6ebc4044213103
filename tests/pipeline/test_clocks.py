"""Clocks that jump, machines that sleep: leases are neither stolen nor immortal, and the bytes those of a quiet run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import neurodata
from tests.pipeline.test_prepare import tree

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

# Prepares under a quick lease, as if on a machine of its own: nobody can ask whether its process lives. When some
# shards are finished its wall clock jumps, and it waits until it is told to go on; or it jumps while another run is
# waited for.
PREPARE = """
import sys, threading, time
from pathlib import Path
from neurodata.storage import _lease
from neurodata.storage._lease import Rhythm
recipe, source, cache, machine, jump_s, silence_s = sys.argv[1:]
_lease._machine = lambda: machine
_lease.RHYTHM = Rhythm(beat_s=0.4, silence_s=float(silence_s), look_s=0.02, settle_s=0.1)
clock, ahead_s = time.time, [0.0]
time.time = lambda: clock() + ahead_s[0]
import neurodata

def progress(stage, done, total, unit):
    if stage == "encode" and done == 3:
        ahead_s[0] = float(jump_s)
        print("begun", flush=True)
        while not Path(cache, "go").exists():
            time.sleep(0.01)

def jump():
    ahead_s[0] = float(jump_s)
    print("waits", flush=True)

def on_wait(message):
    threading.Timer(0.5, jump).start()

try:
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=cache, workers=1, progress=progress,
                              on_wait=on_wait)
except neurodata.NeurodataError as error:
    sys.exit(str(error))
print(store.path)
"""


def start(
    recipe: Path, source: Path, cache: Path, machine: str, jump_s: int, silence_s: float = 3.0
) -> subprocess.Popen[str]:
    arguments = map(str, (recipe, source, cache, machine, jump_s, silence_s))
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(run: subprocess.Popen[str], word: str) -> None:
    assert run.stdout is not None
    assert run.stdout.readline() == f"{word}\n"


def commits(cache: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in cache.glob("stores/*/*/commits/[0-9]*.json")}


@pytest.fixture
def quiet(source: Path, recipe: Path, tmp_path: Path) -> dict[str, bytes]:
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "quiet")
    return tree(store.path)


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_run_whose_clock_jumps_keeps_its_lease_and_another_whose_clock_jumps_waits(
    source: Path, recipe: Path, tmp_path: Path, quiet: dict[str, bytes], jump_s: int
) -> None:
    arguments: Any = (recipe, source, tmp_path / "cache")
    first = start(*arguments, "one", jump_s)
    wait_for(first, "begun")
    second = start(*arguments, "other", -jump_s)
    wait_for(second, "waits")
    time.sleep(0.5)
    (tmp_path / "cache" / "go").touch()
    ended = [run.communicate(timeout=120) for run in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), ended
    (written, _), (found, _) = ended
    assert found == written  # it wrote no shard: nothing was begun
    assert tree(Path(written.strip())) == quiet


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_killed_run_with_a_wrong_clock_loses_its_lease(
    source: Path, recipe: Path, tmp_path: Path, quiet: dict[str, bytes], jump_s: int
) -> None:
    """Found out by its silence alone: its machine is another one, and its files bear its clock."""
    cache = tmp_path / "cache"
    first = start(recipe, source, cache, "one", jump_s)
    wait_for(first, "begun")
    first.kill()
    first.communicate()
    kept = commits(cache)
    (lease,) = cache.glob("stores/*/.*.lock")
    os.utime(lease, (time.time() + jump_s,) * 2)
    (cache / "go").touch()
    output, errors = start(recipe, source, cache, "other", 0, silence_s=1.5).communicate(timeout=120)
    assert output.startswith("waits\n"), errors
    assert kept.items() <= commits(cache).items()
    assert len(kept) >= 3
    assert tree(Path(output.split()[-1])) == quiet


def test_a_run_that_slept_through_its_lease_stops_and_harms_nothing(
    source: Path, recipe: Path, tmp_path: Path, quiet: dict[str, bytes]
) -> None:
    arguments: Any = (recipe, source, tmp_path / "cache")
    first = start(*arguments, "one", 0)
    wait_for(first, "begun")
    first.send_signal(signal.SIGSTOP)  # a closed laptop
    try:
        (tmp_path / "cache" / "go").touch()
        output, errors = start(*arguments, "other", 0, silence_s=1.5).communicate(timeout=120)
        store = Path(output.split()[-1])
        assert tree(store) == quiet, errors
    finally:
        first.send_signal(signal.SIGCONT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "another run has taken over" in said
    assert "Traceback" not in said
    assert tree(store) == quiet  # what was in hand is written once more, with the same bytes
    assert [path.name for path in store.parent.iterdir()] == [store.name]
