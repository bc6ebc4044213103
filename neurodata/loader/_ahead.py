"""Batches that are read in threads, a few ahead of the one in use; the threads end with the iteration."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from neurodata.errors import LoaderError
from neurodata.loader._openmp import limit_this_thread
from neurodata.loader._source import FrameSource
from neurodata.storage import Fetched

P = ParamSpec("P")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Workers:
    """The threads of one iteration.

    Parameters
    ----------
    n_threads
        How many work on samples.
    n_fetching
        How many wait for answers of the net beside them, where that is asked for.

    Attributes
    ----------
    stopped : bool
        Whether nobody waits for what they do any more; work on several samples looks at it after each.
    """

    def __init__(self, n_threads: int, n_fetching: int = 1) -> None:
        self.stopped = False
        self._process = os.getpid()
        self._members = members = set[int]()
        # Transforms are torch's operations, and there are threads enough.
        share = max(1, torch.get_num_threads() // n_threads)

        def enter() -> None:
            members.add(threading.get_ident())
            limit_this_thread(share)

        self._pool = ThreadPoolExecutor(n_threads, "neurodata-loader", initializer=enter)
        self._fetching = ThreadPoolExecutor(n_fetching, "neurodata-loader-fetch", initializer=enter)

    def fetch(self, source: FrameSource, indices: NDArray[np.int64]) -> Future[Fetched] | None:
        """Begin to fetch what samples need, all in few requests; None where that saves nothing: of a local store."""
        if not source.store.is_remote:
            return None
        return self._fetching.submit(source.fetch, indices, lambda: self.stopped)

    def submit(self, work: Callable[P, C], *args: P.args, **kwargs: P.kwargs) -> Future[C]:
        """Have a thread do some work."""
        return self._pool.submit(work, *args, **kwargs)

    def check_process(self) -> None:
        """Refuse to wait for threads that a fork left behind in the parent.

        Raises
        ------
        LoaderError
            In a child of the process that began the iteration.
        """
        if os.getpid() != self._process:
            raise LoaderError(
                f"this iteration was begun in process {self._process}, before a fork, and its threads are there; "
                "begin another one in this process, with iter(loader)"
            )

    def close(self) -> None:
        """End the threads, each after the sample that it is at."""
        self.stopped = True
        if os.getpid() == self._process:
            # Garbage is collected in any thread: one of them cannot wait for itself.
            may_wait = threading.get_ident() not in self._members
            for pool in (self._fetching, self._pool):
                pool.shutdown(wait=may_wait, cancel_futures=True)


def fetched(fetching: Future[Fetched] | None) -> AbstractContextManager[None]:
    """A block in which samples are read from what was fetched, once that is there."""
    return nullcontext() if fetching is None else fetching.result().in_use()


def read_ahead(
    portions: Iterable[A], begin: Callable[[A, Workers], B], finish: Callable[[B], C], n_threads: int, ahead: int
) -> Generator[C, None, None]:
    """What `finish` gives for each portion, in order; closing the generator ends its threads.

    Parameters
    ----------
    portions
        What to read, taken as it is needed.
    begin
        Hands work for one portion to the threads.
    finish
        Waits for it.
    n_threads
        How many threads.
    ahead
        Portions that are begun while the one before them is used.
    """
    workers = Workers(n_threads, ahead + 1)
    begun: deque[B] = deque()
    try:
        for portion in portions:
            workers.check_process()
            begun.append(begin(portion, workers))
            if len(begun) > ahead:
                yield finish(begun.popleft())
        while begun:
            workers.check_process()
            yield finish(begun.popleft())
    finally:
        workers.close()
