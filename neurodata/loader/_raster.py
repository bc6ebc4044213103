"""Frames made on the device: codes or addresses are copied there, a fraction of the frames' bytes, and spread out.

Plain torch, so that it runs wherever tensors do; the values are those that the CPU's kernels give.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import EncodingError
from neurodata.loader._ahead import Workers, fetched, read_ahead
from neurodata.loader._decode import Decoded, Portion
from neurodata.loader._dtype import DTYPES
from neurodata.loader._pool import BufferPool
from neurodata.loader._targets import SampleTargets, read_targets
from neurodata.storage import Fetched
from neurodata.store import SparseLayout

if TYPE_CHECKING:
    from neurodata.loader._split import Split


def can_raster(split: Split) -> bool:
    """Whether a device can make the frames of a split: of a sparse code, or counts of stored events, of one length."""
    source = split.source
    if source.spec.has_variable_steps:
        return False
    if source.view is None:
        return isinstance(source.store.head.layout, SparseLayout)
    return source.view.counts_addresses and source.view.event_frame.split_by is not None


@dataclass(frozen=True, slots=True, eq=False)
class RasterDecoder:
    """Batches like those of `Decoder`, on a device.

    Parameters
    ----------
    split
        For which `can_raster` is true.
    dtype
        Type of the frames.
    device
        Where they are made.
    pool
        Of the memory that codes and addresses are read to: page-locked, if they are to be copied while other work is
        done.
    """

    split: Split
    dtype: torch.dtype
    device: torch.device
    pool: BufferPool

    def portions(self, portions: Iterable[Portion], threads: int, ahead: int) -> Generator[Decoded, None, None]:
        """What is delivered of each portion; closing the generator ends its threads."""
        return read_ahead(portions, self._begin, self._finish, threads, ahead)

    def _begin(self, portion: Portion, workers: Workers) -> _Begun:
        fetching = workers.fetch(self.split.source, self.split.indices[portion.positions])
        return _Begun(portion, [workers.submit(self._read, i, fetching) for i in portion.positions.tolist()])

    def _read(self, position: int, fetching: Future[Fetched] | None) -> _Read:
        """What is stored of a sample."""
        store, view = self.split.store, self.split.source.view
        index = int(self.split.indices[position])
        try:
            with fetched(fetching):
                targets = read_targets(store, index)
                if view is None:
                    return _Read(store.read_code(index).copy(), None, targets)
                times, address = view.times_and_addresses(store, index)
                return _Read(address.copy(), view.event_frame.bounds(times, view.event_frame.T or 1)[1], targets)
        except Exception as error:
            error.add_note(f"while loading sample {self.split.keys[position]!r}")
            raise

    def _finish(self, begun: _Begun) -> Decoded:
        samples = [sample.result() for sample in begun.samples]
        spec, source = self.split.spec, self.split.source
        lengths = torch.full((len(samples),), spec.shape[0], dtype=torch.int64)
        items, starts = self._on_device([sample.items for sample in samples])
        if source.view is None:
            frames = decode_codes(items, starts, int(np.prod(spec.shape)), self.dtype)
        else:
            ends = np.stack([sample.stops for sample in samples if sample.stops is not None])
            stops = torch.from_numpy(ends).to(self.device)
            frames = count_addresses(items, starts, stops, int(np.prod(spec.shape[1:])))
            frames = within_limit(frames, source.view.event_frame).to(self.dtype)
        frames = frames.view(len(samples), *spec.shape)
        return Decoded(begun.portion, frames, lengths, [sample.targets for sample in samples])

    def _on_device(self, columns: list[NDArray[Any]]) -> tuple[Tensor, Tensor]:
        """All items, one sample after the other, and where each begins (and the last one ends), int64 [b + 1]."""
        starts = np.cumsum([0, *map(len, columns)])
        lent = self.pool.lend((int(starts[-1]),), DTYPES[columns[0].dtype.name])
        np.concatenate(columns, out=lent.numpy())
        items = lent.to(self.device, non_blocking=True)
        if self.device.type == "cuda":
            # The memory is lent again when `lent` is gone: not before the copy has been made.
            torch.cuda.current_stream(self.device).synchronize()
        return items, torch.from_numpy(starts).to(self.device)


class _Read(NamedTuple):
    """A sample's code; or the addresses of its events, and one past the last of each frame, int64 [T]; its targets."""

    items: NDArray[Any]
    stops: NDArray[np.int64] | None
    targets: SampleTargets


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    portion: Portion
    samples: list[Future[_Read]]


