"""Columns of targets in the labels file of a folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neurodata
from neurodata.datasets import Dataset, find_dataset
from neurodata.errors import NeurodataError
from tests.labelled import recording, write_labelled

BOX = [("t", "<u8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "u1"),
       ("track_id", "<u4"), ("class_confidence", "<f4")]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings, r0.es and r1.es."""
    write_labelled(tmp_path / "mine", n=2, names=())
    return tmp_path / "mine"


def dataset_of(folder: Path, header: str, *rows: str) -> Dataset:
    labels = folder.with_suffix(".csv")
    labels.write_text("\n".join([header, *rows]))
    return find_dataset(f"folder:{folder}", labels=labels)


def prepared(folder: Path, **changed: Any) -> Any:
    labels = folder.with_suffix(".csv")
    return neurodata.prepare(f"folder:{folder}", T=2, labels=labels, cache=folder.parent / "cache", **changed)


def boxes(*times: int, dtype: Any = None) -> NDArray[Any]:
    records = np.zeros(len(times), BOX if dtype is None else dtype)
    for k, (name, *_) in enumerate(records.dtype.descr):
        records[name] = np.arange(len(times)) + k
    records[records.dtype.names[0]] = times
    return records


def targets_of(store: Any, name: str) -> dict[str, NDArray[Any]]:
    return {key: store.read_target(k, name) for k, key in enumerate(store.table.keys)}


def test_a_column_of_whole_numbers_is_int64_and_one_of_others_float32(folder: Path) -> None:
    dataset = dataset_of(folder, "path,target.age,target.angle", "r0.es,-3,1", "r1.es,40,2.5e-1")
    assert list(map(str, dataset.target_specs)) == ["age (values, int64 [])", "angle (values, float32 [])"]
    store = prepared(folder)
    assert store.head.classes == ()
    assert {key: int(age) for key, age in targets_of(store, "age").items()} == {"r0.es": -3, "r1.es": 40}
    assert {key: float(angle) for key, angle in targets_of(store, "angle").items()} == {"r0.es": 1.0, "r1.es": 0.25}


def test_arrays_of_numpy_keep_their_type_in_either_order_of_axes_and_bytes(folder: Path) -> None:
    first, second = np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3))
    np.save(folder / "a.npy", first)
    np.save(folder / "b.npy", second)
    dataset = dataset_of(folder, "path,label,target.pose", "r0.es,x,a.npy", "r1.es,y,b.npy")
    assert str(dataset.target_specs[0]) == "pose (values, int32 [2, 3])"
    for found in targets_of(prepared(folder), "pose").values():
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, first)


@pytest.mark.parametrize("header", ["t", "ts"])
def test_published_boxes_become_rows_of_the_sample_that_they_are_in(folder: Path, header: str) -> None:
    stop = recording(0).stop_us // 2
    fields: Any = [(header, "<u8"), *BOX[1:]]
    np.save(folder / "r0_bbox.npy", boxes(0, stop - 1, stop, stop + 5, dtype=fields))
    dataset_of(
        folder, "path,start_us,end_us,target.place:boxes", f"r0.es,,{stop},r0_bbox.npy", f"r0.es,{stop},,r0_bbox.npy"
    )
    first, second = (targets_of(prepared(folder), "place")[key] for key in (f"r0.es:-{stop}", f"r0.es:{stop}-"))
    # t_us, x, y, w, h, class_id, confidence: the third field from the end is the track, which is left out.
    np.testing.assert_array_equal(first, [[0, 1, 2, 3, 4, 5, 7], [stop - 1, 2, 3, 4, 5, 6, 8]])
    np.testing.assert_array_equal(second[:, 0], [stop, stop + 5])
    assert first.dtype == np.float64


def test_boxes_without_a_confidence_are_certain_and_there_may_be_none(folder: Path) -> None:
    np.save(folder / "a.npy", boxes(5, dtype=BOX[:-1]))
    np.save(folder / "b.npy", boxes())
    dataset_of(folder, "path,target.place:boxes", "r0.es,a.npy", "r1.es,b.npy")
    found = targets_of(prepared(folder), "place")
    assert found["r0.es"].tolist() == [[5, 1, 2, 3, 4, 5, 1]]
    assert found["r1.es"].shape == (0, 7)


def test_a_map_has_named_axes(folder: Path) -> None:
    np.save(folder / "a.npy", np.zeros((4, 5, 6), np.float16))
    dataset = dataset_of(folder, "path,target.depth:map", "r0.es,a.npy", "r1.es,a.npy")
    assert dataset.target_specs[0].axes == ("time", "y", "x")
    assert dataset.target_specs[0].tied_to == {"space", "time"}


def test_targets_are_part_of_what_a_store_is_made_of(folder: Path) -> None:
    np.save(folder / "a.npy", np.zeros(3))
    dataset_of(folder, "path,label,target.pose", "r0.es,x,a.npy", "r1.es,x,a.npy")
    first = prepared(folder)
    np.save(folder / "a.npy", np.ones(3))
    second = prepared(folder)
    assert first.path != second.path
    assert (first.head.recipe_id, first.head.source_id) != (second.head.recipe_id, second.head.source_id)
    assert first.head.recipe_id == second.head.recipe_id
    assert second.read_target(0, "pose").tolist() == [1, 1, 1]
    dataset_of(folder, "path,label", "r0.es,x", "r1.es,x")
    assert prepared(folder).head.recipe_id != first.head.recipe_id


