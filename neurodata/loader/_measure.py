"""How fast a split is loaded on this machine, and where the time goes: what `neurodata bench` reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np

from neurodata.draws import permutation
from neurodata.progress import Progress, silent
from neurodata.store import SparseLayout

if TYPE_CHECKING:
    from neurodata.loader._split import Split

# Batches per measurement: an epoch of a large store would take too long, and one of a small store would measure threads
# and memory coming to life, as the first ones do, which are not timed.
MOST_BATCHES = 40
WARM_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """What a loader delivers with this type and number of threads."""

    dtype: str
    threads: int
    samples_per_s: float
    mb_per_s: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times of one split.

    Parameters
    ----------
    batch_size, frame_bytes
        Samples of a batch, and bytes of a sample's frames as stored.
    copy_us, read_us, decode_us, convert_us
        Of one sample on one thread: copying its frames in memory, reading (and unpacking) what is stored, making
        frames of that, and making them float32.
    first_batch_ms
        From `iter` to the first batch.
    rates
        Of whole loaders.
    """

    batch_size: int
    frame_bytes: int
    copy_us: float
    read_us: float
    decode_us: float
    convert_us: float
    first_batch_ms: float
    rates: tuple[Rate, ...]

    @property
    def limit(self) -> str:
        """The stage that takes most of a sample's time: "read", "decode" or "convert"."""
        stages = {"read": self.read_us, "decode": self.decode_us, "convert": self.convert_us}
        return max(stages, key=lambda stage: stages[stage])

    @property
    def advice(self) -> list[str]:
        """What would make it faster, in sentences."""
        stored = max((rate for rate in self.rates if rate.dtype == "stored"), key=lambda rate: rate.samples_per_s)
        floats = max((rate for rate in self.rates if rate.dtype != "stored"), key=lambda rate: rate.samples_per_s)
        sentences = [f"threads={stored.threads} is fastest here"]
        if stored.samples_per_s > 1.3 * floats.samples_per_s:
            faster = stored.samples_per_s / floats.samples_per_s
            sentences.append(f'dtype="stored" is {faster:.1f} times as fast as float32: convert on the device')
        if self.limit == "read":
            sentences.append(
                'reading and unpacking is the limit: compression = "none", a smaller layout (sparse), or stage= on a '
                "local disk"
            )
        if self.limit == "decode":
            sentences.append("decoding is the limit: a dense store has none; of a store of events, fewer steps at load")
        return sentences


def measure(split: Split, batch_size: int, most_threads: int, progress: Progress = silent) -> Measurement:
    """Load some batches of a split in several ways, in random order; medians where a stage is measured by itself."""
    n_samples = min(len(split), batch_size * MOST_BATCHES)
    indices = split.indices[permutation(len(split), 0, 0)[:n_samples]].tolist()
    source = split.source
    frames = source.read(indices[0])
    as_floats, copy = np.empty(frames.shape, np.float32), np.empty_like(frames)
    read_us = _median_us(lambda index: _read_stored(split, index), indices)
    read_into_us = _median_us(lambda index: source.read_into(index, copy), indices)
    convert_us = _median_us(lambda index: source.read_into(index, as_floats), indices)
    rates = []
    threads = sorted({1, 2, most_threads} & set(range(1, most_threads + 1)))
    for dtype in ("stored", "float32"):
        for n in threads:
            rates.append(_rate(split, batch_size, dtype, n, frames.nbytes))
            progress("measure", len(rates), 2 * len(threads), "loaders")
    return Measurement(
        batch_size=batch_size,
        frame_bytes=frames.nbytes,
        copy_us=_median_us(lambda _: np.copyto(copy, frames), indices),
        read_us=read_us,
        decode_us=max(0.0, read_into_us - read_us),
        convert_us=max(0.0, convert_us - read_into_us),
        first_batch_ms=_first_batch_ms(split, batch_size, most_threads),
        rates=tuple(rates),
    )


def _read_stored(split: Split, index: int) -> object:
    store, view = split.store, split.source.view
    if view is not None:
        if view.counts_addresses:
            return view.times_and_addresses(store, index)
        store.read_items(index, "t")
        return store.read_items(index, "address")
    return store.read_code(index) if isinstance(store.head.layout, SparseLayout) else store.read(index)


def _median_us(run: Callable[[int], object], indices: list[int]) -> float:
    run(indices[0])  # compiles, opens
    times = []
    for index in indices[:200]:
        start = time.perf_counter()
        run(index)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e6


def _rate(split: Split, batch_size: int, dtype: str, threads: int, frame_bytes: int) -> Rate:
    loader = split.loader(batch_size, shuffle=True, seed=0, dtype=dtype, threads=threads)
    batches = chain.from_iterable(loader for _ in range(WARM_BATCHES + MOST_BATCHES))  # epoch after epoch
    for _ in islice(batches, WARM_BATCHES):
        pass
    start = time.perf_counter()
    n_samples = sum(len(batch) for batch in islice(batches, MOST_BATCHES))
    per_s = n_samples / (time.perf_counter() - start)
    scale = 1 if dtype == "stored" else 4 / split.spec.dtype.itemsize
    return Rate(dtype, threads, per_s, per_s * frame_bytes * scale / 1e6)


def _first_batch_ms(split: Split, batch_size: int, threads: int) -> float:
    start = time.perf_counter()
    for _ in split.loader(batch_size, dtype="stored", threads=threads):
        break
    return (time.perf_counter() - start) * 1e3
