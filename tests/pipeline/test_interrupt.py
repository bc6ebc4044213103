"""What an interrupted or damaged preparation leaves behind, with real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import neurodata
from neurodata.errors import StoreNotFoundError
from neurodata.store import verify

posix = pytest.mark.skipif(os.name != "posix", reason="signals to process groups")


def start(recipe: Path, source: Path, cache: Path, *more: str) -> subprocess.Popen[str]:
    """`neurodata prepare` in a process group of its own, once some shards are finished."""
    run = subprocess.Popen(
        [sys.executable, "-c", "from neurodata.cli import main; main()", "prepare", "dvs-gesture", "--recipe", recipe,
         "--source", source, "--workers", "2", "--cache", cache, *more],
        start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list(cache.glob("stores/*/*/commits/*.json"))) < 2 and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return run


def group_is_gone(group: int, within_s: float = 20) -> bool:
    """Whether no process of the group is left (zombies count as left until they are reaped by init)."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    os.killpg(group, signal.SIGKILL)
    return False


@posix
@pytest.mark.parametrize(
    ("number", "to_the_whole_group"),
    [
        (signal.SIGINT, True),  # Ctrl-C in a terminal
        (signal.SIGINT, False),  # kill -INT
        (signal.SIGTERM, False),  # a scheduler that ends a job
    ],
)
def test_an_interruption_ends_all_processes_at_once_without_a_traceback(
    source: Path, recipe: Path, tmp_path: Path, number: int, to_the_whole_group: bool
) -> None:
    run = start(recipe, source, tmp_path / "cache")
    (os.killpg if to_the_whole_group else os.kill)(run.pid, number)
    _, notes = run.communicate(timeout=20)
    assert group_is_gone(run.pid)
    if run.returncode == 0:
        pytest.skip("the run was done before the signal came")
    assert run.returncode == 130
    assert "Traceback" not in notes
    assert "interrupted; what was finished is kept" in notes


@posix
def test_workers_of_a_killed_run_end_with_it(source: Path, recipe: Path, tmp_path: Path) -> None:
    run = start(recipe, source, tmp_path / "cache")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert group_is_gone(run.pid)
    assert len(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "cache")) == 33


def test_a_forced_run_killed_between_its_renames_loses_nothing(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    old = store.path.with_name(f".{store.path.name}.old")
    store.path.rename(old)
    assert neurodata.load("dvs-gesture", T=4, source=source).store.path == old
    assert neurodata.prepare("dvs-gesture", T=4, source=source, force=True).path == store.path
    assert not old.exists()


def test_a_forced_run_goes_on_where_it_was_killed_and_the_old_store_is_served_meanwhile(
    source: Path, recipe: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "encode" and done >= 5:
            raise Killed

    arguments = {"recipe": recipe, "source": source, "workers": 1}
    store = neurodata.prepare("dvs-gesture", **arguments)
    with pytest.raises(Killed):
        neurodata.prepare("dvs-gesture", **arguments, force=True, progress=kill)
    assert verify(neurodata.load("dvs-gesture", recipe=recipe, source=source).store.path, deep=True).ok
    rebuilt = store.path.with_name(f".{store.path.name}.rebuild")
    kept = {path.name: path.stat().st_ino for path in rebuilt.glob("commits/*.json")}
    assert len(kept) >= 5
    again = neurodata.prepare("dvs-gesture", **arguments, force=True)
    assert kept.items() <= {path.name: path.stat().st_ino for path in again.path.glob("commits/*.json")}.items()
    assert not rebuilt.exists()


@pytest.mark.parametrize("file", ["manifest.json", "data.zarr/samples/key/c/0/0"])
def test_a_damaged_store_is_named_and_written_anew_by_prepare(source: Path, file: str) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    whole = (store.path / file).read_bytes()
    (store.path / file).write_bytes(whole[:-9])
    with pytest.raises(StoreNotFoundError, match=f"(?s)damaged.*{file}"):
        neurodata.load("dvs-gesture", T=4, source=source)
    neurodata.prepare("dvs-gesture", T=4, source=source)
    assert (store.path / file).read_bytes() == whole
    assert len(neurodata.load("dvs-gesture", T=4, source=source)) == 22


def test_a_damaged_store_does_not_stop_another_from_being_loaded(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    broken = store.path.with_name(f"{store.path.name}-twin-00000000")
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    assert neurodata.load("dvs-gesture", T=4, partial=True).store.path == store.path


def test_other_files_never_stand_in_for_a_damaged_store_of_the_published_ones(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source)
    published = store.path.with_name(store.path.name.split("-partial")[0])
    published.mkdir()
    (published / "manifest.json").write_text("{")
    with pytest.raises(StoreNotFoundError, match=r"(?s)damaged .*manifest\.json: not a whole JSON file"):
        neurodata.load("dvs-gesture", T=4, partial=True)
    assert neurodata.load("dvs-gesture", T=4, source=source).store.path == store.path


def test_a_failing_sample_calls_back_what_an_own_executor_has_not_begun(
    source: Path, recipe: Path, tmp_path: Path
) -> None:
    # The training recordings come first; were the others not called back, the 11 test samples would be written.
    for damaged in (source / "user01_led.aedat", source / "user02_natural.aedat"):
        damaged.write_bytes(damaged.read_bytes()[:-5])
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(neurodata.NeurodataError, match=r"user0[12]_"):
            neurodata.prepare("dvs-gesture", recipe=recipe, source=source, executor=executor, cache=tmp_path / "c")
        assert executor.submit(int).result(timeout=30) == 0
    assert list(tmp_path.glob("c/stores/*/*/commits/*.json")) == []


def test_a_full_disk_names_the_file_and_leaves_nothing_half_written(source: Path, recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600));"
        "from neurodata.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "prepare", "dvs-gesture", "--recipe", recipe, "--source", source,
         "--workers", "1", "--cache", tmp_path / "full"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    assert list(tmp_path.glob("full/**/*.tmp")) == []
