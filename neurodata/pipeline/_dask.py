"""Work on a Dask cluster: one that is running somewhere, or worker processes of this machine."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from contextlib import ExitStack, contextmanager, suppress
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
        When nothing answers at the address, a task has cost several workers their life, or workers of this machine died
        that could not be started again. Where the scheduler is elsewhere, workers that come later are waited for.
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
            executor = stack.enter_context(_DaskExecutor(client))
            if scheduler is None:
                stack.enter_context(_watched(executor, lambda: _has_workers(cluster)))
            yield stack.enter_context(borrowed(executor))
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
        self._calls: list[tuple[Future[Any], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        ours: Future[Any] = Future()
        theirs = self._client.submit(fn, *args, pure=False, **kwargs)
        self._calls.append((ours, theirs))
        theirs.add_done_callback(partial(_pass_on, ours))
        return ours

    def give_up(self, error: Exception) -> None:
        """End all calls that have not ended."""
        for ours, _ in self._calls:
            _end(ours, error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._client.cancel([theirs for _, theirs in self._calls if not theirs.done()])


@contextmanager
def _watched(executor: _DaskExecutor, has_workers: Callable[[], bool]) -> Iterator[None]:
    """End the calls when nobody is left to do them: Dask would wait for workers for ever."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(1.0):
            if not has_workers():
                executor.give_up(
                    StorageError(
                        "Dask's worker processes died and could not be started again (killed, or out of memory); "
                        "finished shards are kept: run the same command again to go on, with fewer --workers if "
                        "memory ran out"
                    )
                )
                return

    watcher = threading.Thread(target=watch, name="neurodata-dask", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _has_workers(cluster: Any) -> bool:
    """Whether a process that starts a worker again, when it dies, has not given up."""
    return any(nanny.status.name not in ("closing", "closed", "failed") for nanny in list(cluster.workers.values()))


def _pass_on(ours: Future[Any], theirs: Any) -> None:
    """Give on how a call ended; the scheduler forgets it, or would have it done again when the worker dies later."""
    if ours.done() or not ours.set_running_or_notify_cancel():
        return
    if theirs.cancelled():
        _end(ours, CancelledError())
    elif (error := theirs.exception()) is not None:
        _end(ours, error)
    else:
        try:
            result = theirs.result()
        except Exception:  # the scheduler ended before it could be had
            _end(ours, CancelledError())
            return
        theirs.release()
        with suppress(InvalidStateError):
            ours.set_result(result)


def _end(future: Future[Any], error: BaseException) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
