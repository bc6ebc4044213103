"""Kills at random moments, full disks, lost permissions: the next run finishes the store, with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

import neurodata
from neurodata.datasets import find_dataset
from neurodata.errors import StorageError
from neurodata.pipeline import executor_maker, prepare_recipe, source_request
from neurodata.recipe import load_recipe
from neurodata.store import verify
from tests.gestures import write_gestures
from tests.pipeline.conftest import SMALL_SHARDS
from tests.pipeline.test_interrupt import start
from tests.pipeline.test_prepare import tree

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, forks and permissions of POSIX")

N_SHARDS = 33

# Prepares once, so that everything is imported and compiled; then forks children that prepare, and kills each when as
# many shards as told are finished, after as many microseconds as told.
KILLER = """
import os, signal, sys, time
from pathlib import Path
import neurodata

recipe, source, root, *moments = sys.argv[1:]

def prepare(cache, workers):
    neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=cache, workers=workers)

prepare(f"{root}/warm", 1)
for moment in moments:
    name, workers, n_shards, wait_us = moment.split(",")
    cache = Path(root) / name
    child = os.fork()
    if child == 0:
        prepare(cache, int(workers))
        os._exit(0)
    while len(list(cache.glob("stores/*/*/commits/[0-9]*.json"))) < int(n_shards):
        if os.waitpid(child, os.WNOHANG)[0]:
            sys.exit(f"{moment}: the child has ended")
        time.sleep(0.0001)
    time.sleep(int(wait_us) / 1e6)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""

# Loses the permission to write into a folder of the store, or is another user, when some shards are finished.
UNPRIVILEGED = """
import os, sys
from pathlib import Path
import neurodata

recipe, source, root, what = sys.argv[1:]

def prepare(**options):
    return neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=f"{root}/store", workers=1, **options)

def lose(stage, done, total, unit):
    if stage == "encode" and done == 5:
        next(Path(root).glob("store/stores/*/*/commits")).chmod(0o500)

neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=f"{root}/warm", workers=1)
if what == "read":
    prepare()
warm = neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=f"{root}/warm")
list(warm.loader(4))
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if what == "read":
    os.environ["NEURODATA_PATH"] = f"{root}/store"
    split = neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=f"{root}/own")
    print(sum(int(frames.sum()) for frames, _ in split.loader(4)), prepare().path == split.store.path)
else:
    try:
        prepare(progress=lose)
    except neurodata.NeurodataError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings and the recipe."""
    folder = tmp_path_factory.mktemp("crashes")
    write_gestures(folder / "source")
    (folder / "small-shards.toml").write_text(SMALL_SHARDS)
    return folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> dict[str, bytes]:
    """The files of a store whose run was left in peace."""
    return tree(prepare(place, place / "undisturbed", "threads", 3))


def prepare(place: Path, cache: Path, kind: Any, workers: int, **options: Any) -> Path:
    dataset = find_dataset("dvs-gesture")
    path = prepare_recipe(
        load_recipe(dataset, place / "small-shards.toml"),
        source_request(dataset, place / "source"),
        cache,
        make_executor=executor_maker(kind, workers),
        **options,
    ).path
    assert isinstance(path, Path)
    return path


def store_in(cache: Path) -> Path:
    (folder,) = cache.glob("stores/dvs-gesture/small-shards-*")
    return folder


def commits(cache: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in store_in(cache).glob("commits/[0-9]*.json")}


def in_flight(cache: Path) -> int:
    """Shards of which something is there, but no commit record: what has to be done again."""
    store = store_in(cache)
    begun = {int(path.parts[-3]) for path in store.glob("data.zarr/sparse/code/*/c/*")}
    return len(begun - {int(name.removesuffix(".json")) for name in commits(cache)})


def check_resumes(
    cache: Path, n_workers: int, resume: Callable[[], Path], undisturbed: dict[str, bytes], least: int = 1
) -> None:
    """What was finished is kept, what was in flight is done again, and the bytes are those of an undisturbed run."""
    kept = commits(cache)
    assert least <= len(kept) < N_SHARDS
    assert in_flight(cache) <= n_workers
    path = resume()
    assert kept.items() <= commits(cache).items()
    assert tree(path) == undisturbed


