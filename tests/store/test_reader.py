from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import NeurodataError, StorageError, StoreError, StoreNotFoundError
from neurodata.storage import canonical_json
from neurodata.store import Counts, StoreReader
from neurodata.store._records import seal
from tests.store.stores import build, contents, frames_of, head_of, layout_of, rows_of, schemes_of, write

N = 8
OPEN_FILES = Path("/dev/fd")  # of this process, on Linux and macOS


def n_open_files() -> int:
    return len(list(OPEN_FILES.iterdir()))


@pytest.fixture(scope="module", params=["none", "zstd"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = layout_of(samples_per_shard=3, compression=request.param)
    return build(tmp_path_factory.mktemp("whole"), frames_of(N, layout), layout)


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


@pytest.fixture
def frames() -> Any:
    return frames_of(N, layout_of())


def test_a_reader_tells_what_the_store_is(whole: Path, frames: Any) -> None:
    reader = StoreReader(whole)
    assert len(reader) == N
    assert reader.head == head_of(reader.head.layout)
    n_events = int(frames.sum())
    assert reader.counts == Counts(n_events + 6, n_events, {"off sensor": 6}, {"late": 3})
    assert (reader.array.shape, reader.array.dtype) == ((2, 2, 3, 4), np.uint16)
    assert reader.array.axes == ("time", "polarity", "y", "x")
    assert repr(reader) == f"StoreReader({whole} (twin): 8 samples, uint16 [2, 2, 3, 4])"


def test_the_table_has_a_row_per_sample(whole: Path, frames: Any) -> None:
    table = StoreReader(whole).table
    assert table.keys == tuple(row.key for row in rows_of(N))
    assert table.groups == tuple(row.group for row in rows_of(N))
    assert table.targets.tolist() == [row.target for row in rows_of(N)]
    assert table.n_events.tolist() == [int(frame.sum()) for frame in frames]
    assert table.duration_us.tolist() == list(range(1000, 1000 + N))
    assert table.shard.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert not table.targets.flags.writeable


def test_schemes_keep_their_order(whole: Path) -> None:
    schemes = StoreReader(whole).schemes
    assert list(schemes) == ["odd-even", "official"]
    for name, expected in schemes_of(N).items():
        assert (schemes[name].description, schemes[name].sha256) == (expected.description, expected.sha256)
        for partition in ("train", "validation", "test"):
            np.testing.assert_array_equal(schemes[name][partition], expected[partition])
    with pytest.raises(KeyError):
        schemes["official"]["description"]


def test_keys_and_groups_of_any_language_come_back(tmp_path: Path) -> None:
    layout = layout_of((1,), samples_per_shard=8)
    store = build(tmp_path, frames_of(8, layout), layout)
    assert StoreReader(store).table.keys[1] == "user01/µ1.aedat:1000"


def test_frames_are_read_in_any_order(whole: Path, frames: Any) -> None:
    reader = StoreReader(whole)
    for index in (7, 0, 3, 7, np.int64(5)):
        np.testing.assert_array_equal(reader.read(index), frames[index])


def test_frames_are_read_into_an_array_of_any_memory_order(whole: Path, frames: Any) -> None:
    reader = StoreReader(whole)
    batch = np.empty((2, 4, 2, 3, 4), np.uint16)  # [T, B, C, H, W]
    for row, index in enumerate((6, 1, 4, 2)):
        reader.read_into(index, batch[:, row])
    np.testing.assert_array_equal(batch, frames[[6, 1, 4, 2]].swapaxes(0, 1))


@pytest.mark.parametrize("index", [-1, N, 10**20])
def test_an_index_outside_the_store_is_an_index_error(whole: Path, index: int) -> None:
    with pytest.raises(IndexError, match="there are 8"):
        StoreReader(whole).read(index)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((2, 2, 3, 3), np.uint16),
        np.empty((2, 2, 3, 4), np.int16),
        np.broadcast_to(np.uint16(0), (2, 2, 3, 4)),  # read-only
    ],
)
def test_an_array_that_cannot_take_the_frames_is_refused(whole: Path, out: Any) -> None:
    with pytest.raises(ValueError, match=r"expected uint16 of shape \(2, 2, 3, 4\), writable"):
        StoreReader(whole).read_into(0, out)


