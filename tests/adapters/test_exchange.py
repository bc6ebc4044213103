"""Stores to other libraries' layouts and back, and what these libraries read of them."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import neurodata
from neurodata.adapters.exchange import LAYOUTS, estimate, export_store, import_dataset, import_samples
from neurodata.adapters.spikingjelly import as_spikingjelly
from neurodata.errors import (
    FormatError,
    LoaderError,
    NeurodataError,
    SourceNotFoundError,
    StorageError,
    UnknownNameError,
)
from neurodata.loader import Store
from neurodata.signals import EventArray
from neurodata.store import EventsLayout, verify
from tests.labelled import recording, write_labelled

KINDS = sorted(LAYOUTS)


@pytest.fixture(autouse=True, scope="module")
def _nothing_waits_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten recordings of three classes, the last three for test."""
    home = tmp_path_factory.mktemp("ten") / "recordings"
    for k in range(10):
        place = home / ("test" if k >= 7 else "train") / "abc"[k % 3]
        place.mkdir(parents=True, exist_ok=True)
        neurodata.write(recording(k), place / f"r{k}.es")
    return home


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return neurodata.prepare(f"folder:{folder}", T=4, cache=folder.parent / "cache")


def assert_equal(one: Store, other: Store) -> None:
    """The same samples in the same splits, with all that is told of them."""
    assert one.head.classes == other.head.classes
    assert list(one.schemes) == list(other.schemes)
    assert (one.array, one.head.form, one.head.default_scheme) == (
        other.array,
        other.head.form,
        other.head.default_scheme,
    )
    assert isinstance(one.head.layout, EventsLayout) == isinstance(other.head.layout, EventsLayout)
    for part in ("train", "validation", "test"):
        index, against = (found.schemes[found.head.default_scheme][part] for found in (one, other))
        assert [one.table.keys[i] for i in index] == [other.table.keys[i] for i in against]
        for i, j in zip(index.tolist(), against.tolist(), strict=True):
            for name in ("targets", "n_events", "duration_us", "n_steps"):
                assert getattr(one.table, name)[i] == getattr(other.table, name)[j], name
            assert one.table.groups[i] == other.table.groups[j]
            if isinstance(one.head.layout, EventsLayout):
                a, b = one.read_events(i), other.read_events(j)
                for name in ("t", "x", "y", "p"):
                    np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            else:
                np.testing.assert_array_equal(one.read(i), other.read(j), strict=True)
            for spec in one.head.targets:
                np.testing.assert_array_equal(
                    one.read_target(i, spec.name), other.read_target(j, spec.name), strict=True
                )


@pytest.mark.parametrize("layout", ["dense", "sparse", "events"])
@pytest.mark.parametrize("kind", KINDS)
def test_export_and_import_give_the_same_store(folder: Path, tmp_path: Path, kind: str, layout: str) -> None:
    store = neurodata.prepare(f"folder:{folder}", T=4, layout=layout)
    out = export_store(store, kind, tmp_path / "out")
    found = import_samples(out, samples_per_shard=3)
    assert_equal(store, found)
    assert found.schemes["folder"].sha256 == store.schemes["folder"].sha256
    assert (found.head.dataset, found.head.layout.kind) == (store.head.dataset, layout)
    assert verify(found.path, deep=True).problems == ()
    assert import_samples(out, samples_per_shard=3).path == found.path


def test_the_layout_in_between_makes_no_difference(store: Store, tmp_path: Path) -> None:
    found = {import_samples(export_store(store, kind, tmp_path / kind)).path for kind in KINDS}
    assert len(found) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_different_lengths_keep_theirs(folder: Path, tmp_path: Path, kind: str) -> None:
    store = neurodata.prepare(
        f"folder:{folder}", layout="sparse", encoding="event_frame", event_frame={"duration_us": 300}
    )
    assert store.array is not None
    assert store.array.has_variable_steps
    assert_equal(store, import_samples(export_store(store, kind, tmp_path / "out")))


@pytest.mark.parametrize("kind", ["hdf5", "npz", "webdataset"])
def test_targets_besides_the_class_come_back(tmp_path: Path, kind: str) -> None:
    labels = write_labelled(tmp_path / "labelled")
    store = neurodata.prepare(f"folder:{tmp_path / 'labelled'}", T=4, labels=labels)
    assert store.head.targets
    assert_equal(store, import_samples(export_store(store, kind, tmp_path / "out")))


