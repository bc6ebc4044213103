"""Execute: read, transform, encode and write one shard; or all of them, on any executor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from itertools import groupby
from typing import Any, cast

from numpy.typing import NDArray

from neurodata.datasets import SampleRef
from neurodata.errors import EncodingError, FormatError, RecipeError, StorageError
from neurodata.formats import CollectionFormat, Format, Reading, Recording, SignalFormat
from neurodata.forms import Form, Sensor, admits, counted_as
from neurodata.pipeline._plan import RELEASE, ShardTask
from neurodata.progress import Progress, silent
from neurodata.recipe import Recipe
from neurodata.signals import EventArray, PointCloud, Signal, SpikeCounts, n_counted
from neurodata.steps import ADDED, NOTED
from neurodata.storage import each
from neurodata.store import Counts, EncodedSample, Packets, SampleRow, commit_shards, committed, write_shard

# Events of a recording that are held at a time, where that is enough.
EVENTS_AT_ONCE = 1 << 22


def run_task(task: ShardTask) -> int:
    """Write one shard and its commit record, unless another run has; the number of samples in it.

    Raises
    ------
    FormatError, SourceNotFoundError, EncodingError, StorageError
        Naming the file or sample; nothing half-written is left.
    """
    if task.release != RELEASE:
        raise StorageError(
            f"this worker has neurodata {RELEASE}, but its work was planned by {task.release}: install one release on "
            "all machines"
        )
    if is_done(task):
        return len(task.refs)
    shard = ShardEncoder(task)
    write_shard(task.folder, task.shard, task.layout, shard.samples(), shard.counts)
    return len(task.refs)


def run_tasks(
    tasks: Sequence[ShardTask],
    executor: Executor,
    n_samples: int,
    progress: Progress = silent,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run all tasks on an executor, which has to call back the others when the first one fails.

    Parameters
    ----------
    n_samples
        Of the whole store: those that are in no task are done.
    check
        Called whenever a task is done; ends the run by raising.
    """
    done = n_samples - sum(len(task.refs) for task in tasks)
    progress("encode", done, n_samples, "samples")
    try:
        for future in as_completed([executor.submit(run_task, task) for task in tasks]):
            done += future.result()
            progress("encode", done, n_samples, "samples")
            check()
    except BrokenExecutor as error:
        raise StorageError(
            "a worker process died (killed, or out of memory); finished shards are kept: run the same command again "
            "to go on, with fewer --workers if memory ran out"
        ) from error
    except CancelledError as error:
        raise StorageError(
            "the executor has called the work back (a scheduler that ended?); finished shards are kept: run the same "
            "command again to go on"
        ) from error


def unfinished(tasks: Sequence[ShardTask]) -> list[ShardTask]:
    """Tasks whose shard has no valid commit record yet; all are of one store."""
    if not tasks:
        return []
    folder = tasks[0].folder
    begun = commit_shards(folder)
    possible = [task for task in tasks if task.shard in begun]
    done = {task.shard for task, known in zip(possible, each(folder, is_done, possible), strict=True) if known}
    return [task for task in tasks if task.shard not in done]


def is_done(task: ShardTask) -> bool:
    """Whether the shard of these samples is finished and undamaged."""
    return committed(task.folder, task.shard, task.layout, task.rows)