def test_opening_and_reading_does_without_zarr(whole: Path) -> None:
    script = "import sys, neurodata.store as s; s.StoreReader(sys.argv[1]).read(0); print('zarr' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script, str(whole)], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_a_store_may_be_moved(store: Path, frames: Any) -> None:
    moved = store.rename(store.with_name("elsewhere"))
    np.testing.assert_array_equal(StoreReader(str(moved)).read(5), frames[5])


def test_a_path_without_a_store_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, words in (("none", "no such store"), ("file", "a file"), ("empty", "an empty folder")):
        with pytest.raises(StoreNotFoundError, match=words):
            StoreReader(tmp_path / name)


def test_an_unfinished_store_is_refused_with_the_command_that_resumes_it(tmp_path: Path) -> None:
    layout = layout_of(samples_per_shard=3)
    write(tmp_path, frames_of(N, layout), layout, 0)
    with pytest.raises(StoreError, match=r"not finished \(manifest.json is missing\); `neurodata prepare`"):
        StoreReader(tmp_path)


def _rewrite_manifest(store: Path, **changed: Any) -> None:
    manifest = json.loads((store / "manifest.json").read_bytes()) | changed
    del manifest["sha256"]
    (store / "manifest.json").write_bytes(seal(manifest, "sha256"))


def test_another_format_version_is_refused_with_the_way_to_read_it(store: Path) -> None:
    _rewrite_manifest(store, version=5)
    with pytest.raises(StoreError, match=r"format version 5; this release reads version 4: upgrade with `pip install"):
        StoreReader(store)
    _rewrite_manifest(store, version=3)
    with pytest.raises(StoreError, match=r"format version 3; this release reads version 4: prepare the store again"):
        StoreReader(store)


def test_an_edited_manifest_is_refused(store: Path) -> None:
    path = store / "manifest.json"
    path.write_text(path.read_text().replace('"left"', '"west"'))
    with pytest.raises(StoreError, match=r"manifest\.json: says sha256 .* but its content has"):
        StoreReader(store)


@pytest.mark.parametrize(
    "changed",
    [
        {"counts": {"read": 1, "lost": 2}},
        {"n_samples": "8"},
        {"n_samples": 9},
        {"n_shards": 4},
        {"schemes": {"official": {}}},
        {"schemes": []},
        {"files": {}},
        {"layout": {"shape": [1]}},
        {"form": {"kind": "events", "width": 0}},
        {"form": {"kind": "smell"}},
    ],
)
def test_a_sealed_manifest_that_makes_no_sense_is_an_error_of_ours(store: Path, changed: dict[str, Any]) -> None:
    _rewrite_manifest(store, **changed)
    with pytest.raises(NeurodataError):
        StoreReader(store)


@pytest.mark.parametrize("column", ["target", "key/c/0/0", "shard/c/0"])
def test_a_damaged_sample_table_is_refused_at_opening(store: Path, column: str) -> None:
    path = store / "data.zarr/samples" / column
    path = path if path.is_file() else path / "c/0"
    content = bytearray(path.read_bytes())
    content[9] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"samples/.*: \d+ bytes of sha256 .*; expected"):
        StoreReader(store)


def test_a_missing_scheme_is_refused_at_opening(store: Path) -> None:
    (store / "data.zarr/schemes/official/test/c/0").unlink()
    with pytest.raises(StoreError, match="schemes/official/test/c/0: missing"):
        StoreReader(store)


def test_a_damaged_chunk_is_told_by_its_key_file_and_place_and_others_are_still_read(store: Path, frames: Any) -> None:
    path = store / "data.zarr/frames/c/1/0/0/0/0"
    content = bytearray(path.read_bytes())
    content[3] ^= 0x80
    path.write_bytes(content)
    reader = StoreReader(store)
    with pytest.raises(StoreError) as caught:
        reader.read(3)
    message = str(caught.value)
    assert message.startswith(f"sample 'user03/µ3.aedat:3000': {path}: bytes 0 to ")
    assert "have the crc32c" in message
    assert f"`neurodata verify {store} --deep`" in message
    assert f"`neurodata repair {store}` makes what is damaged again" in message
    np.testing.assert_array_equal(reader.read(4), frames[4])


