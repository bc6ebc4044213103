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
from neurodata.store._layout import ZARR, ArrayLayout
from neurodata.store._records import SchemeIndex, StoreHead
from neurodata.store._table import TEXT_COLUMNS, SampleTable


def zarr_files(head: StoreHead, table: SampleTable, schemes: Mapping[str, SchemeIndex]) -> dict[str, bytes]:
    """Path inside the store to content, of every file of data.zarr but the shards."""
    written: dict[str, Buffer] = {}
    store = MemoryStore(written)
    _group(store, "", {"neurodata": {"version": STORE_VERSION, **head.to_json()}})
    _frames(store, head.layout, len(table))
    _group(store, "samples", {})
    for name, column in table.columns().items():
        axes = ("sample", "byte") if name in TEXT_COLUMNS else ("sample",)
        _small_array(store, f"samples/{name}", column, axes)
    _group(store, "schemes", {})
    for name, scheme in schemes.items():
        _group(store, f"schemes/{name}", {"description": scheme.description, "sha256": scheme.sha256})
        for partition in PARTITIONS:
            _small_array(store, f"schemes/{name}/{partition}", scheme[partition], ("position",))
    return {f"{ZARR}/{path}": _settled(path, content.to_bytes()) for path, content in written.items()}


def _group(store: MemoryStore, path: str, attributes: dict[str, Any]) -> None:
    zarr.create_group(store, path=path, attributes=attributes, zarr_format=3)


def _frames(store: MemoryStore, layout: ArrayLayout, n_samples: int) -> None:
    array = layout.array
    compressors = [] if layout.compression == "none" else [ZstdCodec(level=layout.level, checksum=False)]
    zarr.create_array(
        store,
        name="frames",
        shape=(n_samples, *array.shape),
        dtype=array.dtype.name,
        chunks=(1, *array.shape),
        shards=(layout.samples_per_shard, *array.shape),
        serializer=BytesCodec(endian="little"),
        filters=(),
        compressors=(*compressors, Crc32cCodec()),
        fill_value=0,
        dimension_names=("sample", *array.axes),
        chunk_key_encoding={"name": "default", "separator": "/"},
        zarr_format=3,
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