class ShardEncoder:
    """The samples of one shard, encoded one by one, and what was counted on the way."""

    def __init__(self, task: ShardTask) -> None:
        self.task = task
        self.read = 0
        self.encoded = 0
        self.dropped: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.told: set[str] = set()  # recordings whose findings are among the notes

    def counts(self) -> Counts:
        return Counts(self.read, self.encoded, dict(self.dropped), dict(self.notes))

    def samples(self) -> Iterator[EncodedSample]:
        # Samples of a file stand together: it is opened once.
        for name, refs in groupby(self.task.refs, key=lambda ref: ref.recording):
            of_file = list(refs)
            format = self.task.recipe.dataset.format_of(of_file[0])
            if isinstance(format, Format):
                yield from self._intervals(name, format, of_file)
            elif isinstance(format, CollectionFormat):
                yield from self._items(name, format, of_file)
            else:
                yield from self._parts(name, format, of_file)

    def _intervals(self, name: str, format: Format, refs: Sequence[SampleRef]) -> Iterator[EncodedSample]:
        """Samples of a recording of events."""
        recording = self._open(name, format)
        may_be_long = recording.n_events > EVENTS_AT_ONCE and self._is_stored_as_read()
        for ref in refs:
            part = _in_packets(ref, recording) if may_be_long else recording.events(ref.start_us, ref.stop_us)
            self._check_interval(ref, part.n_events, (recording.start_us, recording.stop_us))
            if isinstance(part, Packets):
                yield self._as_read(ref, part, recording.sensor)
            else:
                yield self._encode(ref, part)

    def _is_stored_as_read(self) -> bool:
        """Whether events are stored as they are, so that a sample need not be held."""
        recipe = self.task.recipe
        if recipe.layout != "events" or recipe.steps:
            return False
        # Datasets may make targets of the events; a folder's come from files.
        return recipe.dataset.own_folder is not None or not recipe.dataset.target_specs

    def _as_read(self, ref: SampleRef, packets: Packets, sensor: Sensor) -> EncodedSample:
        self.read += packets.n_events
        self.encoded += packets.n_events
        row = SampleRow(ref.key, ref.target, ref.group)
        targets = self.task.recipe.dataset.targets(self.task.root, ref, EventArray.empty(sensor))
        return EncodedSample(row, packets, packets.n_events, packets.duration_us, packets.start_us, targets)

    def _open(self, name: str, format: Format) -> Recording:
        dataset = self.task.recipe.dataset
        recording = format.open(self.task.root / name, dataset.sensor if dataset.imposes_sensor else None)
        self._require_form(name, recording.sensor)
        if name in self.task.first_seen:
            self.notes.update(recording.findings)
        return recording

    def _items(self, name: str, format: CollectionFormat, refs: Sequence[SampleRef]) -> Iterator[EncodedSample]:
        """Samples of a file of many."""
        collection = format.open(self.task.root / name, self.task.recipe.dataset.sensor)
        # Samples that stand together are read in bulk.
        for _, run in groupby(enumerate(refs), key=lambda pair: cast(int, pair[1].item) - pair[0]):
            of_run = [ref for _, ref in run]
            first = cast(int, of_run[0].item)
            for ref, reading in zip(of_run, collection.readings(first, first + len(of_run)), strict=True):
                yield self._encode(ref, self._item(name, ref, reading))

    def _item(self, name: str, ref: SampleRef, read: Reading) -> Signal:
        reading = self.task.recipe.dataset.arranged(ref, read)
        self.notes.update(reading.findings)
        signal = reading.signal
        if isinstance(signal, EventArray):
            part = signal.between(ref.start_us, ref.stop_us)
            self._check_interval(ref, part.n_events, (signal.start_us, signal.stop_us))
            signal = part
        self._require_form(name, signal.form)
        return signal

    def _parts(self, name: str, format: SignalFormat, refs: Sequence[SampleRef]) -> Iterator[EncodedSample]:
        """Samples of a file of one signal that is no recording of events."""
        path = self.task.root / name
        intervals = [(ref.start_us, ref.stop_us) for ref in refs]
        one_by_one = (format.read(path, *interval) for interval in intervals)
        readings = one_by_one if format.parts is None else format.parts(path, intervals)
        for ref, read in zip(refs, readings, strict=True):
            if format.parts is not None:
                read = Reading(read.signal, self._untold(name, read.findings))
            reading = self.task.recipe.dataset.arranged(ref, read)
            self._require_form(name, reading.signal.form)
            self.notes.update(reading.findings)
            yield self._encode(ref, reading.signal)

    def _untold(self, name: str, findings: Counter[str]) -> Counter[str]:
        """Findings of a whole file, the first time that a part of it is read in the whole store; else none."""
        if name not in self.task.first_seen or name in self.told:
            return Counter()
        self.told.add(name)
        return findings

    def _require_form(self, name: str, found: Form) -> None:
        dataset = self.task.recipe.dataset
        if admits(dataset.form, found):
            return
        what = "sensor" if isinstance(dataset.form, Sensor) else "form"
        way_out = "state one that holds all recordings with --sensor" if what == "sensor" else "convert it"
        raise FormatError(
            f"{self.task.root / name}: its {what} is {found}, that of {dataset.name} is {dataset.form}: "
            f"take it out, or {way_out}"
        )

    def _check_interval(self, ref: SampleRef, n_events: int, recording_us: tuple[int, int]) -> None:
        if n_events == 0:
            self.notes["samples without events"] += 1
            if self.task.recipe.dataset.own_folder is not None:
                self._require_inside(ref, *recording_us)
        if ref.stop_us is not None and ref.stop_us > recording_us[1]:
            self.notes["clipped at the end of the recording"] += 1

    def _require_inside(self, ref: SampleRef, start_us: int, stop_us: int) -> None:
        """An interval of somebody's own that misses the whole recording is a mistake, such as another clock."""
        is_before = ref.stop_us is not None and ref.stop_us <= start_us
        is_after = ref.start_us is not None and ref.start_us >= stop_us
        if start_us < stop_us and (is_before or is_after):
            raise FormatError(
                f"{self.task.root / ref.recording}: sample {ref.key} lies outside the recording, which reaches from "
                f"{start_us} to {stop_us} us on its own clock: correct start_us and end_us of the labels"
            )

    def _encode(self, ref: SampleRef, signal: Signal) -> EncodedSample:
        recipe = self.task.recipe
        tally: Counter[str] = Counter()
        try:
            stored = recipe.encode(signal, ref.key, tally)
        except (EncodingError, RecipeError) as error:
            raise type(error)(f"{self.task.root / ref.recording}: sample {ref.key}: {error}") from None
        notes = {reason: n for reason, n in tally.items() if reason.startswith((ADDED, NOTED))}
        n_added = sum(n for reason, n in notes.items() if reason.startswith(ADDED))
        dropped = {reason: n for reason, n in tally.items() if reason not in notes}
        self.dropped.update(dropped)
        self.notes.update(notes)
        n_read = n_counted(signal)
        if n_read == 0 and isinstance(signal, PointCloud | SpikeCounts):
            self.notes[f"samples without {counted_as(signal.form)}"] += 1
        self.read += n_read
        self.encoded += _n_encoded(recipe, stored, n_read + n_added - sum(dropped.values()))
        row = SampleRow(ref.key, ref.target, ref.group)
        start_us = next((events.start_us for events in (stored, signal) if isinstance(events, EventArray)), 0)
        targets = recipe.dataset.targets(self.task.root, ref, signal)
        return EncodedSample(row, stored, n_read, signal.duration_us, start_us, targets)


def _in_packets(ref: SampleRef, recording: Recording) -> EventArray | Packets:
    """The events of a sample of a long recording: held where they are few, else in packets that are read when written.

    An interval is gone through first, for how many they are and when they begin and end.
    """
    interval = ref.start_us, ref.stop_us
    packets = recording.packets(EVENTS_AT_ONCE, *interval)
    if interval == (None, None):
        return Packets(packets, recording.n_events, recording.start_us, recording.stop_us - 1 - recording.start_us)
    first = next(packets, EventArray.empty(recording.sensor))
    n_events, stop_us = first.n_events, first.stop_us
    for packet in packets:
        n_events, stop_us = n_events + packet.n_events, packet.stop_us
    if n_events == first.n_events:
        return first
    again = recording.packets(EVENTS_AT_ONCE, *interval)
    return Packets(again, n_events, first.start_us, stop_us - 1 - first.start_us)


def _n_encoded(recipe: Recipe, stored: NDArray[Any] | EventArray, expected: int) -> int:
    """Events that are stored: as counted, where they can be, or as expected."""
    if isinstance(stored, EventArray):
        return len(stored)
    return int(stored.sum()) if recipe.encoding.counts_events else expected
