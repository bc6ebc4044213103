"""One run at a time: a lock that says who holds it and that a killed holder gives back."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from neurodata.errors import StorageError
from neurodata.storage._disk import cannot
from neurodata.storage._files import read_json, write_json

_POLL_S = 0.1


@contextmanager
def exclusive(path: Path, what: str, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock while the block runs; waits while another process or thread holds it.

    The operating system holds the lock, so it is free again when the holder ends, however it ends. The
    lock file stays: deleting it would let two runs in. Who holds the lock stands in a second file beside it.

    Parameters
    ----------
    path
        The lock file, such as `folder / ".lock"`; its folder is made where missing.
    what
        What is being done, for those who wait: "preparing dvs-gesture".
    on_wait
        Called once, with a sentence naming the holder, before waiting; may raise to give up instead.

    Raises
    ------
    StorageError
        When the lock file cannot be written.
    """
    holder = path.with_name(f"{path.name}.holder")
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, path, holder, on_wait)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise cannot("lock", path, error) from error
    try:
        write_json(holder, {"what": what, "process": os.getpid(), "host": platform.node()})
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _acquire(lock: FileLock, path: Path, holder: Path, on_wait: Callable[[str], None] | None) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is not None:
            on_wait(f"waiting for {_describe(holder)}, which holds {path}")
        lock.acquire(poll_interval=_POLL_S)


def _describe(holder: Path) -> str:
    try:
        record = read_json(holder)
        return f"{record['what']} (process {record['process']} on {record['host']})"
    except (StorageError, KeyError, TypeError):
        return "another run"  # taken a moment ago, or given back just now
