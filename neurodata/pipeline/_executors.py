"""What runs the work on this machine: threads, processes started afresh, or somebody's own executor."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import active_children, resource_tracker
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

# Called with the number of tasks when there is work to do.
MakeExecutor: TypeAlias = Callable[[int], AbstractContextManager[Executor]]


@contextmanager
def process_pool(workers: int) -> Iterator[Executor]:
    """Worker processes started afresh: a fork would copy locks that threads of this process may hold.

    An error or Ctrl-C in the block ends them at once; they also end when this process does, however it ends. Their
    temporary files are in a folder of their own, which is gone afterwards.
    """
    others = set(active_children())
    spawn = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory(prefix="neurodata-", ignore_cleanup_errors=True) as scratch,
        ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin_worker, initargs=(scratch,)) as executor,
    ):
        try:
            with interrupts_held_back():
                # The pool starts one worker for each of the first tasks.
                for _ in range(workers):
                    executor.submit(int)
            yield executor
        except BaseException:
            # Calling tasks back at the same time would trip the pool's own thread (Python 3.11).
            for worker in set(active_children()) - others:
                worker.terminate()
            raise


@contextmanager
def thread_pool(workers: int) -> Iterator[Executor]:
    """Threads of this process: no `__main__` guard needed; kernels and compression run without the GIL."""
    with ThreadPoolExecutor(workers, thread_name_prefix="neurodata-prepare") as executor, borrowed(executor) as lent:
        yield lent


@contextmanager
def borrowed(executor: Executor) -> Iterator[Executor]:
    """Somebody's executor, which is not shut down; at the end, what it has not begun is called back.

    What it has begun is waited for: nobody writes to the store any more when this returns.
    """
    lent = _Borrowed(executor)
    try:
        yield lent
    finally:
        wait([future for future in lent.futures if not future.cancel()])


class _Borrowed(Executor):
    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(self.executor.submit(fn, *args, **kwargs))
        return self.futures[-1]


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C arrives at the end of the block; processes started in it never get one, so that only this one answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows
        return
    resource_tracker.ensure_running()  # when it is started, it lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(scratch: str) -> None:
    tempfile.tempdir = scratch
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()


def _end_with_parent(scratch: str) -> None:
    """An orphan would wait for work for ever, and write into a store that another run has taken over."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)
