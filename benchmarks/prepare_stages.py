"""The stages of preparing, one after the other on one thread, each next to what it cannot be faster than."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurodata import registry
from neurodata.pipeline._plan import layout_of
from neurodata.recipe import load_recipe
from neurodata.store import Counts, EncodedSample, SampleRow, write_shard


def stages(tree: Path, folder: Path, T: int, n_recordings: int = 2) -> list[dict[str, Any]]:
    """Seconds of each stage of a few recordings and of its limit, and events a second; the best of three runs.

    Of all but writing, it is the time of the processor, which other programs on the machine change little.

    read: recordings to events; its limit is to read the files and add up their 64-bit words. encode: events to frames;
    its limit is to add up coordinates and fill the frames. compress: frames to the sparse code; its limit is to add up
    the frames once. write: codes to the files of a shard (with checksums, to the disk); its limit is to write the same
    bytes to one file, to the disk. Limits run on one thread, too.
    """
    dataset = registry.datasets["dvs-gesture"]
    recipe = load_recipe(dataset, T=T)
    refs = dataset.samples(tree)
    names = list(dict.fromkeys(ref.recording for ref in refs))[:n_recordings]
    refs = [ref for ref in refs if ref.recording in names]
    open_recording = registry.formats["aedat31"].open

    def read() -> list[Any]:
        events = []
        for name in names:
            recording = open_recording(tree / name)
            events += [recording.events(ref.start_us, ref.stop_us) for ref in refs if ref.recording == name]
        return events

    def read_limit() -> None:
        for name in names:
            content = np.fromfile(tree / name, np.uint8)
            content[: len(content) // 8 * 8].view(np.uint64).sum()

    events = read()
    frames: list[Any] = [recipe.encode(one, "") for one in events]
    buffer = np.empty_like(frames[0])

    def encode_limit() -> None:
        for one in events:
            one.x.sum(), one.y.sum(), one.p.sum()
            buffer.fill(0)

    layout = layout_of(recipe)
    codes = [layout.pieces(one, "")[0] for one in frames]
    samples = [EncodedSample(SampleRow(f"{k}", 0, ""), one, 0, 0) for k, one in enumerate(frames)]

    def write() -> None:
        """A shard, of codes that are there."""
        made = iter(codes)
        coded = _Coded(layout, lambda: (next(made),))
        write_shard(folder / "shard", 0, coded, samples[: layout.samples_per_shard], Counts)  # type: ignore[arg-type]

    def write_limit() -> None:
        with (folder / "plain").open("wb") as file:
            for code in codes[: layout.samples_per_shard]:
                file.write(code.data)
            file.flush()
            os.fsync(file.fileno())

    n_events = sum(map(len, events))
    measured: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("read", read, read_limit),
        ("encode", lambda: [recipe.encode(one, "") for one in events], encode_limit),
        ("compress", lambda: [layout.pieces(one, "") for one in frames], lambda: [one.sum() for one in frames]),
        ("write", write, write_limit),
    ]
    rows = []
    for name, run, limit in measured:
        clock = time.perf_counter if name == "write" else time.thread_time
        seconds, limit_s = _best_s(run, clock), _best_s(limit, clock)
        share = min(1.0, layout.samples_per_shard / len(codes)) if name == "write" else 1.0
        seconds, limit_s = seconds / share, limit_s / share
        row = {"stage": name, "s": seconds, "limit_s": limit_s, "of_limit": limit_s / seconds}
        rows.append(row | {"Mev_per_s": n_events / seconds / 1e6, "ms_a_sample": 1e3 * seconds / len(refs)})
    return rows


class _Coded:
    """A layout whose samples were compressed before."""

    def __init__(self, layout: Any, pieces: Callable[[], tuple[Any, ...]]) -> None:
        self._layout, self._pieces = layout, pieces

    def pieces(self, signal: Any, key: str) -> tuple[Any, ...]:
        return self._pieces()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layout, name)


def _best_s(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(3):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)