def test_a_coordinator_killed_at_twenty_moments(place: Path, undisturbed: dict[str, bytes]) -> None:
    rng = random.Random(7)
    moments = [(f"killed{k}", rng.randint(1, 4), rng.randrange(N_SHARDS - 8), rng.randrange(3000)) for k in range(20)]
    told = [",".join(map(str, moment)) for moment in moments]
    arguments = [place / "small-shards.toml", place / "source", place, *told]
    subprocess.run([sys.executable, "-c", KILLER, *map(str, arguments)], check=True, timeout=120)
    for name, workers, least, _ in moments:
        others = rng.choice([n for n in (1, 2, 3) if n != workers])
        # The killed ones had threads; processes take a second to start.
        kind = "processes" if name == "killed0" else "threads"
        cache = place / name
        if not list(cache.glob("stores/*/*")):
            assert least == 0
            continue
        check_resumes(cache, workers, partial(prepare, place, cache, kind, others), undisturbed, least)


@pytest.mark.parametrize(("kind", "seed"), [("processes", 0), ("processes", 1), ("dask", 2)])
def test_a_coordinator_of_processes_killed(
    place: Path, undisturbed: dict[str, bytes], tmp_path: Path, kind: str, seed: int
) -> None:
    if kind == "dask":
        pytest.importorskip("distributed")
    run = start(place / "small-shards.toml", place / "source", tmp_path, "--executor", kind)
    time.sleep(random.Random(seed).random() * 0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 20  # its workers end by themselves
    while time.monotonic() < deadline and _group_lives(run.pid):
        time.sleep(0.01)
    assert not _group_lives(run.pid)
    if not (store_in(tmp_path) / "manifest.json").exists():
        check_resumes(tmp_path, 2, lambda: prepare(place, tmp_path, "threads", 3), undisturbed)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("seed", range(20))
def test_a_worker_process_killed(
    place: Path, undisturbed: dict[str, bytes], tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    rng = random.Random(seed)
    moment = rng.randrange(1, N_SHARDS - 8)

    def kill(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "encode" and done == moment:
            time.sleep(rng.random() * 0.002)
            worker = rng.choice(active_children())
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()

    with pytest.raises(StorageError, match="a worker process died"):
        prepare(place, tmp_path, "processes", 2, progress=kill)
    assert list(tmp_path.rglob("*.tmp")) == []
    assert list((tmp_path / "temporary").iterdir()) == []
    assert active_children() == []
    check_resumes(tmp_path, 2, lambda: prepare(place, tmp_path, "threads", rng.choice([1, 3])), undisturbed)


@pytest.mark.filterwarnings("ignore")
def test_dask_workers_killed_at_twenty_moments_are_replaced_in_the_same_run(
    place: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """What was finished before a kill is not written again."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    rng = random.Random(3)
    with (
        dask.config.set(
            {
                # A task that has cost more workers their life than this is not given to another one.
                "distributed.scheduler.allowed-failures": 20,
                # A worker that is not there so long after its death is not started again; a later one may be meant.
                "distributed.deploy.lost-worker-timeout": "1 hour",
            }
        ),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        for k in range(4):
            killed_at_moments(place, tmp_path / str(k), rng, cluster, n_kills=5)
            assert tree(store_in(tmp_path / str(k))) == undisturbed


def killed_at_moments(place: Path, cache: Path, rng: random.Random, cluster: Any, n_kills: int) -> None:
    moments = sorted(rng.sample(range(1, N_SHARDS - 4), n_kills))
    n_killed = 0
    finished: dict[str, int] = {}

    def kill(stage: str, done: int, total: int | None, unit: str) -> None:
        nonlocal n_killed
        if stage == "encode" and done in moments:
            time.sleep(rng.random() * 0.01)
            finished.update(commits(cache))
            n_killed += kill_one(rng, cluster, within_s=30)

    dataset = find_dataset("dvs-gesture")
    prepare_recipe(
        load_recipe(dataset, place / "small-shards.toml"),
        source_request(dataset, place / "source"),
        cache,
        make_executor=executor_maker("dask", scheduler=cluster.scheduler_address),
        progress=kill,
    )
    assert n_killed == n_kills
    assert len(finished) >= moments[-1]
    assert finished.items() <= commits(cache).items()


def kill_one(rng: random.Random, cluster: Any, within_s: float) -> int:
    """Kill one of the cluster's workers that are at work, as soon as there is one; how many were.

    One that is killed while it starts is not started again by Dask.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        at_work = set(cluster.scheduler.workers)
        nannies = [nanny for nanny in cluster.workers.values() if nanny.worker_address in at_work]
        living = [nanny.process.pid for nanny in nannies]
        if living and (worker := rng.choice(living)):  # None of one that has just died
            os.kill(worker, signal.SIGKILL)
            return 1
        time.sleep(0.01)
    return 0


@pytest.mark.parametrize("file", ["c/0", "manifest.json"])
def test_a_full_disk_is_an_error_and_the_run_goes_on_when_there_is_room(
    place: Path, undisturbed: dict[str, bytes], tmp_path: Path, largest_file: Callable[[int], None], file: str
) -> None:
    largest_file(max(len(content) for name, content in undisturbed.items() if name.endswith(file)) - 1)
    with pytest.raises(StorageError, match=rf"{file}: cannot write: the file system takes no files of this size"):
        prepare(place, tmp_path, "threads", 1)
    assert list(tmp_path.rglob("*.tmp")) == []
    assert not list(tmp_path.rglob("manifest.json"))
    largest_file(1 << 30)
    assert tree(prepare(place, tmp_path, "threads", 2)) == undisturbed


def unprivileged(place: Path, root: Path, what: str) -> str:
    arguments = [place / "small-shards.toml", place / "source", root, what]
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_permission_lost_midway_is_an_error_and_the_run_goes_on_when_it_is_back(
    place: Path, undisturbed: dict[str, bytes], open_folder: Path
) -> None:
    said = unprivileged(place, open_folder, "lose")
    assert "cannot be deleted (Permission denied)" in said or "permission denied" in said
    store = store_in(open_folder / "store")
    assert not (store / "manifest.json").exists()
    (store / "commits").chmod(0o777)
    kept = commits(open_folder / "store")
    assert len(kept) >= 5
    assert tree(prepare(place, open_folder / "store", "threads", 2)) == undisturbed
    assert kept.items() <= commits(open_folder / "store").items()


def test_a_store_of_one_user_is_read_by_another_who_writes_nothing(place: Path, open_folder: Path) -> None:
    """Through NEURODATA_PATH; loading it and asking to prepare it."""
    n_events, is_same = unprivileged(place, open_folder, "read").split()
    assert is_same == "True"
    assert int(n_events) > 0
    assert not (open_folder / "own").exists()
    assert verify(store_in(open_folder / "store"), deep=True).ok
    assert [path.name for path in store_in(open_folder / "store").parent.iterdir()] == [
        store_in(open_folder / "store").name
    ]


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory, place: Path) -> Path:
    """A folder that every user may write to; pytest's own ones are closed."""
    folder = tmp_path_factory.mktemp("open")
    folder.chmod(0o777)
    for above in (place, *folder.parents):
        if above == Path(above.root) or above.stat().st_uid != os.geteuid() or above.name == "tmp":
            continue
        above.chmod(above.stat().st_mode | 0o055)
    return folder


@pytest.mark.parametrize(("umask", "file_mode", "folder_mode"), [(0o002, 0o664, 0o775), (0o027, 0o640, 0o750)])
def test_files_obey_the_umask(place: Path, tmp_path: Path, umask: int, file_mode: int, folder_mode: int) -> None:
    before = os.umask(umask)
    try:
        prepare(place, tmp_path / "cache", "threads", 2)
    finally:
        os.umask(before)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (tmp_path / "cache").rglob("*")}
    assert modes == {(False, file_mode), (True, folder_mode)}


def test_reading_a_shared_store_changes_no_file(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = prepare(place, tmp_path / "lab", "threads", 2)
    before = {path: path.stat() for path in (tmp_path / "lab").rglob("*")}
    monkeypatch.setenv("NEURODATA_PATH", str(tmp_path / "lab"))
    arguments: dict[str, Any] = {"recipe": place / "small-shards.toml", "source": place / "source"}
    split = neurodata.load("dvs-gesture", **arguments, cache=tmp_path / "own")
    assert split.store.path == store
    for _ in split.loader(4, shuffle=True, seed=0):
        pass
    assert verify(store, deep=True).ok
    now = {path: path.stat() for path in (tmp_path / "lab").rglob("*")}
    assert {p: (s.st_mtime_ns, s.st_ino) for p, s in now.items()} == {
        p: (s.st_mtime_ns, s.st_ino) for p, s in before.items()
    }
    assert not (tmp_path / "own").exists()
