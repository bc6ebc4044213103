"""The Zarr v3 side of a store: zarr-python writes metadata and small arrays, in memory, for the caller to save."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from neurodata.datasets import PARTITIONS
from neurodata.recipe import STORE_VERSION
from neurodata.store._layout import EVENTS_PER_CHUNK, ZARR, Column, DenseLayout, EventsLayout, Layout
from neurodata.store._records import SchemeIndex, StoreHead
from neurodata.store._table import TEXT_COLUMNS, SampleTable, items_of_shards, spans_of, target_folder


def zarr_files(
    head: StoreHead, table: SampleTable, schemes: Mapping[str, SchemeIndex], n_shards: int
) -> dict[str, bytes]:
    """Path inside the store to content, of every file of data.zarr but the shards."""
    written: dict[str, Buffer] = {}
    store = MemoryStore(written)
    _group(store, "", {"neurodata": {"version": STORE_VERSION, **head.to_json()}})
    layout = head.layout
    if not isinstance(layout, DenseLayout):
        _group(store, layout.kind, _how_to_decode(layout))
    if layout.targets:
        _group(store, "targets", {})
    for column in layout.all_columns:
        if column.shard_chunks is not None:
            _one_array(store, layout, column, len(table))
    _group(store, "samples", {})
    for folder in ("targets", *map(target_folder, table.spans)) if table.spans else ():
        _group(store, f"samples/{folder}", {})
    for name, values in table.columns().items():
        axes = ("sample", "byte") if name in TEXT_COLUMNS else ("sample",)
        _small_array(store, f"samples/{name}", values, axes)
    _group(store, "schemes", {})
    for name, scheme in schemes.items():
        _group(store, f"schemes/{name}", {"description": scheme.description, "sha256": scheme.sha256})
        for partition in PARTITIONS:
            _small_array(store, f"schemes/{name}/{partition}", scheme[partition], ("position",))
    small = {f"{ZARR}/{path}": _settled(path, content.to_bytes()) for path, content in written.items()}
    for column, span in zip(layout.all_columns, spans_of(table, layout), strict=True):
        if column.shard_chunks is None:
            small |= _ragged(layout, column, items_of_shards(table.shard, span.stop, n_shards))
    return small


def _how_to_decode(layout: Layout) -> dict[str, Any]:
    if isinstance(layout, EventsLayout):
        return {
            "sample": "items samples/start to samples/stop of the arrays t/<samples/shard> and address/<samples/shard>",
            "t": "microseconds since samples/origin_us; samples may share items",
            "chunk_t": f"t of every item whose number is a multiple of {EVENTS_PER_CHUNK}",
            "address": "(p * height + y) * width + x",
            "width": layout.sensor.width,
            "height": layout.sensor.height,
        }
    return {
        "sample": "items samples/start to samples/stop of the array code/<samples/shard>",
        "code": "the sparse code of the store format, docs/store-format.md",
    }


def _group(store: MemoryStore, path: str, attributes: dict[str, Any]) -> None:
    zarr.create_group(store, path=path, attributes=attributes, zarr_format=3)


def _one_array(store: MemoryStore, layout: Layout, column: Column, n_samples: int) -> None:
    """Metadata of a column with an item a sample."""
    _sharded(
        store,
        column.name,
        layout,
        shape=(n_samples, *column.item_shape),
        dtype=column.dtype.name,
        chunks=(column.chunk_items, *column.item_shape),
        shards=(layout.samples_per_shard, *column.item_shape),
        dimension_names=("sample", *column.axes),
    )


def _ragged(layout: Layout, column: Column, n_items: list[int]) -> dict[str, bytes]:
    """Metadata of a column: a group, and in it an array for each shard, of as many chunks as the shard has."""
    written: dict[str, Buffer] = {}
    store = MemoryStore(written)
    _group(store, column.name, {})
    metadata = f"{column.name}/zarr.json"
    files = {metadata: _settled(metadata, written[metadata].to_bytes())}
    chunk = (column.chunk_items, *column.item_shape)
    _sharded(
        store,
        "array",
        layout,
        shape=chunk,
        dtype=column.dtype.name,
        chunks=chunk,
        shards=chunk,
        dimension_names=("item", *column.axes),
    )
    template = json.loads(written["array/zarr.json"].to_bytes())
    for shard, n in enumerate(n_items):
        length = column.n_chunks(n) * column.chunk_items
        template["shape"] = [length, *column.item_shape]
        template["chunk_grid"]["configuration"]["chunk_shape"] = template["shape"]
        path = f"{column.name}/{shard}/zarr.json"
        files[path] = _settled(path, json.dumps(template).encode())
    return {f"{ZARR}/{path}": content for path, content in files.items()}


def _sharded(store: MemoryStore, name: str, layout: Layout, **arguments: Any) -> None:
    compressors = [] if layout.compression == "none" else [ZstdCodec(level=layout.level, checksum=False)]
    zarr.create_array(
        store,
        name=name,
        serializer=BytesCodec(endian="little"),
        filters=(),
        compressors=(*compressors, Crc32cCodec()),
        fill_value=0,
        chunk_key_encoding={"name": "default", "separator": "/"},
        zarr_format=3,
        **arguments,
    )


def _small_array(store: MemoryStore, path: str, content: NDArray[Any], axes: tuple[str, ...]) -> None:
    array = zarr.create_array(
        store,
        name=path,
        shape=content.shape,
        dtype=content.dtype.name,
        chunks=tuple(max(1, size) for size in content.shape),
        serializer=BytesCodec(endian="little"),
        filters=(),
        compressors=(Crc32cCodec(),),
        fill_value=0,
        dimension_names=axes,
        chunk_key_encoding={"name": "default", "separator": "/"},
        zarr_format=3,
        # A column of zeros is a file like any other.
        config={"write_empty_chunks": True},
    )
    if len(content):
        array[...] = np.ascontiguousarray(content)


def _settled(path: str, content: bytes) -> bytes:
    """Metadata in one form, whatever the user's Zarr configuration says about indentation."""
    if not path.endswith("zarr.json"):
        return content
    return (json.dumps(json.loads(content), indent=1, sort_keys=True) + "\n").encode("ascii")
