"""Build a store from a plan: run what is unfinished, then finalise; one run at a time for each store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from neurodata.errors import EncodingError, StorageError
from neurodata.pipeline._execute import run_tasks, unfinished
from neurodata.pipeline._executors import MakeExecutor
from neurodata.pipeline._find import is_finished, rebuild_folders
from neurodata.pipeline._plan import Plan
from neurodata.progress import Progress, silent
from neurodata.storage import Lease, exclusive, remove_leftovers
from neurodata.store import committed_counts, finalise


def build_store(
    plan: Plan,
    stores: Path,
    make_executor: MakeExecutor,
    *,
    force: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Path:
    """Write the plan's store below `stores`; one that is finished is returned, one that is interrupted completed.

    So is one whose manifest or sample table is damaged. The bytes do not depend on the executor, nor on interruptions.
    Another run that prepares the same store is waited for.

    Parameters
    ----------
    make_executor
        Called with the number of tasks when there is work to do.
    force
        Build anew beside the finished store, and replace it when complete. What an interrupted rebuild
        finished is kept.

    Returns
    -------
    Path
        The store's folder.

    Raises
    ------
    StorageError
        When files cannot be written, or this run was silent for so long that another one has taken over.
    """
    target = stores / plan.head.dataset / plan.folder_name
    fresh, old = rebuild_folders(target)
    with exclusive(target.with_name(f".{target.name}.lock"), f"preparing {target.name}", on_wait) as lease:
        if old.exists() and not target.exists():
            old.replace(target)  # A run was killed between the two renames below.
        shutil.rmtree(old, ignore_errors=True)
        if not force:
            if not is_finished(target):
                _run(plan, target, make_executor, lease, progress)
            return target
        _run(plan, fresh, make_executor, lease, progress)
        if target.exists():
            target.replace(old)
        fresh.replace(target)
        shutil.rmtree(old, ignore_errors=True)
    return target


def _run(plan: Plan, folder: Path, make_executor: MakeExecutor, lease: Lease, progress: Progress) -> None:
    todo = unfinished(plan.tasks(folder))
    if todo:
        try:
            with make_executor(len(todo)) as executor:
                run_tasks(todo, executor, len(plan.refs), progress, lease.check)
        except BaseException:
            # Workers that were ended in the middle of a shard could not tidy up. Where the lease is lost, another
            # run may be writing what looks left over.
            with suppress(StorageError):
                lease.check()
                remove_leftovers(folder)
            raise
    lease.check()
    _check_some_encoded(folder, plan.n_shards)
    finalise(folder, plan.head, plan.n_shards, plan.schemes)


def _check_some_encoded(folder: Path, n_shards: int) -> None:
    """A store of nothing is nobody's wish."""
    total = committed_counts(folder, n_shards)
    if total.read and not total.encoded:
        raise EncodingError(
            f"{folder}: none of {total.read:,} events was encoded: dropped {dict(total.dropped)}. Do the windows begin "
            'where the recordings do (spike_raster: origin = "first-spike"), and are they long enough?'
        )
