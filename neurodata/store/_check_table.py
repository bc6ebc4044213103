"""Whether a store's sample table can be true: nothing is allocated, and no sample looked for, as a false one says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS
from neurodata.errors import StoreError
from neurodata.steps import LARGEST_ARRAY_BYTES
from neurodata.storage import Location
from neurodata.store._layout import DenseLayout, EventsLayout, FramesLayout, Layout
from neurodata.store._records import SchemeIndex, StoreHead
from neurodata.store._table import SampleTable, Span, Texts


def check_table(
    path: Location, head: StoreHead, table: SampleTable, n_shards: int, schemes: Mapping[str, SchemeIndex]
) -> None:
    """Compare the columns of a table with each other and with the head.

    Parameters
    ----------
    path
        The store, for messages.
    head, table, n_shards, schemes
        As read: `table` has the columns of `head.layout`, of one length.

    Raises
    ------
    StoreError
        When a column holds what no writer of this format writes; names the first sample for which it does.
    """
    n, size = len(table), head.layout.samples_per_shard
    if n_shards != -(-n // size):
        raise _untrue(path, f"n_shards is {n_shards}, for {n} samples, {size} in a shard")
    for column, found, is_true in _columns(head, table):
        if not is_true.all():
            index = int(np.argmin(is_true))
            raise _untrue(path, f"{column} of sample {index} is {int(found[index])}")
    for column, texts in (("key", table.keys), ("group", table.groups)):
        _check_text(path, column, texts)
    for name, scheme in schemes.items():
        for partition in PARTITIONS:
            indices = scheme[partition]
            if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < n:
                raise _untrue(path, f"the scheme {name} has samples in {partition} that are not among its {n}")


def _columns(head: StoreHead, table: SampleTable) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.bool_]]]:
    """Name and content of each column, and for which samples it can be true, bool [N]."""
    layout = head.layout
    shard = np.arange(len(table), dtype=np.int64) // layout.samples_per_shard
    yield "shard", table.shard, table.shard == shard
    if head.classes:
        yield "target", table.targets, (table.targets >= 0) & (table.targets < len(head.classes))
    if isinstance(layout, DenseLayout):
        place = np.arange(len(table), dtype=np.int64) - shard * layout.samples_per_shard
        yield "start", table.start, table.start == place
        yield "stop", table.stop, table.stop == place + 1
        spans = dict(table.spans)
    else:
        spans = {"": Span(table.start, table.stop), **table.spans}
    for name, span in spans.items():
        prefix = f"targets/{name}/" if name else ""
        before = np.zeros_like(span.stop)  # where the one before it ends, in the same shard
        if name or not isinstance(layout, EventsLayout):  # samples of events may share some
            before[1:] = np.where(shard[1:] == shard[:-1], span.stop[:-1], 0)
        yield f"{prefix}start", span.start, span.start >= before
        yield f"{prefix}stop", span.stop, span.stop >= span.start
    yield "n_steps", table.n_steps, (table.n_steps >= 0) & (table.n_steps <= _most_steps(layout))


def _most_steps(layout: Layout) -> int:
    """Time steps that a sample can have, which 4 GiB hold."""
    if not isinstance(layout, FramesLayout):
        return 0
    array = layout.array
    if not array.has_variable_steps:
        return array.shape[0] if array.shape else 1
    step_bytes = math.prod(array.shape[1:]) * array.dtype.itemsize
    return LARGEST_ARRAY_BYTES // step_bytes


def _check_text(path: Location, column: str, texts: Texts) -> None:
    """UTF-8, each text by itself: all of them one behind the other are, and none begins inside a character."""
    padded = np.ascontiguousarray(texts.padded)
    if int(padded.max(initial=0)) < 0x80:
        return  # ASCII: a million keys take no time
    try:
        str(padded.data, "utf-8")
    except UnicodeDecodeError as error:
        raise _untrue(path, f"{column} of sample {error.start // padded.shape[1]} is no UTF-8") from None
    if (inside := (padded[:, 0] & 0xC0) == 0x80).any():
        raise _untrue(path, f"{column} of sample {int(np.argmax(inside))} is no UTF-8")


def _untrue(path: Location, what: str) -> StoreError:
    return StoreError(
        f"{path}: the sample table cannot be true: {what}; `neurodata prepare` with the same arguments and --force "
        "writes the store again; one from elsewhere: get it again"
    )
