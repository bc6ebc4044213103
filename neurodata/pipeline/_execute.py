"""Execute: read, transform, encode and write one shard; or all of them, on threads, processes or any executor."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from neurodata import registry
from neurodata.datasets import SampleRef
from neurodata.errors import EncodingError, StorageError
from neurodata.formats import Recording
from neurodata.pipeline._plan import ShardTask
from neurodata.progress import Progress, silent
from neurodata.store import Counts, EncodedSample, SampleRow, committed, write_shard


def run_task(task: ShardTask) -> int:
    """Write one shard and its commit record; the number of samples in it.

    Raises
    ------
    FormatError, SourceNotFoundError, EncodingError, StorageError
        Naming the file or sample; nothing half-written is left.
    """
    shard = _ShardEncoder(task)
    write_shard(task.folder, task.shard, task.layout, shard.samples(), shard.counts)
    return len(task.refs)


def run_tasks(tasks: Sequence[ShardTask], executor: Executor, n_samples: int, progress: Progress = silent) -> None:
    """Run all tasks on an executor; the first failure stops the rest."""
    done = n_samples - sum(len(task.refs) for task in tasks)
    progress("encode", done, n_samples, "samples")
    waiting = iter(tasks)
    # Few tasks are handed out at a time: a failure or Ctrl-C then has little to call back.
    running = {executor.submit(run_task, task) for _, task in zip(range(64), waiting, strict=False)}
    try:
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done += future.result()
                progress("encode", done, n_samples, "samples")
            running |= {executor.submit(run_task, task) for _, task in zip(finished, waiting, strict=False)}
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process died (killed, or out of memory); finished shards are kept: run the same command again "
            "to go on, with fewer --workers if memory ran out"
        ) from error
    finally:
        for future in running:
            future.cancel()


def unfinished(tasks: Sequence[ShardTask]) -> list[ShardTask]:
    """Tasks whose shard has no valid commit record yet."""
    return [task for task in tasks if not committed(task.folder, task.shard, task.layout, task.rows)]


def process_pool(workers: int) -> Executor:
    """Worker processes started afresh: a fork would copy locks that threads of this process may hold."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def thread_pool(workers: int) -> Executor:
    """Threads of this process: no `__main__` guard needed; kernels and compression run without the GIL."""
    return ThreadPoolExecutor(workers, thread_name_prefix="neurodata-prepare")


class _ShardEncoder:
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
        path, recording = "", None
        for ref in self.task.refs:
            if recording is None or ref.recording != path:
                path, recording = ref.recording, self._open(ref.recording)
            yield self._encode(ref, recording)

    def _open(self, name: str) -> Recording:
        dataset = registry.datasets[self.task.recipe.dataset]
        recording: Recording = registry.formats[dataset.format].open(self.task.root / name, dataset.sensor)
        if name in self.task.first_seen:
            self.notes.update(recording.findings)
        return recording

    def _encode(self, ref: SampleRef, recording: Recording) -> EncodedSample:
        events = recording.events(ref.start_us, ref.stop_us)
        if ref.stop_us is not None and ref.stop_us > recording.stop_us:
            self.notes["clipped at the end of the recording"] += 1
        if len(events) == 0:
            self.notes["samples without events"] += 1
        tally: Counter[str] = Counter()
        try:
            array = self.task.recipe.encode(events, tally)
        except EncodingError as error:
            raise EncodingError(f"{recording.path}: sample {ref.key}: {error}") from None
        self.read += len(events)
        self.encoded += int(array.sum())
        self.dropped.update(tally)
        return EncodedSample(SampleRow(ref.key, ref.target, ref.group), array, len(events), events.duration_us)