@pytest.mark.parametrize("damage", ["missing", "cut", "grown"])
def test_a_shard_of_another_size_is_a_store_error(store: Path, damage: str) -> None:
    path = store / "data.zarr/frames/c/0/0/0/0/0"
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-1] if damage == "cut" else content + b"\0")
    with pytest.raises(StoreError, match=r"sample 'user02/µ2\.aedat:2000': .*(is missing|the file measures)"):
        StoreReader(store).read(2)


def test_a_file_cut_while_it_is_open_is_a_store_error(store: Path) -> None:
    reader = StoreReader(store)
    reader.read(0)
    os.truncate(store / "data.zarr/frames/c/0/0/0/0/0", 10)
    with pytest.raises(StoreError, match="the file ends at byte 10"):
        reader.read(0)


def test_a_file_that_cannot_be_opened_is_a_storage_error(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = StoreReader(store)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match=r"sample 'user00/µ0\.aedat:0' of .* cannot be read: .*Permission denied"):
        reader.read(0)


def test_a_closed_reader_says_so(whole: Path) -> None:
    reader = StoreReader(whole)
    reader.read(0)
    reader.close()
    reader.close()
    with pytest.raises(StoreError, match="closed; open it again"):
        reader.read(0)


def test_a_pickled_reader_is_its_path(whole: Path, frames: Any) -> None:
    reader = StoreReader(whole)
    reader.read(0)
    packed = pickle.dumps(reader)
    assert len(packed) < 300
    np.testing.assert_array_equal(pickle.loads(packed).read(4), frames[4])


class OwnReader(StoreReader):
    """What another package may build on a reader."""


def test_a_kind_of_reader_stays_of_its_kind(whole: Path) -> None:
    reader = OwnReader(whole)
    assert type(pickle.loads(pickle.dumps(reader))) is OwnReader
    assert repr(reader).startswith("OwnReader(")


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="no list of open files on this system")
def test_open_files_are_bounded_and_closed_with_the_reader(tmp_path: Path) -> None:
    layout = layout_of((1,), samples_per_shard=1)
    store = build(tmp_path, frames_of(100, layout), layout)
    gc.collect()  # what earlier tests left
    before = n_open_files()
    reader = StoreReader(store)
    assert n_open_files() == before  # opened when needed
    for index in [*range(100), *range(100)]:
        reader.read(index)
    assert n_open_files() == before + 64
    reader.close()
    assert n_open_files() == before
    other = StoreReader(store)
    other.read(0)
    del other
    gc.collect()
    assert n_open_files() == before


def test_threads_that_share_a_reader_and_evict_each_others_files_read_the_same(tmp_path: Path) -> None:
    layout = layout_of((5, 7), samples_per_shard=1)
    frames = frames_of(80, layout)
    reader = StoreReader(build(tmp_path, frames, layout))
    together = threading.Barrier(8)

    def read(seed: int) -> bool:
        together.wait()
        order = np.random.default_rng(seed).permutation(80)
        return all(np.array_equal(reader.read(index), frames[index]) for index in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))


def test_spawned_processes_read_the_same(whole: Path, frames: Any) -> None:
    reader = StoreReader(whole)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(np.stack(list(pool.map(reader.read, range(N)))), frames)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_while_threads_read_goes_on_reading(whole: Path) -> None:
    script = """
        import os, sys, threading, warnings
        import numpy as np
        from neurodata.store import StoreReader
        from tests.store.stores import frames_of

        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads is what is tested
        reader = StoreReader(sys.argv[1])
        frames = frames_of(len(reader), reader.head.layout)
        stop = threading.Event()

        def right():
            return all(np.array_equal(reader.read(i), frames[i]) for i in range(len(reader)))

        def read_on():
            while not stop.is_set():
                assert right()

        threads = [threading.Thread(target=read_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                whole = right()
                reader.close()
                os._exit(0 if whole else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print(right())
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(whole)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout == "True\n"


def test_reading_leaves_the_store_as_it_was(store: Path) -> None:
    before = contents(store)
    with_permissions = [path.stat().st_mtime_ns for path in sorted(store.rglob("*"))]
    StoreReader(store).read(1)
    assert contents(store) == before
    assert [path.stat().st_mtime_ns for path in sorted(store.rglob("*"))] == with_permissions


def test_the_recipe_in_the_store_hashes_as_the_one_given(whole: Path) -> None:
    reader = StoreReader(whole)
    assert canonical_json(reader.head.recipe) == canonical_json(head_of(reader.head.layout).recipe)
