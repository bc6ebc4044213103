"""Repair gives back the bytes that were there, or says why it cannot and changes nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.adapters import exchange
from neurodata.datasets import Windows
from neurodata.errors import NeurodataError, RecipeError, StoreError, StoreNotFoundError
from neurodata.pipeline import Repaired, SourceOfStore, repair_store, thread_pool
from neurodata.signals import EventArray, Sensor
from neurodata.storage import RemotePath, _remote
from neurodata.store import verify
from neurodata.store._records import seal
from tests.pipeline.test_prepare_url import files_at
from tests.storage.remotes import Stumbling, register, s3_bucket, s3_server


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def repair(path: Path | RemotePath, **made_of: Any) -> Repaired:
    return repair_store(path, SourceOfStore(**made_of), make_executor=lambda n_tasks: thread_pool(min(2, n_tasks)))


def flip(path: Path, place: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.fixture
def store(source: Path, recipe: Path) -> Path:
    """A store of 33 shards."""
    path = neurodata.prepare("dvs-gesture", recipe=recipe, source=source).path
    assert isinstance(path, Path)
    return path


@pytest.fixture
def shard_of(store: Path) -> dict[int, Path]:
    return {shard: store / f"data.zarr/sparse/code/{shard}/c/0" for shard in range(33)}


def test_a_whole_store_is_left_alone_and_needs_no_source(store: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert repair(store) == Repaired(store)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


def test_the_files_are_looked_for_in_the_root_that_the_store_lies_in(tmp_path: Path) -> None:
    path = neurodata.prepare("n-mnist", T=2, twin=4, cache=tmp_path / "lab").path
    assert isinstance(path, Path)
    whole = tree(path)
    flip(next(path.glob("data.zarr/*/*/0/c/0")))
    before = set((tmp_path / "lab").rglob("*"))
    repair(path)
    assert tree(path) == whole
    assert set((tmp_path / "lab").rglob("*")) == before
    assert not (neurodata.storage.cache_root() / "downloads").exists()


def test_damage_of_every_kind_is_undone_and_only_damaged_shards_are_encoded(
    store: Path, source: Path, shard_of: dict[int, Path]
) -> None:
    whole = tree(store)
    flip(shard_of[3])
    flip(shard_of[7], -1)
    shard_of[11].unlink()
    (store / "commits/00012.json").write_text("{}")
    (store / "data.zarr/samples/key/c/0/0").unlink()
    (store / "data.zarr/zarr.json").unlink()
    (store / "data.zarr/zarr.json").mkdir()
    (store / "data.zarr/frames").mkdir()
    (store / "data.zarr/frames/stray").write_text("")
    before = {name: (store / name).stat().st_mtime_ns for name in whole if (store / name).is_file()}
    repaired = repair(store, folder=source)
    assert tree(store) == whole
    assert repaired.n_shards == 4
    assert sorted(repaired.replaced) == [
        "commits/00012.json",
        "data.zarr/samples/key/c/0/0",
        *(f"data.zarr/sparse/code/{shard}/c/0" for shard in (11, 3, 7)),
        "data.zarr/zarr.json",
    ]
    assert repaired.removed == ("data.zarr/frames/stray",)
    untouched = before.keys() - set(repaired.replaced)
    assert {name: (store / name).stat().st_mtime_ns for name in untouched} == {name: before[name] for name in untouched}
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_a_store_of_which_nothing_is_whole_but_the_manifest_comes_back(store: Path, source: Path) -> None:
    whole = tree(store)
    for k, name in enumerate(sorted(whole.keys() - {"manifest.json"})):
        path, content = store / name, whole[name]
        path.unlink()
        if k % 4:
            damaged = (content[: len(content) // 2], content + b"more", bytes([content[0] ^ 9]) + content[1:])
            path.write_bytes(damaged[k % 4 - 1])
    assert repair(store, folder=source).n_shards == 33
    assert tree(store) == whole


def test_a_file_that_is_a_link_is_damage_and_what_it_leads_to_is_left(
    store: Path, source: Path, shard_of: dict[int, Path], tmp_path: Path
) -> None:
    whole = tree(store)
    shard_of[3].replace(tmp_path / "elsewhere")
    shard_of[3].symlink_to(tmp_path / "elsewhere")
    flip(tmp_path / "elsewhere")
    assert repair(store, folder=source).n_shards == 1
    assert tree(store) == whole
    assert not shard_of[3].is_symlink()
    assert (tmp_path / "elsewhere").is_file()


def test_a_part_of_a_store_that_is_kept_elsewhere_behind_a_link_stays_there(
    store: Path, source: Path, shard_of: dict[int, Path], tmp_path: Path
) -> None:
    whole = tree(store)
    for part in ("samples", "sparse"):
        shutil.move(store / "data.zarr" / part, tmp_path / part)
        (store / "data.zarr" / part).symlink_to(tmp_path / part)
    assert verify(store, deep=True).problems == ()
    (store / "commits/00099.json").write_text("")
    assert repair(store) == Repaired(store, removed=("commits/00099.json",))
    flip(shard_of[3])
    assert repair(store, folder=source).n_shards == 1
    assert (store / "data.zarr/sparse").is_symlink()
    assert {name: (store / name).read_bytes() for name in whole} == whole
    neurodata.prepare("dvs-gesture", recipe=source.parent / "small-shards.toml", source=source)
    (store / "manifest.json").unlink()
    neurodata.prepare("dvs-gesture", recipe=source.parent / "small-shards.toml", source=source)
    assert {name: (store / name).read_bytes() for name in whole} == whole


def test_a_store_named_by_a_link_is_repaired_where_it_is(
    store: Path, source: Path, shard_of: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to another disk, beside which nothing could be made to be renamed."""
    whole = tree(store)
    (tmp_path / "mine").symlink_to(store)
    flip(shard_of[3])
    assert repair(tmp_path / "mine", folder=source).path == store
    assert tree(store) == whole