def decode_codes(codes: Tensor, starts: Tensor, n_cells: int, dtype: torch.dtype) -> Tensor:
    """The cells [b, n_cells] of sparse codes uint8 [n], of which sample k has the bytes starts[k] to starts[k + 1].

    The definition is that of `store/_sparse_code.py`, for all tokens at once: a cell is a running sum of gaps, the
    digits of large counts are weighted by their place behind the last token with a gap.
    """
    n_samples = len(starts) - 1
    sizes = starts.diff()
    sample = torch.repeat_interleave(torch.arange(n_samples, device=codes.device), sizes, output_size=len(codes))
    place = torch.arange(len(codes), device=codes.device)
    is_token = place != starts[:-1][sample]  # the first byte of a sample says how wide gaps are
    gap_bits = codes[starts[:-1]].long()[sample]
    count_bits = 8 - gap_bits
    token = codes.long()
    highest = (1 << count_bits) - 1
    gap = torch.where(is_token, token >> count_bits, 0)
    count = torch.where(is_token, token & highest, 0)
    steps = torch.where(count == 0, gap * ((1 << gap_bits) - 1), gap)
    travelled = steps.cumsum(0)
    before = torch.cat([travelled.new_zeros(1), travelled])[starts[:-1]]
    cell = travelled - before[sample] - 1
    is_digit = is_token & (gap == 0)
    anchor = torch.where(is_digit, -1, place).cummax(0).values
    weight = torch.where(is_digit, highest << (count_bits * (place - anchor - 1)).clamp(0, 62), 1)
    named = is_token & (count > 0)
    cells = torch.zeros(n_samples * n_cells, dtype=_adding(dtype), device=codes.device)
    where = (sample * n_cells + cell)[named]
    cells.index_add_(0, where, (count * weight)[named].to(cells.dtype))
    return cells.view(n_samples, n_cells).to(dtype)


def count_addresses(addresses: Tensor, starts: Tensor, stops: Tensor, n_places: int) -> Tensor:
    """Counts int32 [b, T, n_places] of addresses [n], of which sample k has those from starts[k] to starts[k + 1].

    `stops`, int64 [b, T], is one past the last event of each frame, counted in its sample; frames follow each other.
    """
    n_samples, n_steps = stops.shape
    ends = (starts[:-1, None] + stops).flatten()
    place = torch.arange(len(addresses), device=addresses.device)
    frame = torch.searchsorted(ends, place, right=True)  # over all samples; empty frames are passed over
    cells = torch.zeros(n_samples * n_steps * n_places, dtype=torch.int32, device=addresses.device)
    cells.index_add_(0, frame * n_places + addresses.long(), torch.ones_like(frame, dtype=torch.int32))
    return cells.view(n_samples, n_steps, n_places)


def within_limit(counts: Tensor, encoding: EventFrame) -> Tensor:
    """Counts that do not fit the encoding's type are an error, or saturate, as it says."""
    limit = int(np.iinfo(encoding.dtype).max)
    if encoding.overflow == "saturate":
        return counts.clamp(max=limit)
    if counts.numel() and int(counts.max()) > limit:
        raise EncodingError(
            f"event_frame: {int(counts.max())} events in one place exceed the {limit} that a {encoding.dtype} count "
            'holds; choose a wider dtype (event_frame.dtype=uint32) or overflow="saturate"'
        )
    return counts


def _adding(dtype: torch.dtype) -> torch.dtype:
    """The type to add in: torch adds neither bool nor wide unsigned numbers."""
    return dtype if dtype in (torch.float32, torch.float64, torch.int64) else torch.int32