@pytest.mark.parametrize("kind", ["spikingjelly", "tonic"])
def test_targets_that_a_layout_does_not_hold_are_refused(tmp_path: Path, kind: str) -> None:
    labels = write_labelled(tmp_path / "labelled")
    store = neurodata.prepare(f"folder:{tmp_path / 'labelled'}", T=4, labels=labels)
    with pytest.raises(FormatError, match="choose webdataset, hdf5 or npz"):
        export_store(store, kind, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


DTYPES = ("uint8", "int16", "float32", "float64", "bool", "uint32")


@given(
    kind=st.sampled_from(KINDS),
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    labels=st.lists(st.integers(0, 11), min_size=1, max_size=7),
    n_test=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frames_of_any_type_and_shape_come_back(
    kind: str, dtype: str, shape: tuple[int, ...], labels: list[int], n_test: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    items = [((rng.random(shape) * 200).astype(dtype), label) for label in labels]
    with tempfile.TemporaryDirectory() as name:
        first = import_dataset(items, items[:n_test] or None, name="made", samples_per_shard=2, cache=f"{name}/cache")
        out = export_store(first, kind, Path(name) / "out")
        second = import_samples(out, cache=f"{name}/other")
        assert_equal(first, second)
        for i, (frames, label) in enumerate(items):
            sample = second["train"].sample(i)
            np.testing.assert_array_equal(sample.frames, frames, strict=True)
            assert sample.target == label


def test_one_split_alone_is_a_partial_store(store: Store, tmp_path: Path) -> None:
    found = import_samples(export_store(store, "npz", tmp_path / "out", split="test"))
    assert (len(found), found.head.partial) == (3, True)
    assert [found.table.keys[i] for i in range(3)] == list(store["test"].keys)


def test_a_twin_stays_a_twin(tmp_path: Path) -> None:
    twin = neurodata.prepare("shd", twin=True, twin_size=40)
    found = import_samples(export_store(twin, "hdf5", tmp_path / "out"))
    assert found.head.source_kind == "twin"
    assert "-twin-" in str(found.path)


@pytest.mark.parametrize("kind", ["npz", "spikingjelly", "hdf5"])
def test_frames_that_are_large_and_empty_come_back(tmp_path: Path, kind: str) -> None:
    frames = np.zeros((18, 2, 720, 1280), np.float32)  # 133 MB that pack a thousandfold
    out = export_store(import_dataset([(frames, 0)], name="empty"), kind, tmp_path / "out")
    assert not import_samples(out, cache=tmp_path / "cache").read(0).any()


def test_a_chunk_of_hdf5_is_never_too_large_to_be_read() -> None:
    from neurodata.adapters._hdf5_file import _chunk

    assert _chunk((16, 2, 128, 128), 1) == (1, 16, 2, 128, 128)
    assert _chunk((64, 2, 720, 1280), 4) == (1, 2, 2, 720, 1280)  # 15 of 472 MB
    assert (_chunk((), 8), _chunk((2,), 8), _chunk((1 << 30,), 8)) == ((1 << 15,), (1 << 14, 2), (1, 1 << 21))


def test_a_size_that_there_is_no_room_to_measure_is_an_error_of_ours(store: Store, largest_file: Any) -> None:
    largest_file(100)
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            estimate(store, "npz")
    finally:
        largest_file(1 << 40)


def test_a_folder_that_is_there_is_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StorageError, match="is there already"):
        export_store(store, "npz", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None, unit: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_store(store, "webdataset", tmp_path / "here" / "out", progress=stop)
    assert list((tmp_path / "here").iterdir()) == []
    export_store(store, "webdataset", tmp_path / "here" / "out")


def test_what_a_killed_run_left_is_deleted_by_the_next(store: Store, tmp_path: Path) -> None:
    stale = tmp_path / ".out.exporting" / "train-000099.tar"
    stale.parent.mkdir()
    stale.touch()
    out = export_store(store, "webdataset", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [out]
    assert not (out / stale.name).exists()


def test_an_export_that_was_killed_is_no_export(store: Store, tmp_path: Path) -> None:
    left, others = (tmp_path / f".{name}.0123abcd.exporting" for name in ("out", "out.2"))
    export_store(store, "npz", tmp_path / "whole").rename(left)
    others.mkdir()
    with pytest.raises(FormatError, match="was not finished"):
        import_samples(left, name="cut")
    out = export_store(store, "npz", tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == sorted([others, out])


def test_a_store_behind_a_url_is_exported_alike(store: Store, tmp_path: Path) -> None:
    import fsspec

    assert isinstance(store.path, Path)
    fsspec.filesystem("memory").put(str(store.path), "/exported/store", recursive=True)
    remote = neurodata.open_store("memory://exported/store")
    assert_equal(store, import_samples(export_store(remote, "webdataset", tmp_path / "out")))


@pytest.mark.parametrize("layout", ["dense", "sparse", "events"])
def test_samples_are_fetched_in_runs_of_a_bounded_size(
    folder: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurodata.adapters import _passing

    split = neurodata.prepare(f"folder:{folder}", T=4, layout=layout)["train"]
    monkeypatch.setattr(_passing, "FETCHED", 3)
    assert [*map(len, _passing._fetched_together(split))] == [3, 3, 1]
    assert split.store.array is None or split.store.array.shape == (4, 2, 5, 6)
    sizes = split.store.table.n_events[split.indices] * 13 if layout == "events" else np.full(7, 4 * 2 * 5 * 6 * 2)
    monkeypatch.setattr(_passing, "FETCHED_BYTES", int(sizes[:2].sum()))
    runs = list(_passing._fetched_together(split))
    assert [k for run in runs for k in run] == list(range(7))
    assert runs[0] == range(2)
    monkeypatch.setattr(_passing, "FETCHED_BYTES", 1)
    assert [*map(len, _passing._fetched_together(split))] == [1] * 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_an_error_that_says_so(store: Store, tmp_path: Path, kind: str, largest_file: Any) -> None:
    largest_file(100)
    try:
        with pytest.raises(StorageError, match="out"):
            export_store(store, kind, tmp_path / "out")
    finally:
        largest_file(1 << 40)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_known_before(store: Store, tmp_path: Path, kind: str) -> None:
    told = estimate(store, kind)
    assert told.n_samples == {"train": 7, "test": 3}
    out = export_store(store, kind, tmp_path / "out")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file() and path.name != "neurodata.json")
    assert told.size_bytes == pytest.approx(size, rel=0.2)


def test_what_there_is_not_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="webdataset, hdf5, npz, spikingjelly, tonic"):
        export_store(store, "parquet", tmp_path / "out")
    with pytest.raises(UnknownNameError, match="no scheme"):
        export_store(store, "npz", tmp_path / "out", scheme="other")
    with pytest.raises(LoaderError, match="validation"):
        export_store(store, "npz", tmp_path / "out", split="validation")
    with pytest.raises(SourceNotFoundError):
        import_samples(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="say the layout"):
        import_samples(tmp_path / "empty")
    with pytest.raises(FormatError, match=r"no \.npz files"):
        import_samples(tmp_path / "empty", kind="npz")


def test_frames_that_others_saved_by_class(tmp_path: Path) -> None:
    for k in range(6):
        place = tmp_path / "made" / ("val" if k == 5 else "train") / ("dog" if k % 2 else "cat")
        place.mkdir(parents=True, exist_ok=True)
        np.savez(place / f"{k}.npz", np.full((3, 2, 4, 5), k, np.uint8))
    found = import_samples(tmp_path / "made", name="pets")
    assert (found.head.dataset, found.head.classes) == ("pets", ("cat", "dog"))
    assert (len(found["train"]), len(found["validation"])) == (5, 1)
    assert [(int(found.read(i).max()), int(found.table.targets[i])) for i in range(6)] == [(k, k % 2) for k in range(6)]
    assert found.array is not None
    assert found.array.axes == ("time", "channel", "y", "x")
    assert found.counts.read == 0


def test_one_file_of_arrays_that_others_saved(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    frames = np.random.default_rng(0).random((5, 3, 7)).astype(np.float32)
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["data"], file["labels"] = frames, np.array([[0], [2], [1], [0], [2]], np.uint8)
    found = import_samples(tmp_path / "made.h5", classes=["x", "y", "z"], axes=["time", "neuron"])
    assert found.head.classes == ("x", "y", "z")
    for i in range(5):
        np.testing.assert_array_equal(found.read(i), frames[i])
    with h5py.File(tmp_path / "parts.h5", "w") as file:
        for part, sign in (("train", 1), ("test", -1)):
            file[f"{part}/x"], file[f"{part}/y"] = frames * sign, np.arange(5)[::sign]
    parted = import_samples(tmp_path / "parts.h5")
    for part, sign in (("train", 1), ("test", -1)):
        assert parted[part].labels.tolist() == list(range(5))[::sign]
        for i in range(5):
            np.testing.assert_array_equal(parted[part].sample(i).frames, frames[i] * sign)


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_shards_that_others_wrote(tmp_path: Path) -> None:
    ones = np.ones((2, 1, 3, 3), np.float32)
    write_tar(
        tmp_path / "test-0001.tar",
        {"dir.v1/a.npy": npy(ones), "dir.v1/a.cls": b"1", "b.npy": npy(2 * ones), "b.cls": b"0"},
    )
    found = import_samples(tmp_path / "test-0001.tar", name="theirs")
    assert [(float(found["test"].sample(i).frames.max()), found["test"].sample(i).target) for i in (0, 1)] == [
        (1, 1),
        (2, 0),
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.npy": npy(np.ones(3))}, "expected arrays"),
        ({"a.cls": b"1"}, "expected arrays"),
        ({"a.npy": npy(np.ones((2, 2)))[:-3], "a.cls": b"1"}, "expected what fills them"),
        ({"a.npy": b"nothing", "a.cls": b"1"}, r"a.npy is no .npy array"),
        ({"a.npy": npy(np.ones(3)), "a.cls": b"1", "a.json": b"[1"}, "no JSON"),
        ({"a.npy": npy(np.ones(3)), "a.cls": b"1", "a.json": b"[1]"}, "expected an object"),
        ({"a.npy": npy(np.ones(3)), "a.json": b'{"label": 1.5}'}, "its label is 1.5"),
        ({"a.npy": npy(np.ones(3)), "a.json": b'{"label": null}'}, "a label"),
        (
            {"a.npy": npy(np.ones((2, 2))), "a.cls": b"1", "b.npy": npy(np.ones((2, 3))), "b.cls": b"1"},
            "only the first axis",
        ),
        ({"a.npy": npy(np.ones((2, 2))), "a.cls": b"1", "b.npy": npy(np.ones((3, 2))), "b.cls": b"1"}, "pad or cut"),
        ({"a.npy": npy(np.ones(2)), "a.cls": b"1", "b.npy": npy(np.ones(2, "c8")), "b.cls": b"1"}, "expected one of"),
        ({"a.npy": npy(np.ones(2)), "a.cls": b"cat", "b.npy": npy(np.ones(2)), "b.cls": b"1"}, "not both"),
    ],
)
def test_shards_that_hold_no_samples_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    write_tar(tmp_path / "a.tar", members)
    with pytest.raises(FormatError, match=message):
        import_samples(tmp_path / "a.tar")


def columns(**other: NDArray[Any]) -> dict[str, bytes]:
    """Members of a .tar: a sample of three events."""
    told = {name: np.array([0, 1, 2]) for name in "txyp"} | other
    return {f"a.{name}.npy": npy(column) for name, column in told.items()} | {"a.cls": b"0"}


def test_late_events_are_put_in_order_and_counted(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", columns(t=np.array([7, 3, 9]), p=np.array([-1, 1, 0.5])))
    found = import_samples(tmp_path / "a.tar")
    events = found.read_events(0)
    assert (events.t.tolist(), events.x.tolist(), events.p.tolist()) == ([3, 7, 9], [1, 0, 2], [True, False, True])
    assert (found.counts.read, dict(found.counts.notes)) == (3, {"late": 1})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"t": np.array([0.5, 1, 2])}, "train/0: t is float64"),
        ({"x": np.array([0, -1, 2])}, "train/0: x is int64 from -1 to 2"),
        ({"y": np.array([0, 1])}, r"train/0: its columns have the shapes .* y \(2,\)"),
        ({name: np.zeros((3, 2), int) for name in "txyp"}, "expected one axis"),
        ({"p": np.array(["a", "b", "c"])}, "train/0: p is <U1"),
        ({"p": np.array([0, 1, np.nan])}, "train/0: p is float64"),
        ({"t": np.array([0, 1, 1 << 63], np.uint64)}, "train/0: times reach from"),
    ],
)
def test_columns_that_are_no_events_are_refused(tmp_path: Path, other: dict[str, Any], message: str) -> None:
    write_tar(tmp_path / "a.tar", columns(**other))
    with pytest.raises(FormatError, match=message):
        import_samples(tmp_path / "a.tar")


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for _ in range(2):
        with tarfile.open(tmp_path / "a.tar", "a") as tar:
            tar.addfile(tarfile.TarInfo("a.cls"), io.BytesIO())
    with pytest.raises(FormatError, match=r"two members are called a\.cls"):
        import_samples(tmp_path / "a.tar")


def test_names_of_several_samples_in_one_file_are_no_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=np.zeros((2, 3), np.uint8), label=0, key=np.array(["a", "b"]))
    assert list(import_samples(tmp_path / "a.npz")["train"].keys) == ["train/0"]


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{}], object), allow_pickle=True)
    write_tar(tmp_path / "a.tar", {"a.npy": file.getvalue(), "a.cls": b"1"})
    np.savez(tmp_path / "a.npz", frames=np.array([{}], object), label=1)
    for name in ("a.tar", "a.npz"):
        with pytest.raises(FormatError):
            import_samples(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_an_error_or_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    items = [(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3) + k, k) for k in range(2)]
    home = tmp_path_factory.mktemp("damage")
    out = export_store(import_dataset(items, name="made", cache=home / "cache"), kind, home / "out")
    files = sorted(path for path in out.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    file.write_bytes(content)
    with suppress(NeurodataError):
        import_samples(out, cache=home / "other")
    shutil.rmtree(home)


def test_a_dataset_that_changes_while_it_is_read_is_found_out() -> None:
    class Random:
        def __init__(self) -> None:
            self.rng = np.random.default_rng(0)

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
            return self.rng.random((2, 4)).astype(np.float32), 0

    with pytest.raises(FormatError, match="others than a moment ago"):
        import_dataset(Random(), name="random")


class Unsteady:
    """Gives other frames from a number of reads on, to another number."""

    def __init__(self, first: int, stop: int, length: int = 4) -> None:
        self.n_read, self.first, self.stop, self.length = 0, first, stop, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        is_other = self.first <= self.n_read < self.stop
        self.n_read += 1
        return np.full((2, 3), 99 if is_other else index, np.uint8), 0


@pytest.mark.parametrize("first", [4, 6, 7])
def test_what_changed_while_it_was_read_is_in_no_store_of_what_it_was(tmp_path: Path, first: int) -> None:
    with pytest.raises(FormatError, match=f"the first is train/{first - 4}"):
        import_dataset(Unsteady(first, 8), name="odd", samples_per_shard=2, cache=tmp_path)
    found = import_dataset(Unsteady(0, 0), name="odd", samples_per_shard=2, cache=tmp_path)
    assert [int(found.read(i).max()) for i in range(4)] == [0, 1, 2, 3]


def test_samples_that_became_fewer_or_more_are_in_no_store(tmp_path: Path) -> None:
    class Other(Unsteady):
        def __len__(self) -> int:
            return self.length if self.n_read else 4

    for length in (3, 5):
        with pytest.raises(FormatError, match="others than a moment ago"):
            import_dataset(Other(0, 0, length), name="odd", cache=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_lost_files_is_no_smaller_dataset(store: Store, tmp_path: Path, kind: str) -> None:
    out = export_store(store, kind, tmp_path / "out")
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "neurodata.json")
    files[-1].unlink()
    with pytest.raises(FormatError, match="copy the export again"):
        import_samples(out)
    (out / "neurodata.json").unlink()
    assert 0 < len(import_samples(out, kind=kind)) < 10


def test_one_file_of_an_export_is_a_part_of_a_dataset(store: Store, tmp_path: Path) -> None:
    found = import_samples(export_store(store, "hdf5", tmp_path / "out") / "test.h5")
    assert (len(found["test"]), len(found), found.head.partial) == (3, 3, True)


def test_a_word_of_a_files_name_tells_the_partition(tmp_path: Path) -> None:
    for name in ("shd_test", "shd_train", "Validation", "more.test.2"):
        np.savez(tmp_path / f"{name}.npz", frames=np.zeros((2, 3), np.uint8), label=0, key=name)
    found = import_samples(tmp_path)
    parts = {part: list(found[part].keys) for part in ("train", "validation", "test")}
    assert parts == {"train": ["shd_train"], "validation": ["Validation"], "test": ["more.test.2", "shd_test"]}


@pytest.mark.parametrize("label", [{}, {"label": np.array([0, 1, 0])}])
@pytest.mark.parametrize("place", [".", "train", "of-a-class/train"])
def test_labels_are_not_made_of_folders_that_are_none_of_classes(tmp_path: Path, place: str, label: Any) -> None:
    (tmp_path / "made" / place).mkdir(parents=True, exist_ok=True)
    np.savez(tmp_path / "made" / place / "a.npz", frames=np.zeros((2, 3), np.uint8), **label)
    with pytest.raises(FormatError, match="tells no label"):
        import_samples(tmp_path / "made")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for word in ("train", "bicycle"):
        (tmp_path / "test" / word).mkdir(parents=True)
        np.savez(tmp_path / "test" / word / "a.npz", frames=np.zeros((2, 3), np.uint8))
    found = import_samples(tmp_path)
    assert (found.head.classes, len(found["test"])) == (("bicycle", "train"), 2)


def test_places_that_are_no_folders_are_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("s3://bucket/out", "memory://out", "~nobody-at-all/out"):
        with pytest.raises(StorageError, match=r"name a folder"):
            export_store(store, "npz", place)
        with pytest.raises(StorageError):
            import_samples(place)
    assert list(tmp_path.iterdir()) == []
    assert export_store(store, "npz", (tmp_path / "a b").as_uri()) == tmp_path / "a b"
    assert len(import_samples((tmp_path / "a b").as_uri())) == 10


def test_samples_are_imported_to_a_store_behind_a_url() -> None:
    items = [(np.full((2, 3), k, np.uint8), k % 2) for k in range(5)]
    found = import_dataset(items, name="far", samples_per_shard=2, cache="memory://imported-far")
    assert str(found.path).startswith("memory://imported-far/stores/far/imported-")
    assert [int(found.read(i).max()) for i in range(5)] == list(range(5))
    assert import_dataset(items, name="far", samples_per_shard=2, cache="memory://imported-far").path == found.path


def test_a_run_that_another_took_over_from_touches_nothing_of_it(store: Store, tmp_path: Path) -> None:
    others = tmp_path / ".out.0123abcd.exporting" / "theirs"

    def lose(stage: str, done: int, total: int | None, unit: str) -> None:
        if done == 2:
            (tmp_path / ".out.lock").write_text(json.dumps({"owner": "another"}))
            others.parent.mkdir()
            others.touch()

    with pytest.raises(StorageError, match="another run has taken over"):
        export_store(store, "npz", tmp_path / "out", progress=lose)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.0123abcd.exporting", ".out.lock"]
    assert list(others.parent.iterdir()) == [others]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (KeyError("gone"), "item 0 of train cannot be read: KeyError"),
        ((np.zeros((2, 3)), np.array([0, 1])), r"has the label array\(\[0, 1\]\)"),
        (([[1], [1, 2]], 0), "list is no array"),
        ((None, 0), "frames are"),
        ((np.zeros((2, 3)), 1.5), "has the label 1.5"),
        (np.zeros((2, 3)), "expected a pair"),
    ],
)
def test_an_item_that_cannot_be_stored_is_named(item: Any, message: str) -> None:
    class One:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Any:
            if isinstance(item, Exception):
                raise item
            return item

    with pytest.raises(FormatError, match=message):
        import_dataset(One(), name="odd")


