"""Build a store from a plan: run what is unfinished, then finalise; one run at a time for each store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from neurodata.errors import EncodingError, StorageError
from neurodata.pipeline._execute import run_tasks, unfinished
from neurodata.pipeline._executors import MakeExecutor
from neurodata.pipeline._find import is_finished, rebuild_folders
from neurodata.pipeline._plan import Plan, ShardTask, Share
from neurodata.pipeline._record import PLAN_RECORD, PlanRecord, check_plan, record_plan, require_shards
from neurodata.pipeline._shared_hashes import forget_hashes
from neurodata.progress import Progress, silent
from neurodata.storage import Lease, Location, delete, each, exclusive, list_below, remove_leftovers
from neurodata.store import COMMITS, MANIFEST, committed_counts, finalise


def build_store(
    plan: Plan,
    stores: Location,
    make_executor: MakeExecutor,
    *,
    force: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Location:
    """Write the plan's store below `stores`; one that is finished is returned, one that is interrupted completed.

    So is one whose manifest or sample table is damaged. The bytes do not depend on the executor, nor on interruptions.
    Another run that prepares the same store is waited for.

    Parameters
    ----------
    stores
        A folder, or a URL that can be written to.
    make_executor
        Called with the number of tasks when there is work to do.
    force
        Build anew. In a folder that happens beside the finished store, which is replaced when the new one is complete,
        and what an interrupted rebuild finished is kept. Behind a URL, where nothing can be renamed, the old store is
        unfinished from the beginning on: after an interruption, go on without `force`.

    Returns
    -------
    Path or RemotePath
        The store.

    Raises
    ------
    StorageError
        When files cannot be written, or this run was silent for so long that another one has taken over.
    """
    target = stores / plan.head.dataset / plan.folder_name
    with _turn(target, on_wait) as lease:
        if isinstance(target, Path):
            _restore(target)
        if force and isinstance(target, Path):
            _rebuild(plan, target, make_executor, lease, progress)
            return target
        if force:
            _undo(target)
        if not is_finished(target):
            _run(plan, target, make_executor, lease, progress)
    return target


def build_share(
    plan: Plan,
    stores: Location,
    share: Share,
    make_executor: MakeExecutor,
    *,
    check: Callable[[Sequence[ShardTask], Progress], None] = lambda tasks, progress: None,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Location:
    """Write one job's share of the shards, and the plan beside them; `finalise_store` finishes the store.

    Other shares may be written at the same time; the same one by one job at a time. A finished store is left alone.

    Parameters
    ----------
    check
        Asked before the tasks are done; ends the run by raising.

    Raises
    ------
    StoreError
        When the other jobs follow another plan.
    StorageError
        When files cannot be written, or another job has taken this share over.
    """
    target = stores / plan.head.dataset / plan.folder_name
    with _turn(target, on_wait, f".{share.index}-of-{share.count}") as lease:
        if not is_finished(target):
            record_plan(plan, target)
            tasks = plan.tasks(target)[share.index - 1 :: share.count]
            if todo := unfinished(tasks):
                check(todo, progress)
                with make_executor(len(todo)) as executor:
                    run_tasks(todo, executor, sum(len(task.refs) for task in tasks), progress, lease.check)
        else:
            forget_hashes(target, plan.head)
    return target


def finalise_store(target: Location, record: PlanRecord, on_wait: Callable[[str], None] | None = None) -> None:
    """Finish a store of which every shard was written, unless it is finished.

    Sizes are compared, and what the commit records say; `neurodata verify --deep` reads every byte.

    Raises
    ------
    StoreError
        When shards are missing (it names them), or the jobs followed another plan.
    StorageError
        When files cannot be read or written.
    """
    with _turn(target, on_wait) as lease:
        if not is_finished(target):
            check_plan(target, record.to_bytes())
            require_shards(target, record)
            _finish(target, record, lease)
        # Of a job that came late, or was killed at the very end.
        delete(target / PLAN_RECORD)
        forget_hashes(target, record.head)


def _turn(target: Location, on_wait: Callable[[str], None] | None, share: str = "") -> AbstractContextManager[Lease]:
    """One run at a time for a store, or for each share of its shards."""
    place = f".{target.name}{share}.lock"
    return exclusive(target.parent / place, f"preparing {target.name}", on_wait)


def _rebuild(plan: Plan, target: Path, make_executor: MakeExecutor, lease: Lease, progress: Progress) -> None:
    fresh, old = rebuild_folders(target)
    _run(plan, fresh, make_executor, lease, progress)
    if target.exists():
        target.replace(old)
    fresh.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _restore(target: Path) -> None:
    """Put back a store that a rebuild moved aside before it was killed; delete one that it replaced."""
    _, old = rebuild_folders(target)
    if old.exists() and not target.exists():
        old.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _undo(store: Location) -> None:
    """Make a store one of which nothing is finished: the manifest goes first."""
    delete(store / MANIFEST)
    each(store, lambda file: delete(store / COMMITS / file), list_below(store / COMMITS))


def _run(plan: Plan, folder: Location, make_executor: MakeExecutor, lease: Lease, progress: Progress) -> None:
    todo = unfinished(plan.tasks(folder))
    if todo:
        try:
            with make_executor(len(todo)) as executor:
                run_tasks(todo, executor, len(plan.refs), progress, lease.check)
        except BaseException:
            _tidy_up(folder, lease)
            raise
    _finish(folder, PlanRecord.of(plan), lease)


def _finish(folder: Location, record: PlanRecord, lease: Lease) -> None:
    lease.check()
    _check_some_encoded(folder, record.n_shards)
    finalise(folder, record.head, record.n_shards, record.schemes)
    delete(folder / PLAN_RECORD)
    forget_hashes(folder, record.head)


def _tidy_up(folder: Location, lease: Lease) -> None:
    """Remove what workers left that were ended in the middle of a shard; what is left of it goes at the next run."""
    if isinstance(folder, Path):
        with suppress(StorageError):
            lease.check()  # Another run that has taken over may be writing what looks left over.
            remove_leftovers(folder)


def _check_some_encoded(folder: Location, n_shards: int) -> None:
    """A store of nothing is nobody's wish."""
    total = committed_counts(folder, n_shards)
    if total.read and not total.encoded:
        raise EncodingError(
            f"{folder}: none of {total.read:,} events was encoded: dropped {dict(total.dropped)}. Do the windows begin "
            'where the recordings do (spike_raster: origin = "first-spike"), and are they long enough?'
        )
