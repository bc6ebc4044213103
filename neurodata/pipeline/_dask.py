"""Work on a Dask cluster: one that is running somewhere, or worker processes of this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from neurodata.errors import MissingExtraError, RecipeError, StorageError
from neurodata.pipeline._executors import borrowed, interrupts_held_back

_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[^/]+:\d{1,5}/?")


@contextmanager
def dask_cluster(workers: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Dask's workers as an executor.

    Workers need this release of neurodata, and see the source files and the store under the same paths. A task whose
    worker dies is given to another one. After an error, what a worker of a scheduler elsewhere has begun is finished by
    it: a whole shard, of the same bytes.

    Parameters
    ----------
    workers
        Processes on this machine, where no scheduler is named.
    scheduler
        Address of a running one: "tcp://head:8786".

    Raises
    ------
    MissingExtraError, RecipeError
        As `require_dask`.
    StorageError
        When nothing answers at the address, or a task has cost several workers their life.
    """
    distributed = require_dask(scheduler)
    with ExitStack() as stack:
        try:
            with interrupts_held_back():
                cluster = scheduler or stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
                    )
                )
                client = stack.enter_context(distributed.Client(cluster, set_as_default=False))
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{scheduler or 'dask'}: no Dask scheduler to work with: {error}; start one with `dask scheduler` and "
                "name its address, such as tcp://head:8786, or none to use this machine"
            ) from error
        try:
            yield stack.enter_context(borrowed(stack.enter_context(_DaskExecutor(client))))
        except distributed.KilledWorker as error:
            raise StorageError(
                f"Dask workers died, and those that took over: {error}; finished shards are kept: run the same command "
                "again to go on, with more memory for each worker if it ran out"
            ) from error


def require_dask(scheduler: str | None = None) -> Any:
    """The library distributed; what can be known to be wrong before there is work to do.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    RecipeError
        When the scheduler is named by something that is no address.
    """
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        # A client would wait for a minute, and then print a traceback.
        raise RecipeError(f"--scheduler {scheduler}: expected the address of a Dask scheduler, such as tcp://head:8786")
    try:
        return import_module("distributed")
    except ImportError as error:
        raise MissingExtraError(
            'dask: the work is shared out by distributed: pip install "neurodata-pipeline[dask]"'
        ) from error


class _DaskExecutor(Executor):
    """As `client.get_executor`, which logs a traceback where a future is cancelled whose task then ends."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._theirs: list[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        ours: Future[Any] = Future()
        theirs = self._client.submit(fn, *args, pure=False, **kwargs)
        self._theirs.append(theirs)
        theirs.add_done_callback(partial(_pass_on, ours))
        return ours

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._client.cancel([theirs for theirs in self._theirs if not theirs.done()])


def _pass_on(ours: Future[Any], theirs: Any) -> None:
    """Give on how a call ended; the scheduler forgets it, or would have it done again when the worker dies later."""
    if not ours.set_running_or_notify_cancel():
        return
    if theirs.cancelled():
        ours.set_exception(CancelledError())
    elif (error := theirs.exception()) is not None:
        ours.set_exception(error)
    else:
        result = theirs.result()
        theirs.release()
        ours.set_result(result)
