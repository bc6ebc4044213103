"""Threads of an iteration end with it: soon, in whatever thread, and in whatever process."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import numpy as np
import pytest
from torch import Tensor

from neurodata.errors import StoreError
from neurodata.loader import Batch, Loader, LoaderError, Split, Store
from neurodata.loader._ahead import Workers, read_ahead

LIMIT_S = 60


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def loader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("neurodata-loader")]


def in_a_fork(work: Callable[[], object]) -> int:
    """Exit status of a forked child that does some work, 1 where it raises, 2 where it has not ended in time."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 2


def slow(frames: Tensor, rng: np.random.Generator) -> Tensor:
    time.sleep(0.05)
    return frames


def count(loader: Loader) -> int:
    return len(list(loader))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_loader_goes_on_in_a_forked_child(train: Split) -> None:
    loader = train.loader(4, resize=(2, 2), threads=2)
    assert count(loader) == 5
    assert in_a_fork(lambda: list(loader)) == 0
    open_iteration = iter(loader)
    next(open_iteration)
    assert in_a_fork(lambda: list(loader)) == 0
    assert len(list(open_iteration)) == 4


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_iteration_that_a_fork_cut_off_is_refused_and_does_not_hang(train: Split) -> None:
    iteration = iter(train.loader(1, threads=2, transform=slow))
    next(iteration)

    def go_on() -> None:
        with pytest.raises(LoaderError, match="before a fork"):
            next(iteration)

    assert in_a_fork(go_on) == 0
    assert in_a_fork(iteration.close) == 0
    assert len(list(iteration)) == 16


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_loader_goes_to_another_process(train: Split, method: str) -> None:
    loader = train.loader(4)
    count(loader)
    assert len(pickle.dumps(loader)) < 30_000
    with get_context(method).Pool(1) as pool:
        assert pool.apply_async(count, (loader,)).get(timeout=LIMIT_S) == 5


def test_leaving_waits_for_the_samples_in_hand_only(train: Split) -> None:
    begun: list[int] = []

    def watch(frames: Tensor, rng: np.random.Generator) -> Tensor:
        begun.append(int(frames[0, 0, 0, 0]))
        return slow(frames, rng)

    iteration = iter(train.loader(8, threads=1, transform=watch))
    next(iteration)
    n_begun = len(begun)
    iteration.close()
    assert len(begun) <= n_begun + 1
    assert not loader_threads()


def test_an_iteration_may_be_collected_by_a_thread_of_its_own(train: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    may_collect, waiting = threading.Event(), threading.Event()

    def collect(frames: Tensor, rng: np.random.Generator) -> Tensor:
        if frames[0, 0, 0, 0] == 2:
            waiting.set()
            may_collect.wait(LIMIT_S)
            gc.collect()
        return frames

    class Cycle:
        def __init__(self, iteration: Iterator[Batch]) -> None:
            self.iteration, self.itself = iteration, self

    gc.disable()
    try:
        cycle = Cycle(iter(train.loader(1, threads=1, prefetch=3, transform=collect)))
        next(cycle.iteration)
        assert waiting.wait(LIMIT_S)
        del cycle
        may_collect.set()
        deadline = time.monotonic() + LIMIT_S
        while loader_threads() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        gc.enable()
    assert not loader_threads()
    assert not unraisable


SCRIPT = """
import sys, threading, time
from neurodata.loader import Store

def slow(frames, rng):
    time.sleep(0.02)
    return frames

loader = Store(sys.argv[1])["train"].loader(4, threads=2, transform=slow)
print("begun", flush=True)
try:
    while True:
        for batch in loader:
            pass
except KeyboardInterrupt:
    print([thread.name for thread in threading.enumerate()])
"""


@pytest.mark.parametrize("pause_s", [0.1, 0.25])
def test_ctrl_c_ends_the_threads(store: Store, pause_s: float) -> None:
    arguments = [sys.executable, "-c", SCRIPT, str(store.path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, printed, errors) == (0, "['MainThread']\n", "")


@pytest.mark.parametrize("harm", ["vanished", "cut while open"])
def test_a_harmed_file_is_a_clear_error_and_no_hang(new_store: Callable[..., Store], harm: str) -> None:
    store = new_store()
    loader = store["train"].loader(4, threads=2)
    file = store.path / "data.zarr/frames/c/1/0/0/0/0"
    if harm == "vanished":
        file.unlink()
    else:
        count(loader)
        os.truncate(file, 50)
    found: list[BaseException] = []

    def run() -> None:
        try:
            count(loader)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    [error] = found
    assert isinstance(error, StoreError)
    assert "rec008" in str(error)
    assert str(file) in str(error)
    assert not loader_threads()


def test_portions_are_taken_as_they_are_needed_and_come_in_order() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    def begin(number: int, workers: Workers) -> object:
        return workers.submit(lambda: (time.sleep(0.002 * (10 - number)), number)[1])

    with_results = read_ahead(numbers(), begin, lambda begun: begun.result(), n_threads=3, ahead=2)  # type: ignore[attr-defined]
    for expected in range(10):
        assert next(with_results) == expected
        assert taken[-1] <= expected + 2
    assert list(with_results) == []


def test_a_loader_without_prefetch_reads_only_what_is_asked_for(train: Split) -> None:
    read: list[int] = []

    def watch(frames: Tensor, rng: np.random.Generator) -> Tensor:
        read.append(int(frames[0, 0, 0, 0]))
        return frames

    iteration = iter(train.loader(1, prefetch=0, transform=watch))
    next(iteration)
    time.sleep(0.05)
    iteration.close()
    assert read == [0]
