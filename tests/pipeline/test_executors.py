"""Executors: threads, processes, Dask, Slurm's way on this machine; the same bytes from each."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextlib import AbstractContextManager
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

import neurodata
from neurodata.datasets import find_dataset, locate
from neurodata.errors import FormatError, MissingExtraError, NeurodataError, RecipeError, StorageError
from neurodata.pipeline import (
    Plan,
    dask_cluster,
    executor_maker,
    make_plan,
    prepare_recipe,
    slurm_jobs,
    source_request,
)
from neurodata.pipeline._execute import run_task
from neurodata.recipe import load_recipe
from tests.gestures import write_gestures
from tests.pipeline.test_interrupt import group_is_gone, start
from tests.pipeline.test_prepare import command, tree

Make = Callable[[int], AbstractContextManager[Executor]]


def prepare_with(make: Make, recipe: Path, source: Path, cache: Path) -> Path:
    dataset = find_dataset("dvs-gesture")
    request = source_request(dataset, source)
    path = prepare_recipe(load_recipe(dataset, recipe), request, cache, make_executor=make).path
    assert isinstance(path, Path)
    return path


def plan_of(recipe: Path, source: Path, cache: Path) -> Plan:
    dataset = find_dataset("dvs-gesture")
    return make_plan(load_recipe(dataset, recipe), locate(dataset, cache, source=source))


def test_a_task_is_small_and_holds_no_data(source: Path, recipe: Path, tmp_path: Path) -> None:
    """It travels to another machine: 2 kB and the names of its samples, whatever they measure."""
    tasks = plan_of(recipe, source, tmp_path).tasks(tmp_path / "store")
    assert max(len(pickle.dumps(task)) for task in tasks) < 4_000
    plan = plan_of(recipe, source, tmp_path)
    whole = replace(plan.tasks(tmp_path / "store")[0], refs=plan.refs)
    per_sample = (len(pickle.dumps(whole)) - len(pickle.dumps(tasks[0]))) / (len(plan.refs) - 1)
    assert per_sample < 200


def test_work_that_another_release_planned_is_refused(source: Path, recipe: Path, tmp_path: Path) -> None:
    task = plan_of(recipe, source, tmp_path).tasks(tmp_path / "store")[0]
    with pytest.raises(StorageError, match=r"planned by 0\.0\.1: install one release"):
        run_task(replace(task, release="0.0.1"))
    assert not (tmp_path / "store").exists()


def test_an_executor_that_calls_the_work_back_is_an_error_that_says_so(
    source: Path, recipe: Path, tmp_path: Path
) -> None:
    class Gone(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(CancelledError())
            return future

    with pytest.raises(StorageError, match="has called the work back"):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path, executor=Gone())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "threads", "scheduler": "tcp://head:1"}, "add --executor dask"),
        ({"kind": "dask", "slurm_options": {"mem_gb": 4}}, "add --executor slurm"),
        ({"kind": "dask", "scheduler": "tcp://head:1", "workers": 2}, "has workers of its own"),
        ({"kind": "dask", "scheduler": "tcp://head"}, "expected the address of a Dask scheduler"),
        ({"kind": "dask", "scheduler": "file:///head:1"}, "expected the address of a Dask scheduler"),
    ],
)
def test_arguments_of_another_executor_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        executor_maker(**arguments)


@pytest.mark.parametrize(("name", "extra"), [("distributed", "dask"), ("submitit", "slurm")])
def test_a_missing_library_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: Any
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"neurodata-pipeline\[{extra}\]"):
        executor_maker(extra, slurm_folder=tmp_path)  # before any file is hashed


def test_the_command_takes_threads_and_refuses_what_does_not_fit(source: Path, recipe: Path, tmp_path: Path) -> None:
    arguments = ("prepare", "dvs-gesture", "--recipe", recipe, "--source", source, "--cache", tmp_path)
    done = command(*arguments, "--executor", "threads", "--workers", "2")
    assert done.returncode == 0, done.stderr
    for wrong in (("--scheduler", "tcp://head:1"), ("--slurm-option", "mem_gb=4"), ("--executor", "spark")):
        refused = command(*arguments, *wrong)
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr


class TestDask:
    pytestmark = pytest.mark.filterwarnings("ignore")

    @pytest.fixture(autouse=True)
    def _needs_dask(self) -> None:
        pytest.importorskip("distributed")

    def test_workers_of_this_machine_and_a_scheduler_elsewhere_give_the_same_bytes(
        self, source: Path, recipe: Path, tmp_path: Path
    ) -> None:
        import distributed

        expected = tree(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "1").path)
        own = prepare_with(executor_maker("dask", 2), recipe, source, tmp_path / "2")
        assert tree(own) == expected
        with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
            address = cluster.scheduler_address
            there = prepare_with(executor_maker("dask", scheduler=address), recipe, source, tmp_path / "3")
            assert tree(there) == expected
            with distributed.Client(address, set_as_default=False) as client:
                lent = neurodata.prepare(
                    "dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "4", executor=client.get_executor()
                )
                assert tree(lent.path) == expected
                assert client.submit(int).result() == 0  # not shut down

    def test_a_failing_sample_is_named_and_ends_the_run(self, source: Path, recipe: Path, tmp_path: Path) -> None:
        damaged = source / "user02_natural.aedat"
        damaged.write_bytes(damaged.read_bytes()[:-5])
        with pytest.raises(FormatError, match=r"user02_natural\.aedat: .*byte \d+"):
            prepare_with(executor_maker("dask", 1), recipe, source, tmp_path)

    def test_an_interruption_ends_the_run_and_its_workers_without_a_traceback(
        self, recipe: Path, tmp_path: Path
    ) -> None:
        source = write_gestures(tmp_path / "long", 60)
        run = start(recipe, source, tmp_path / "cache", "--executor", "dask")
        os.killpg(run.pid, signal.SIGINT)  # Ctrl-C in a terminal
        _, notes = run.communicate(timeout=30)
        assert group_is_gone(run.pid)
        assert run.returncode == 130, notes
        assert "Traceback" not in notes
        assert len(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "cache")) == 180

    def test_workers_of_this_machine_that_cannot_be_started_again_end_the_run(self) -> None:
        """Dask gives up a worker that dies while it starts, and would wait for others for ever."""
        before = set(active_children())
        with dask_cluster(1) as executor:
            future = executor.submit(time.sleep, 60)
            deadline = time.monotonic() + 60
            while not future.done() and time.monotonic() < deadline:
                for worker in set(active_children()) - before:
                    worker.kill()
                time.sleep(0.05)
            with pytest.raises(StorageError, match="could not be started again"):
                future.result(timeout=0)

    def test_what_a_worker_finished_is_not_done_again_when_it_dies(self, tmp_path: Path) -> None:
        import distributed

        log = tmp_path / "done"
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            dask_cluster(2, cluster.scheduler_address) as executor,
        ):
            done = [executor.submit(note_done, log, k) for k in range(20)]
            assert [future.result(timeout=60) for future in done] == list(range(20))
            first = next(iter(cluster.workers.values()))
            os.kill(first.process.pid, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while first.process is None or not first.process.is_alive() or first.status.name != "running":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert executor.submit(note_done, log, 20).result(timeout=60) == 20
        assert sorted(map(int, log.read_text().split())) == list(range(21))

    def test_a_scheduler_that_dies_is_an_error_and_the_run_goes_on_with_another(
        self, source: Path, recipe: Path, tmp_path: Path
    ) -> None:
        scheduler = subprocess.Popen([sys.executable, "-c", SCHEDULER], stdout=subprocess.PIPE, text=True)
        assert scheduler.stdout is not None
        with scheduler.stdout:
            address = scheduler.stdout.readline().strip()

        def kill(stage: str, done: int, total: int | None, unit: str) -> None:
            if stage == "encode" and done == 3:
                scheduler.kill()
                scheduler.wait()

        dataset = find_dataset("dvs-gesture")
        with pytest.raises(StorageError, match="called the work back"):
            prepare_recipe(
                load_recipe(dataset, recipe),
                source_request(dataset, source),
                tmp_path / "1",
                make_executor=executor_maker("dask", scheduler=address),
                progress=kill,
            )
        expected = tree(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "2").path)
        assert tree(prepare_with(executor_maker("dask", 1), recipe, source, tmp_path / "1")) == expected

    def test_an_address_where_nobody_answers_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import dask

        with (
            dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
            pytest.raises(StorageError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler to work with"),
            dask_cluster(1, "tcp://127.0.0.1:1"),
        ):
            pass


class TestSlurm:
    pytestmark = pytest.mark.filterwarnings("ignore")

    @pytest.fixture(autouse=True)
    def _needs_submitit(self) -> None:
        pytest.importorskip("submitit")

    def make(self, folder: Path, jobs: int, **options: Any) -> Make:
        options |= {"cluster": "local"}
        return executor_maker("slurm", jobs, slurm_options=options, slurm_folder=folder)

    def test_jobs_give_the_same_bytes_and_leave_nothing(self, source: Path, recipe: Path, tmp_path: Path) -> None:
        expected = tree(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "1").path)
        path = prepare_with(self.make(tmp_path / "jobs", 2, partition="cpu"), recipe, source, tmp_path / "2")
        assert tree(path) == expected
        assert list((tmp_path / "jobs").iterdir()) == []

    def test_a_failing_sample_is_named_and_ends_the_run_and_the_logs_are_kept(
        self, source: Path, recipe: Path, tmp_path: Path
    ) -> None:
        damaged = source / "user24_lab.aedat"
        damaged.write_bytes(damaged.read_bytes()[:-5])
        with pytest.raises(FormatError, match=r"user24_lab\.aedat: .*byte \d+"):
            prepare_with(self.make(tmp_path / "jobs", 1), recipe, source, tmp_path / "2")
        assert list((tmp_path / "jobs").rglob("*.out"))

    def test_a_job_that_dies_is_an_error_that_names_its_log(self, tmp_path: Path) -> None:
        with (
            pytest.raises(StorageError, match=r"Slurm job \d+ ended before its work was done .*log is .*\.err"),
            slurm_jobs(1, 1, tmp_path, cluster="local") as executor,
        ):
            executor.submit(die).result(timeout=60)

    def test_jobs_that_cannot_be_looked_at_are_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Such as on a share that is away: who waits for them would wait for ever."""
        import submitit

        def fail(job: object, force_check: bool = False) -> bool:
            raise OSError("Stale file handle")

        monkeypatch.setattr(submitit.LocalJob, "done", fail)
        with (
            pytest.raises(StorageError, match=r"Slurm job \d+ ended .*Stale file handle"),
            slurm_jobs(1, 1, tmp_path, cluster="local") as executor,
        ):
            executor.submit(int).result(timeout=10)

    def test_jobs_end_with_the_run(self, tmp_path: Path) -> None:
        class Killed(BaseException):
            pass

        def run() -> None:
            with slurm_jobs(2, 2, tmp_path, cluster="local") as executor:
                futures.extend(executor.submit(write_late, tmp_path / name) for name in "ab")
                raise Killed

        futures: list[Future[Any]] = []
        with pytest.raises(Killed):
            run()
        assert all(future.cancelled() for future in futures)

    def test_an_option_that_is_none_is_refused_before_jobs_are_sent(self, tmp_path: Path) -> None:
        with (
            pytest.raises(RecipeError, match=r"--slurm-option: .*nonsense"),
            slurm_jobs(1, 1, tmp_path, {"nonsense": 3}, cluster="local"),
        ):
            pass

    def test_a_machine_without_slurm_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NeurodataError, match="there is no `sbatch` here"), slurm_jobs(1, 1, tmp_path):
            pass


# A scheduler and its worker in one process: they die together.
SCHEDULER = """
import time, distributed
cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp",
                                   dashboard_address=None)
print(cluster.scheduler_address, flush=True)
time.sleep(600)
"""


def note_done(log: Path, number: int) -> int:
    with log.open("a") as file:
        file.write(f"{number}\n")
    return number


def die() -> None:
    import os

    os._exit(7)


def write_late(path: Path) -> None:
    import time

    time.sleep(60)
    path.write_text("")
