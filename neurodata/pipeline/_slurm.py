"""Work on a Slurm cluster through submitit: one job array, each job of which does its portion of the shards."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from neurodata.errors import MissingExtraError, RecipeError, StorageError

# How often jobs are looked at, and how long one may run if nobody says otherwise (submitit: 5 minutes).
POLL_S = 0.5
TIMEOUT_MIN = 240

# Parameters of submitit's AutoExecutor that are not one cluster's own.
COMMON = frozenset(
    {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node", "stderr_to_stdout"}
)

Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]


@contextmanager
def slurm_jobs(
    n_calls: int, jobs: int, folder: Path, options: Mapping[str, Any] | None = None, cluster: str = "slurm"
) -> Iterator[Executor]:
    """Slurm jobs as an executor; they are sent when all calls are there, and cancelled when the block ends before them.

    Parameters
    ----------
    n_calls
        How many calls will be submitted.
    jobs
        In how many portions they are done: the size of the job array.
    folder
        Where jobs and their logs are kept while the block runs, and after an error: on a disk that all nodes see.
    options
        Parameters of submitit's AutoExecutor ("mem_gb", "timeout_min", "cpus_per_task"), and of `sbatch` ("partition",
        "account", "qos").
    cluster
        "slurm"; or "local": processes of this machine, which take the same way.

    Raises
    ------
    MissingExtraError
        When the library submitit is not installed.
    RecipeError
        When there is no such option.
    StorageError
        When there is no Slurm here, or it refuses the jobs; when a job died, in the results of its calls.
    """
    submitit = require_slurm(cluster)
    logs = folder / secrets.token_hex(4)
    backend = submitit.AutoExecutor(folder=logs, cluster=cluster)
    _set_options(backend, {"name": "neurodata", "timeout_min": TIMEOUT_MIN} | dict(options or {}), jobs, cluster)
    executor = _JobExecutor(backend, n_calls, jobs)
    try:
        yield executor
    finally:
        executor.shutdown()
    shutil.rmtree(logs, ignore_errors=True)


def require_slurm(cluster: str = "slurm") -> Any:
    """The library submitit; what can be known to be wrong before there is work to do.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    StorageError
        When there is no Slurm here.
    """
    try:
        submitit = import_module("submitit")
    except ImportError as error:
        raise MissingExtraError(
            'slurm: jobs are sent by submitit: pip install "neurodata-pipeline[slurm]"; or send a job array of '
            "your own with `neurodata prepare --shard I/N`, and `neurodata finalise` after it"
        ) from error
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise StorageError(
            "slurm: there is no `sbatch` here; run this on a node that sends jobs, or try it with "
            "--slurm-option cluster=local"
        )
    return submitit


def _set_options(backend: Any, options: dict[str, Any], jobs: int, cluster: str) -> None:
    """Names of AutoExecutor as they are, others as Slurm's own."""
    named = {name if name in COMMON else f"slurm_{name.removeprefix('slurm_')}": options[name] for name in options}
    if cluster == "slurm":
        named |= {"slurm_array_parallelism": jobs}
    try:
        backend.update_parameters(**named)
    except (NameError, TypeError, ValueError, AssertionError) as error:
        raise RecipeError(f"--slurm-option: {error}") from error


class _JobExecutor(Executor):
    def __init__(self, backend: Any, n_calls: int, n_jobs: int) -> None:
        self._backend, self._n_calls, self._n_jobs = backend, n_calls, min(n_jobs, n_calls)
        self._calls: list[Call] = []
        self._futures: list[Future[Any]] = []
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert not kwargs, "calls of the pipeline have none"
        self._calls.append((fn, args))
        self._futures.append(Future())
        if len(self._calls) == self._n_calls:
            self._send()
        return self._futures[-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()

    def _send(self) -> None:
        portions = [slice(k, None, self._n_jobs) for k in range(self._n_jobs)]
        try:
            with self._backend.batch():
                jobs = [self._backend.submit(attempt, self._calls[portion]) for portion in portions]
        except (OSError, RuntimeError) as error:
            raise StorageError(f"slurm: jobs cannot be sent: {error}") from error
        waiting = {job: self._futures[portion] for job, portion in zip(jobs, portions, strict=True)}
        self._watcher = threading.Thread(target=self._watch, args=(waiting,), name="neurodata-slurm", daemon=True)
        self._watcher.start()

    def _watch(self, waiting: dict[Any, list[Future[Any]]]) -> None:
        while waiting and not self._ended.is_set():
            for job in list(waiting):
                if outcomes := _outcomes(job):
                    _settle(waiting.pop(job), outcomes)
            self._ended.wait(POLL_S)
        for job, futures in waiting.items():
            with suppress(Exception):  # what cannot be cancelled ends by itself
                job.cancel(check=False)
            for future in futures:
                future.cancel()


def attempt(calls: Sequence[Call]) -> list[Any]:
    """In a job: what each call gives; up to the first that fails, with what it raised in the last place."""
    results: list[Any] = []
    for function, arguments in calls:
        try:
            results.append(function(*arguments))
        except Exception as error:
            return [*results, error]
    return results


def _outcomes(job: Any) -> list[Any]:
    """What came of a job's calls, an error included; nothing while it runs."""
    try:
        outcomes: list[Any] = job.result() if job.done() else []
    except Exception as error:
        return [
            StorageError(
                f"Slurm job {job.job_id} ended before its work was done (killed, out of time or memory?): its log is "
                f"{job.paths.stderr}; finished shards are kept: run the same command again to go on "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__})"
            )
        ]
    return outcomes


def _settle(futures: Sequence[Future[Any]], outcomes: Sequence[Any]) -> None:
    """Each call's outcome; the error of the last one that was tried is that of the rest."""
    for k, future in enumerate(futures):
        outcome = outcomes[min(k, len(outcomes) - 1)]
        if not future.set_running_or_notify_cancel():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
