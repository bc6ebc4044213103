"""Which executor runs the work, by the names of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from neurodata.errors import RecipeError
from neurodata.pipeline._dask import dask_cluster, require_dask
from neurodata.pipeline._executors import MakeExecutor, process_pool, thread_pool
from neurodata.pipeline._request import n_cores
from neurodata.pipeline._slurm import require_slurm, slurm_jobs

Kind: TypeAlias = Literal["threads", "processes", "dask", "slurm"]

# Slurm jobs, if nobody says how many.
N_JOBS = 16


def executor_maker(
    kind: Kind,
    workers: int | None = None,
    *,
    scheduler: str | None = None,
    slurm_options: Mapping[str, Any] | None = None,
    slurm_folder: Path | None = None,
) -> MakeExecutor:
    """What makes the executor of a kind when it is known how many tasks there are.

    Parameters
    ----------
    workers
        Threads, processes or Dask workers of this machine, all cores when None; or Slurm jobs, 16 when None.
    scheduler
        Of "dask": the address of a running one.
    slurm_options, slurm_folder
        Of "slurm": see `slurm_jobs`; "cluster" among the options is its `cluster`.

    Raises
    ------
    RecipeError
        When an argument is for another kind, or the scheduler's address is none.
    MissingExtraError, StorageError
        When what the kind needs is not there: the library, or Slurm. Files are not read before that is known.
    """
    if scheduler is not None and kind != "dask":
        raise RecipeError(f"--scheduler {scheduler} is an address of Dask: add --executor dask")
    if slurm_options and kind != "slurm":
        raise RecipeError("--slurm-option is for jobs of Slurm: add --executor slurm")
    if scheduler is not None and workers is not None:
        raise RecipeError(f"--workers {workers}: the scheduler {scheduler} has workers of its own: leave one out")
    options = dict(slurm_options or {})
    cluster = options.pop("cluster", "slurm")
    if kind == "dask":
        require_dask(scheduler)
    if kind == "slurm":
        require_slurm(cluster)

    def make(n_tasks: int) -> AbstractContextManager[Executor]:
        if kind == "slurm":
            return slurm_jobs(n_tasks, workers or N_JOBS, slurm_folder or Path("slurm").absolute(), options, cluster)
        n_workers = min(workers or n_cores(), n_tasks)
        if kind == "dask":
            return dask_cluster(n_workers, scheduler)
        return thread_pool(n_workers) if kind == "threads" else process_pool(n_workers)

    return make