def test_a_file_that_changes_its_shape_while_preparing_is_named(folder: Path) -> None:
    np.save(folder / "a.npy", np.zeros(3))
    dataset = dataset_of(folder, "path,label,target.pose", "r0.es,x,a.npy", "r1.es,x,a.npy")
    np.save(folder / "a.npy", np.zeros(4))
    with pytest.raises(NeurodataError, match=r"a\.npy: holds float64 \[4\]; target pose .* was expected"):
        dataset.targets(folder, dataset.samples(folder)[0], recording(0))


def saved(array: Any, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


LYING = saved(np.zeros(3)).replace(b"(3,)", b"(9,)")


@pytest.mark.parametrize(
    ("header", "cells", "files", "words"),
    [
        ("target.a", ("1", "x"), {}, r"column target\.a: 'x' is neither a number that float32 holds nor the path"),
        ("target.a", ("1", "nan"), {}, "'nan' is neither a number"),
        ("target.a", ("1", "1e39"), {}, "'1e39' is neither a number that float32 holds"),
        ("target.a", ("1", ""), {}, r"line 3: target\.a is empty; expected a number or an \.npy file"),
        ("target.a", ("a.npy", "1"), {"a.npy": saved(np.zeros(3))}, r"'1' is no \.npy file, others are"),
        ("target.a:boxes", ("1", "2"), {}, r"holds numbers; boxes are paths of \.npy files"),
        ("target.a", ("a.npy", "b.npy"), {}, r"a\.npy is missing; correct the path"),
        ("target.a", ("../mine/r0.npy", "b.npy"), {}, r"'\.\./mine/r0\.npy' points elsewhere; expected a file below"),
        ("target.a", ("/etc/r0.npy", "b.npy"), {}, "points elsewhere"),
        (
            "target.a",
            ("a.npy", "b.npy"),
            {"a.npy": saved(np.zeros(3)), "b.npy": saved(np.zeros(4))},
            r"b\.npy holds float64 \[4\], and a\.npy float64 \[3\]; .* called target\.a:boxes or target\.a:series",
        ),
        (
            "target.a:series",
            ("a.npy", "b.npy"),
            {"a.npy": saved(np.zeros((3, 2))), "b.npy": saved(np.zeros((3, 4)))},
            r"b\.npy holds float64 \[0, 4\], and a\.npy float64 \[0, 2\]; expected files that are alike",
        ),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": saved(np.array([{}], object), True)}, "objects"),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": LYING}, r"expected what fills them: the file is truncated"),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": b"nothing"}, r"a\.npy: byte 0: does not begin as \.npy"),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": saved(np.zeros(2, complex))}, "its type is complex128; expected"),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": saved(np.zeros((2, 0)))}, "at least 1 along every axis"),
        ("target.a", ("a.npy", "a.npy"), {"a.npy": saved(boxes(1))}, r"holds records .*target\.a:boxes records with x"),
        (
            "target.a:boxes",
            ("a.npy", "a.npy"),
            {"a.npy": saved(boxes(1, dtype=[("t", "S3"), *BOX[1:]]))},
            "holds records",
        ),
        ("target.a:map", ("a.npy", "a.npy"), {"a.npy": saved(np.zeros(2))}, "map have 2 axes at least"),
        ("target.a:boxes", ("a.npy", "a.npy"), {"a.npy": saved(np.zeros(2))}, "boxes have 2 axes"),
        ("target.a:series", ("a.npy", "a.npy"), {"a.npy": saved(np.float32(2))}, "series have 1 axis at least"),
        ("target.a:box", ("1", "1"), {}, "line 1: column 'target.a:box': 'box' is no kind of target; expected values"),
        ("target.class", ("1", "1"), {}, "line 1: column 'target.class': target 'class': a name is lower-case"),
        ("target.A", ("1", "1"), {}, "target 'A': a name is lower-case"),
        ("target.", ("1", "1"), {}, "target '': a name is lower-case"),
        ("target.a,target.a:map", ("1,1", "1,1"), {}, "line 1: two columns name one target: a, a"),
        ("color", ("1", "1"), {}, r"expected a header with path and label \(or target\.NAME\)"),
    ],
)
def test_damaged_targets_are_named(
    folder: Path, header: str, cells: tuple[str, str], files: dict[str, bytes], words: str
) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    rows = [f"r{k}.es,{cell}" for k, cell in enumerate(cells)]
    with pytest.raises(NeurodataError, match=words):
        dataset_of(folder, f"path,{header}", *rows)


def test_a_label_that_is_stated_for_some_is_refused_where_there_are_targets(folder: Path) -> None:
    with pytest.raises(NeurodataError, match="line 3: the label is empty"):
        dataset_of(folder, "path,label,target.a", "r0.es,x,1", "r1.es,,2")