def test_a_part_of_a_store_on_another_disk_is_repaired_by_a_copy(
    store: Path, source: Path, shard_of: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tree(store)
    flip(shard_of[3])
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    assert repair(store, folder=source).n_shards == 1
    assert tree(store) == whole


@pytest.mark.parametrize("damage", ["gone", "cut", "spaces"])
def test_a_damaged_manifest_comes_back_as_it_was(
    store: Path, source: Path, shard_of: dict[int, Path], damage: str
) -> None:
    whole = tree(store)
    manifest = store / "manifest.json"
    content = manifest.read_bytes()
    manifest.write_bytes(content.replace(b"\n", b"\r\n") if damage == "spaces" else content[:99])
    if damage == "gone":
        manifest.unlink()
    flip(shard_of[20])
    assert repair(store, folder=source).n_shards == 1
    assert tree(store) == whole


def test_files_that_do_not_belong_there_are_deleted_without_the_source(store: Path) -> None:
    whole = tree(store)
    (store / "commits/00099.json").write_text("")
    (store / "commits/.00000.json.12.0123abcd.tmp").write_text("")
    assert repair(store) == Repaired(store, removed=("commits/.00000.json.12.0123abcd.tmp", "commits/00099.json"))
    assert tree(store) == whole


def test_what_a_person_put_into_the_store_is_left_and_told(store: Path, source: Path) -> None:
    (store / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.txt: does not belong to the store"):
        repair(store, folder=source)
    assert (store / "notes.txt").read_text() == "mine"


def test_other_source_files_than_the_stores_are_refused(store: Path, source: Path, shard_of: dict[int, Path]) -> None:
    flip(shard_of[3])
    damaged = tree(store)
    labels = source / "user01_led_labels.csv"
    labels.write_text(labels.read_text().replace("1,1000000,1100000", "2,1000000,1100000"))
    with pytest.raises(RecipeError, match="made of files of source_id"):
        repair(store, folder=source)
    assert tree(store) == damaged


def test_a_store_of_a_folder_asks_for_it(store: Path, shard_of: dict[int, Path]) -> None:
    flip(shard_of[3])
    with pytest.raises(RecipeError, match="name it with --source DIR"):
        repair(store)


def test_other_versions_of_a_step_are_named(
    store: Path, source: Path, shard_of: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(shard_of[3])
    damaged = tree(store)
    monkeypatch.setattr(registry.encodings["event_frame"], "version", 99)
    with pytest.raises(RecipeError, match=r"differ in event_frame version \(\d+, 99\).*prepare dvs-gesture --force"):
        repair(store, folder=source)
    assert tree(store) == damaged


def test_other_bytes_of_the_same_recipe_replace_nothing(
    store: Path, source: Path, shard_of: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another version of a library would give them: here a step that does something else under its old version."""
    flip(shard_of[3])
    damaged = tree(store)
    frame = registry.encodings["event_frame"]
    encode = frame.encode

    def encode_backwards(self: Any, events: Any, out: Any, *more: Any) -> None:
        encode(self, events, out, *more)
        out[...] = out[::-1].copy()

    monkeypatch.setattr(frame, "encode", encode_backwards)
    with pytest.raises(StoreError, match=r"give other bytes now \(2 of \d+ files, such as commits/00003.json\)"):
        repair(store, folder=source)
    assert tree(store) == damaged


def test_a_killed_repair_goes_on_with_what_it_had_finished(
    store: Path, source: Path, shard_of: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tree(store)
    flip(shard_of[3])
    flip(shard_of[30])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("neurodata.pipeline._repair.finished", die)
        with pytest.raises(KeyboardInterrupt):
            repair(store, folder=source)

    def encode_nothing(n_tasks: int) -> Any:
        raise AssertionError(n_tasks)

    repaired = repair_store(store, SourceOfStore(source), make_executor=encode_nothing)
    assert repaired.n_shards == 2
    assert tree(store) == whole


def test_no_store_and_an_unfinished_one_are_errors(tmp_path: Path, store: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="no such store"):
        repair(tmp_path / "no" / "none")
    assert not (tmp_path / "no").exists()
    (store / "manifest.json").unlink()
    (store / "data.zarr/zarr.json").unlink()
    with pytest.raises(StoreError, match="not finished"):
        repair(store)


@pytest.mark.parametrize("layout", ["dense", "events"])
def test_a_twin_in_any_layout_is_repaired_from_what_the_store_says(layout: str) -> None:
    store = neurodata.prepare("n-mnist", layout=layout, twin=True, twin_size=20, twin_seed=5).path
    assert isinstance(store, Path)
    whole = tree(store)
    shard = max((path for path in store.glob("data.zarr/[ef]*/**/c/**/0") if path.is_file()), key=os.path.getsize)
    flip(shard, 8)
    with pytest.raises(RecipeError, match="--twin-seed"):
        repair(store)
    assert repair(store, twin_seed=5).replaced == (shard.relative_to(store).as_posix(),)
    assert tree(store) == whole


def test_recordings_of_ones_own_are_repaired_from_their_folder(tmp_path: Path, source: Path) -> None:
    mine = tmp_path / "mine"
    for name in ("left", "right"):
        (mine / name).mkdir(parents=True)
        shutil.copy(source / "user01_led.aedat", mine / name / "0.aedat")
    store = neurodata.prepare(f"folder:{mine}", T=3).path
    assert isinstance(store, Path)
    whole = tree(store)
    commit = store / "commits/00000.json"
    commit.write_bytes(seal(json.loads(commit.read_bytes()) | {"record_sha256": ""}, "record_sha256"))
    flip(commit, 40)
    with pytest.raises(RecipeError, match="name that folder with --source DIR"):
        repair(store)
    with pytest.raises(NeurodataError, match="nowhere"):
        repair(store, folder=tmp_path / "nowhere")
    moved = mine.rename(tmp_path / "moved")
    repair(store, folder=moved)
    assert tree(store) == whole
    assert verify(store, deep=True).ok
    assert np.all([frames.shape[0] == 3 for frames, _ in neurodata.open_store(store)["train"]])


def drives(folder: Path) -> Path:
    """Two recordings of 900 events in 90 ms."""
    for name in ("a", "b"):
        rng = np.random.default_rng(ord(name))
        pixels = [rng.integers(0, 9, 900).astype(np.uint16) for _ in "xy"]
        events = EventArray(np.arange(0, 90_000, 100), *pixels, np.ones(900, np.bool_), Sensor(9, 9))
        neurodata.write(events, folder / name / "0.es")
    return folder


def test_windows_that_share_events_are_repaired_when_they_are_stated(tmp_path: Path) -> None:
    folder = drives(tmp_path / "drives")
    words: dict[str, Any] = {"window_us": 20_000, "stride_us": 5_000, "layout": "events", "sensor": Sensor(9, 9)}
    store = neurodata.prepare(f"folder:{folder}", **words).path
    assert isinstance(store, Path)
    whole = tree(store)
    for column in ("t", "address", "chunk_t"):
        flip(store / f"data.zarr/events/{column}/0/c/0")
    with pytest.raises(RecipeError, match="--window-us"):
        repair(store, folder=folder, sensor=Sensor(9, 9))
    repaired = repair(store, folder=folder, sensor=Sensor(9, 9), windows=Windows(20_000, 5_000))
    assert len(repaired.replaced) == 3
    assert tree(store) == whole


def test_a_store_of_objects_in_python_is_repaired_from_them(tmp_path: Path) -> None:
    of_torch = pytest.importorskip("neurodata.adapters.torch")

    def to_signal(t: Any) -> EventArray:
        return EventArray(t, *np.zeros((2, len(t)), np.uint16), np.ones(len(t), np.bool_), Sensor(9, 9))

    items = [(np.arange(0, 100, 5) * k, k % 2) for k in range(1, 6)]
    dataset = of_torch.source(items, Sensor(9, 9), to_signal, name="mine")
    store = neurodata.prepare(dataset, T=2, cache=tmp_path).path
    assert isinstance(store, Path)
    whole = tree(store)
    (store / "commits/00000.json").unlink()
    with pytest.raises(RecipeError, match=r"SourceOfStore\(dataset="):
        repair(store)
    assert repair(store, dataset=dataset).n_shards == 1
    assert tree(store) == whole


def test_a_store_that_was_imported_is_imported_again(store: Path, tmp_path: Path) -> None:
    exchange.export_store(neurodata.open_store(store), "npz", tmp_path / "npz")
    imported = exchange.import_samples(tmp_path / "npz").path
    assert isinstance(imported, Path)
    (imported / "commits/00000.json").unlink()
    with pytest.raises(RecipeError, match=r"was imported.*`neurodata import` what it was imported from once more"):
        repair(imported)


@pytest.fixture(params=["memory", "stumbling", "s3"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A cache root behind a URL."""
    with contextlib.ExitStack() as stack:
        if request.param == "s3":
            pytest.importorskip("moto")
            pytest.importorskip("s3fs")
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            yield f"{stack.enter_context(s3_bucket(patch, stack.enter_context(s3_server())))}/nd"
        else:
            register()
            _remote._filesystem.cache_clear()
            yield f"{request.param}://{tmp_path.name}/nd"
            register()


def damage(file: RemotePath, how: str) -> None:
    fs, path = fsspec.core.url_to_fs(file.url)
    if how == "gone":
        fs.rm_file(path)
    else:
        content = fs.cat_file(path)
        fs.pipe_file(path, content[:-9] if how == "cut" else bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.filterwarnings("ignore")
def test_a_store_behind_a_url_is_repaired_there(source: Path, recipe: Path, lab: str) -> None:
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab).path
    assert isinstance(store, RemotePath)
    whole = files_at(store)
    assert repair(store) == Repaired(store)
    damage(store / "data.zarr/sparse/code/3/c/0", "flipped")
    damage(store / "data.zarr/sparse/code/7/c/0", "gone")
    damage(store / "commits/00009.json", "cut")
    damage(store / "data.zarr/samples/key/c/0/0", "flipped")
    fs, path = fsspec.core.url_to_fs(store.url)
    fs.pipe_file(f"{path}/data.zarr/stray", b"stray")
    repaired = repair(store, folder=source)
    assert (repaired.n_shards, repaired.removed, len(repaired.replaced)) == (3, ("data.zarr/stray",), 4)
    assert files_at(store) == whole
    for how in ("gone", "cut", "flipped"):
        damage(store / "manifest.json", how)
        damage(store / "data.zarr/sparse/code/30/c/0", "flipped")
        assert repair(store, folder=source).n_shards == 1
        assert files_at(store) == whole
    assert set(files_at(store.parent)) == {f"{store.name}/{name}" for name in whole}


def test_a_repair_behind_a_url_that_fails_loses_nothing_and_goes_on(
    source: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    _remote._filesystem.cache_clear()
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=2, pause_s=0.001))
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache="stumbling://lab/nd").path
    assert isinstance(store, RemotePath)
    whole = files_at(store)
    for shard in (3, 7, 30):
        damage(store / f"data.zarr/sparse/code/{shard}/c/0", "flipped")
    damaged = files_at(store)

    def fail(wanted: str) -> None:
        def stumble(method: str, path: str, is_done: bool) -> None:
            if wanted in f"{method} {path}":
                raise OSError("503 slow down")

        Stumbling.stumble = staticmethod(stumble)  # type: ignore[assignment, unused-ignore]

    fail("cat_file /lab/nd/stores")
    with pytest.raises(NeurodataError, match="503 slow down"):
        repair(store, folder=source)
    fail("cp_file")
    with pytest.raises(NeurodataError, match="cp_file failed: 503 slow down"):
        repair(store, folder=source)
    fail("nothing")
    assert files_at(store) == damaged

    def encode_nothing(n_tasks: int) -> Any:
        raise AssertionError(n_tasks)

    repair_store(store, SourceOfStore(source), make_executor=encode_nothing)
    assert files_at(store) == whole
    register()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(3))
def test_a_repair_killed_at_any_moment_is_finished_by_the_next(
    store: Path, source: Path, shard_of: dict[int, Path], seed: int
) -> None:
    whole = tree(store)
    for path in shard_of.values():
        flip(path)
    script = (
        "import sys; from pathlib import Path\n"
        "from neurodata.pipeline import SourceOfStore, repair_store, thread_pool\n"
        "repair_store(Path(sys.argv[1]), SourceOfStore(Path(sys.argv[2])), make_executor=lambda n: thread_pool(1))\n"
    )
    running = subprocess.Popen([sys.executable, "-c", script, store, source])
    try:
        fresh = store.with_name(f".{store.name}.repair")
        while not list(fresh.glob("commits/*.json")) and running.poll() is None:
            time.sleep(0.001)
        time.sleep(random.Random(seed).uniform(0, 0.3))
    finally:
        running.kill()
        running.wait()
    assert verify(store).ok, "what is served is damaged in no other way than before"
    repair(store, folder=source)
    assert tree(store) == whole
    assert [path.name for path in store.parent.iterdir()] == [store.name]