def test_names_that_are_none_are_refused() -> None:
    items = [(np.zeros((2, 3), np.uint8), 0)]
    with pytest.raises(FormatError, match="no name"):
        import_dataset(items, name="")
    with pytest.raises(FormatError, match="two classes"):
        import_dataset(items, name="twice", classes=["a", "a"])
    with pytest.raises(FormatError, match="tells no length"):
        import_dataset(iter(items), name="stream")  # type: ignore[arg-type]


def test_an_import_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    items = [(np.full((2, 3), k, np.uint8), k % 2) for k in range(9)]

    def stop(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "import" and done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(items, name="made", samples_per_shard=2, cache=tmp_path / "a", progress=stop)
    one = import_dataset(items, name="made", samples_per_shard=2, cache=tmp_path / "a")
    other = import_dataset(items, name="made", samples_per_shard=2, cache=tmp_path / "b")
    trees = [
        {path.relative_to(found.path): path.read_bytes() for path in found.path.rglob("*") if path.is_file()}
        for found in (one, other)
    ]
    assert trees[0] == trees[1]


def test_the_same_store_gives_the_same_shards(store: Store, tmp_path: Path) -> None:
    one, other = (export_store(store, "webdataset", tmp_path / name) for name in ("a", "b"))
    for file in one.glob("*.tar"):
        assert file.read_bytes() == (other / file.name).read_bytes()


def test_tonics_cache_reads_what_is_exported(store: Store, tmp_path: Path) -> None:
    tonic = pytest.importorskip("tonic")
    out = export_store(store, "tonic", tmp_path / "out")
    cached = tonic.DiskCachedDataset(None, str(out / "train"))
    assert len(cached) == 7
    for i in range(7):
        frames, label = cached[i]
        sample = store["train"].sample(i)
        np.testing.assert_array_equal(frames, sample.frames, strict=True)
        assert label == sample.target


def test_tonics_cache_reads_events_that_are_exported(folder: Path, tmp_path: Path) -> None:
    tonic = pytest.importorskip("tonic")
    store = neurodata.prepare(f"folder:{folder}", layout="events")
    cached = tonic.DiskCachedDataset(None, str(export_store(store, "tonic", tmp_path / "out") / "test"))
    for i, index in enumerate(store["test"].indices.tolist()):
        events, label = cached[i]
        np.testing.assert_array_equal(events, store.read_events(index).to_structured())
        assert label == store.table.targets[index]


def test_what_tonics_cache_wrote_is_imported(tmp_path: Path) -> None:
    tonic = pytest.importorskip("tonic")
    items = [(np.full((2, 1, 3, 4), k, np.int16), k % 3) for k in range(12)]
    cached = tonic.DiskCachedDataset(items, str(tmp_path / "cache"))
    for i in range(12):
        cached[i]
    found = import_samples(tmp_path / "cache", name="cached")
    for i, (frames, label) in enumerate(items):
        np.testing.assert_array_equal(found.read(i), frames, strict=True)
        assert found.table.targets[i] == label


def test_spikingjelly_reads_what_is_exported(store: Store, tmp_path: Path) -> None:
    from tests.peers import spikingjelly_event_functions

    load = spikingjelly_event_functions().load_npz_frames
    home = export_store(store, "spikingjelly", tmp_path / "out") / "frames_number_4_split_by_number" / "train"
    # Labels as in torchvision's DatasetFolder, which SpikingJelly's datasets are: places in the sorted folders' names.
    folders = sorted(path.name for path in home.iterdir())
    theirs = {int(file.stem): (load(str(file)), folders.index(file.parent.name)) for file in home.rglob("*.npz")}
    assert len(theirs) == 7
    split = as_spikingjelly(store["train"])
    for i in range(7):
        np.testing.assert_array_equal(theirs[i][0], split[i][0], strict=True)
        assert theirs[i][1] == split[i][1]
        assert split[i][0].dtype == np.float32


def test_more_than_ten_classes_keep_their_numbers_in_sorted_folders(tmp_path: Path) -> None:
    items = [(np.zeros((1, 2), np.uint8), k) for k in range(12) if k != 5]
    store = import_dataset(items, name="twelve", classes=[f"c{k}" for k in range(12)])
    home = next(export_store(store, "spikingjelly", tmp_path / "out").glob("frames_*")) / "train"
    assert sorted(path.name for path in home.iterdir()) == [f"{k:02d}" for k in range(12)]
    assert [len(list((home / f"{k:02d}").iterdir())) for k in range(12)] == [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_what_is_exported(store: Store, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = export_store(store, "webdataset", tmp_path / "out")
    read = list(webdataset.WebDataset(str(out / "train-000000.tar"), shardshuffle=False).decode())
    assert len(read) == 7
    for i, sample in enumerate(read):
        np.testing.assert_array_equal(sample["frames.npy"], store["train"].sample(i).frames)
        assert sample["cls"] == store["train"].labels[i]
        assert sample["json"]["key"] == store["train"].keys[i]


def test_numpy_and_h5py_read_what_is_exported(store: Store, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(export_store(store, "hdf5", tmp_path / "h5") / "train.h5") as file:
        frames, labels, keys = file["frames"][:], file["labels"][:], file["keys"].asstr()[:].tolist()
    assert frames.shape == (7, 4, 2, 5, 6)
    assert (labels == store["train"].labels).all()
    assert keys == list(store["train"].keys)
    out = export_store(store, "npz", tmp_path / "npz")
    for i in range(7):
        loaded = np.load(out / "train" / f"{i:08d}.npz")
        np.testing.assert_array_equal(loaded["frames"], frames[i])
        np.testing.assert_array_equal(loaded["frames"], store["train"].sample(i).frames)


def test_a_view_of_events_is_exported_as_frames_only_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    store = neurodata.prepare(f"folder:{folder}", layout="events")
    out = export_store(store, "npz", tmp_path / "out")
    assert set(np.load(out / "train" / "00000000.npz").files) >= {"t", "x", "y", "p", "label", "key"}
    card = json.loads((out / "neurodata.json").read_text())
    assert (card["kind"], card["counts"]) == ("npz", {"train": 7, "validation": 0, "test": 3})
    with pytest.raises(NeurodataError, match="no frames until"):
        as_spikingjelly(store["train"])


def test_a_split_that_was_chosen_is_exported_as_it_is(folder: Path, tmp_path: Path) -> None:
    store = neurodata.prepare(f"folder:{folder}", layout="events")
    view = [{"name": "event_frame", "T": 3}]
    split = store.split("train", classes=["c", "a"]).with_view(view).select([3, 0, 2])
    found = import_samples(export_store(split, "npz", tmp_path / "out"))
    assert (found.head.classes, found.head.partial) == (("c", "a"), True)
    assert found.array == split.spec
    for i in range(3):
        frames, label = split[i]
        np.testing.assert_array_equal(found["train"][i][0], frames)
        assert (found["train"][i][1], found["train"].keys[i]) == (label, split.keys[i])
    with pytest.raises(LoaderError, match="one split already"):
        export_store(split, "npz", tmp_path / "other", split="test")


@pytest.mark.parametrize("name", ["classes", "scheme", "content", "version", "kind"])
@pytest.mark.parametrize("value", [None, 7, [1], {"a": 1}, {"layout": {"shape": 3}}, {"layout": {"targets": [1]}}])
def test_a_damaged_card_is_an_error_of_ours(store: Store, tmp_path: Path, name: str, value: Any) -> None:
    card = export_store(store, "npz", tmp_path / "out") / "neurodata.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {name: value}))
    with suppress(NeurodataError):  # and no other error
        import_samples(tmp_path / "out")
    card.unlink()
    assert len(import_samples(tmp_path / "out")) == 10


def test_numbered_folders_are_class_numbers(tmp_path: Path) -> None:
    for k in (0, 2, 10):
        (tmp_path / "test" / str(k)).mkdir(parents=True)
        np.savez(tmp_path / "test" / str(k) / "a.npz", frames=np.zeros((2, 3), np.uint8), key=f"k{k}")
    found = import_samples(tmp_path / "test", name="numbered")
    assert sorted(found["test"].labels.tolist()) == [0, 2, 10]
    assert len(found.head.classes) == 11


def test_recordings_without_events_go_and_come_back(tmp_path: Path) -> None:
    home = tmp_path / "recordings" / "train" / "a"
    home.mkdir(parents=True)
    neurodata.write(recording(0), home / "some.es")
    neurodata.write(EventArray.empty(recording(0).sensor), home / "none.es")
    store = neurodata.prepare(f"folder:{tmp_path / 'recordings'}", layout="events")
    for kind in KINDS:
        assert_equal(store, import_samples(export_store(store, kind, tmp_path / kind), samples_per_shard=1))
