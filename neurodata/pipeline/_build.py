"""Build a store from a plan: run what is unfinished, then finalise; one run at a time for each store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

from neurodata.pipeline._execute import run_tasks, unfinished
from neurodata.pipeline._plan import Plan
from neurodata.progress import Progress, silent
from neurodata.storage import exclusive
from neurodata.store import MANIFEST, finalise


def build_store(
    plan: Plan,
    stores: Path,
    make_executor: Callable[[], AbstractContextManager[Executor]],
    *,
    force: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] | None = None,
) -> Path:
    """Write the plan's store below `stores`; a finished one is returned as it is, an interrupted one completed.

    The bytes do not depend on the executor, nor on interruptions.

    Parameters
    ----------
    make_executor
        Called when there is work to do.
    force
        Build anew beside the finished store, and replace it when complete.

    Returns
    -------
    Path
        The store's folder.
    """
    target = stores / plan.head.dataset / plan.folder_name
    with exclusive(target.with_name(f".{target.name}.lock"), f"preparing {target.name}", on_wait):
        if not force:
            if not (target / MANIFEST).is_file():
                _run(plan, target, make_executor, progress)
            return target
        fresh, old = target.with_name(f".{target.name}.rebuild"), target.with_name(f".{target.name}.old")
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        _run(plan, fresh, make_executor, progress)
        if target.exists():
            target.replace(old)
        fresh.replace(target)
        shutil.rmtree(old, ignore_errors=True)
    return target


def _run(
    plan: Plan, folder: Path, make_executor: Callable[[], AbstractContextManager[Executor]], progress: Progress
) -> None:
    todo = unfinished(plan.tasks(folder))
    if todo:
        with make_executor() as executor:
            run_tasks(todo, executor, len(plan.refs), progress)
    finalise(folder, plan.head, plan.n_shards, plan.schemes)
