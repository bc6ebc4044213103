from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from neurodata.errors import StoreError
from neurodata.steps import ArraySpec
from neurodata.store import DenseLayout
from neurodata.store._layout import check_scheme_name, commit_path, layout_from_json
from tests.store.stores import layout_of


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
def test_a_layout_comes_back_from_json(compression: str, dtype: str) -> None:
    layout = layout_of((2, 3), dtype, compression=compression)
    assert layout_from_json(json.loads(json.dumps(layout.to_json()))) == layout


@pytest.mark.parametrize(
    ("shape", "path"),
    [
        ((2, 2, 3, 4), "data.zarr/frames/c/7/0/0/0/0"),
        ((), "data.zarr/frames/c/7"),  # a number per sample: frames has the sample axis only
    ],
)
def test_a_shard_has_zarrs_name_for_it(shape: tuple[int, ...], path: str) -> None:
    assert layout_of(shape).shard_paths(7) == [path]


def test_commit_records_sort_by_shard() -> None:
    assert [commit_path(shard) for shard in (7, 123456)] == ["commits/00007.json", "commits/123456.json"]


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "words"),
    [
        ((2, 0), "uint8", ("time", "x"), "at least length 1"),
        ((2, 2), "complex64", ("time", "x"), "type complex64"),
        ((2, 2), [("x", "i4")], ("time", "x"), "this layout holds"),
        ((2, 2), "uint8", ("time",), "one name per axis"),
        ((2, 2), "uint8", ("x", "x"), "one name per axis"),
        ((2, 2), "uint8", ("sample", "x"), "one name per axis"),
    ],
)
def test_an_array_that_cannot_be_stored_is_refused(
    shape: tuple[int, ...], dtype: Any, axes: tuple[str, ...], words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        DenseLayout(ArraySpec(shape, np.dtype(dtype), axes), samples_per_shard=4)


@pytest.mark.parametrize(
    ("samples_per_shard", "compression", "level"), [(0, "none", 1), (4, "lz4", 1), (4, "zstd", 0), (4, "zstd", 23)]
)
def test_numbers_out_of_range_are_refused(samples_per_shard: int, compression: Any, level: int) -> None:
    with pytest.raises(StoreError, match="expected"):
        DenseLayout(
            ArraySpec((2,), np.dtype("uint8"), ("x",)),
            samples_per_shard=samples_per_shard,
            compression=compression,
            level=level,
        )


@pytest.mark.parametrize("name", ["", "Official", "a/b", "..", "zarr.json", "_x", "über"])
def test_scheme_names_that_some_file_system_would_not_keep_are_refused(name: str) -> None:
    with pytest.raises(StoreError, match="lower-case letters"):
        check_scheme_name(name)
