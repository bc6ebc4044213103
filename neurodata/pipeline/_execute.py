"""Execute: read, transform, encode and write one shard; or all of them, on threads, processes or any executor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import groupby
from multiprocessing import active_children
from typing import Any, cast

from numpy.typing import NDArray

from neurodata import registry
from neurodata.datasets import SampleRef
from neurodata.errors import EncodingError, FormatError, StorageError
from neurodata.formats import Format, Recording, open_collection
from neurodata.pipeline._plan import ShardTask
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe
from neurodata.signals import EventArray
from neurodata.steps import ADDED
from neurodata.store import Counts, EncodedSample, SampleRow, committed, write_shard


def run_task(task: ShardTask) -> int:
    """Write one shard and its commit record; the number of samples in it.

    Raises
    ------
    FormatError, SourceNotFoundError, EncodingError, StorageError
        Naming the file or sample; nothing half-written is left.
    """
    shard = ShardEncoder(task)
    write_shard(task.folder, task.shard, task.layout, shard.samples(), shard.counts)
    return len(task.refs)


def run_tasks(tasks: Sequence[ShardTask], executor: Executor, n_samples: int, progress: Progress = silent) -> None:
    """Run all tasks on an executor, which has to call back the others when the first one fails."""
    done = n_samples - sum(len(task.refs) for task in tasks)
    progress("encode", done, n_samples, "samples")
    try:
        for future in as_completed([executor.submit(run_task, task) for task in tasks]):
            done += future.result()
            progress("encode", done, n_samples, "samples")
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process died (killed, or out of memory); finished shards are kept: run the same command again "
            "to go on, with fewer --workers if memory ran out"
        ) from error


def unfinished(tasks: Sequence[ShardTask]) -> list[ShardTask]:
    """Tasks whose shard has no valid commit record yet."""
    return [task for task in tasks if not committed(task.folder, task.shard, task.layout, task.rows)]


@contextmanager
def process_pool(workers: int) -> Iterator[Executor]:
    """Worker processes started afresh: a fork would copy locks that threads of this process may hold.

    An error or Ctrl-C in the block ends them at once; they also end when this process does, however it ends.
    """
    others = set(active_children())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin_worker) as executor:
        try:
            with _interrupts_held_back():
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
        for future in lent.futures:
            future.cancel()
        wait(lent.futures)


class _Borrowed(Executor):
    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(self.executor.submit(fn, *args, **kwargs))
        return self.futures[-1]


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C arrives at the end of the block; processes started in it never get one, so that only this one answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """An orphan would wait for work for ever, and write into a store that another run has taken over."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class ShardEncoder:
    """The samples of one shard, encoded one by one, and what was counted on the way."""

    def __init__(self, task: ShardTask) -> None:
        self.task = task
        self.read = 0
        self.encoded = 0
        self.dropped: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def counts(self) -> Counts:
        return Counts(self.read, self.encoded, dict(self.dropped), dict(self.notes))

    def samples(self) -> Iterator[EncodedSample]:
        # Samples of a file stand together: it is opened once.
        for name, refs in groupby(self.task.refs, key=lambda ref: ref.recording):
            of_file = list(refs)
            if of_file[0].item is None:
                recording = self._open(name, of_file[0])
                for ref in of_file:
                    events = recording.events(ref.start_us, ref.stop_us)
                    yield self._encode(ref, events, (recording.start_us, recording.stop_us))
            else:
                yield from self._items(name, of_file)

    def _open(self, name: str, ref: SampleRef) -> Recording:
        dataset = self.task.recipe.dataset
        format: Format = registry.formats[ref.format or dataset.format]
        recording = format.open(self.task.root / name, dataset.sensor if dataset.imposes_sensor else None)
        if recording.sensor != dataset.sensor:
            raise FormatError(
                f"{recording.path}: its sensor is {recording.sensor}, that of {dataset.name} is {dataset.sensor}: "
                "take it out, or state one that holds all recordings with --sensor"
            )
        if name in self.task.first_seen:
            self.notes.update(recording.findings)
        return recording

    def _items(self, name: str, refs: Sequence[SampleRef]) -> Iterator[EncodedSample]:
        dataset = self.task.recipe.dataset
        collection = open_collection(self.task.root / name, refs[0].format or dataset.format, dataset.sensor)
        for ref in refs:
            reading = collection.read(cast(int, ref.item))
            events = cast(EventArray, reading.signal)
            self.notes.update(reading.findings)
            part = events.between(ref.start_us, ref.stop_us)
            yield self._encode(ref, part, (events.start_us, events.stop_us))

    def _require_inside(self, ref: SampleRef, start_us: int, stop_us: int) -> None:
        """An interval of somebody's own that misses the whole recording is a mistake, such as another clock."""
        is_before = ref.stop_us is not None and ref.stop_us <= start_us
        is_after = ref.start_us is not None and ref.start_us >= stop_us
        if start_us < stop_us and (is_before or is_after):
            raise FormatError(
                f"{self.task.root / ref.recording}: sample {ref.key} lies outside the recording, which reaches from "
                f"{start_us} to {stop_us} us on its own clock: correct start_us and end_us of the labels"
            )

    def _encode(self, ref: SampleRef, events: EventArray, recording_us: tuple[int, int]) -> EncodedSample:
        if len(events) == 0 and self.task.recipe.dataset.own_folder is not None:
            self._require_inside(ref, *recording_us)
        if ref.stop_us is not None and ref.stop_us > recording_us[1]:
            self.notes["clipped at the end of the recording"] += 1
        if len(events) == 0:
            self.notes["samples without events"] += 1
        tally: Counter[str] = Counter()
        try:
            stored = self.task.recipe.encode(events, ref.key, tally)
        except EncodingError as error:
            raise EncodingError(f"{self.task.root / ref.recording}: sample {ref.key}: {error}") from None
        self.read += len(events)
        added = {reason: n for reason, n in tally.items() if reason.startswith(ADDED)}
        dropped = {reason: n for reason, n in tally.items() if reason not in added}
        self.dropped.update(dropped)
        self.notes.update(added)
        self.encoded += _n_encoded(self.task.recipe, stored, len(events) + sum(added.values()) - sum(dropped.values()))
        start_us = stored.start_us if isinstance(stored, EventArray) else events.start_us
        row = SampleRow(ref.key, ref.target, ref.group)
        targets = self.task.recipe.dataset.targets(self.task.root, ref, events)
        return EncodedSample(row, stored, len(events), events.duration_us, start_us, targets)


def _n_encoded(recipe: Recipe, stored: NDArray[Any] | EventArray, expected: int) -> int:
    """Events that are stored: as counted, where they can be, or as expected."""
    if isinstance(stored, EventArray):
        return len(stored)
    return int(stored.sum()) if recipe.encoding.counts_events else expected
