"""Stores behind URLs, and stores that are copied to a local folder before they are read."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import neurodata
from neurodata.errors import StorageError, StorageWarning, StoreError, StoreNotFoundError
from neurodata.storage import RemotePath, remote_sizes
from neurodata.storage import _remote as remote
from neurodata.store import StoreReader, verify
from tests.storage.remotes import FILES, register, s3_bucket, s3_server
from tests.store.stores import build, contents, frames_of, layout_of

N = 8
FRAMES = frames_of(N, layout_of())


@pytest.fixture(scope="module", params=["none", "zstd"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = layout_of(samples_per_shard=3, compression=request.param)
    return build(tmp_path_factory.mktemp("whole"), FRAMES, layout)


@pytest.fixture
def flaky(whole: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store behind a URL of a file system that fails as told."""
    register()
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=3, pause_s=0.001))
    FILES.content = {f"lab/store/{name}": data for name, data in contents(whole).items()}
    return "flaky://lab/store"


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def read_all(reader: StoreReader) -> Any:
    return np.stack([reader.read(index) for index in (5, 2, 7, 0, 1, 6, 3, 4)])[[3, 4, 1, 6, 7, 0, 5, 2]]


def shards(stage: Path) -> list[Path]:
    return sorted(stage.rglob("*.shard"))


def test_a_store_behind_a_url_is_read_by_ranges(flaky: str) -> None:
    reader = StoreReader(flaky)
    assert reader.path == RemotePath("flaky://lab/store")
    assert repr(reader).startswith("StoreReader(flaky://lab/store (twin): 8 samples, uint16 [2, 2, 3, 4]")
    FILES.asked.clear()
    np.testing.assert_array_equal(read_all(reader), FRAMES)
    assert len(FILES.asked) == 3 + N  # the indexes of three shards, and the samples


def test_failures_on_the_way_do_not_show(flaky: str) -> None:
    FILES.answers = [OSError("503"), lambda right: right, TimeoutError()]
    reader = StoreReader(flaky)
    FILES.answers = [OSError("503"), lambda right: right[:7]]
    np.testing.assert_array_equal(read_all(reader), FRAMES)


def test_a_lasting_failure_names_the_sample_and_the_cause(flaky: str) -> None:
    reader = StoreReader(flaky)
    FILES.answers = [OSError("503 Slow Down")] * 9
    with pytest.raises(
        StorageError, match=r"sample 'user03/µ3.*' of flaky://lab/store .*frames/c/1.*503 Slow Down \(3"
    ):
        reader.read(3)


def test_a_damaged_or_missing_remote_file_is_a_store_error(flaky: str) -> None:
    reader = StoreReader(flaky)
    name = next(name for name in FILES.content if "frames/c/1/" in name)
    right = FILES.content[name]
    for wrong, words in ((b"\xff" + right[1:], "crc32c"), (right[:-30], "crc32c|ends at byte")):
        FILES.content[name] = wrong
        with pytest.raises(StoreError, match=f"sample 'user03/µ3.*' *: flaky://.*({words})"):
            StoreReader(flaky).read(3)
    del FILES.content[name]
    with pytest.raises(StoreError, match="the shard file is missing"):
        reader.read(3)


def test_a_url_without_a_store_is_not_found(flaky: str) -> None:
    for url in ("flaky://lab/other", "memory://nowhere"):
        with pytest.raises(StoreNotFoundError, match=f"{url}: no finished store there"):
            neurodata.open_store(url)


def test_a_missing_table_of_a_remote_store_is_a_store_error(flaky: str) -> None:
    del FILES.content["lab/store/data.zarr/samples/target/c/0"]
    with pytest.raises(StoreError, match="samples/target/c/0: missing"):
        StoreReader(flaky)


def test_a_file_url_is_its_folder(whole: Path) -> None:
    reader = StoreReader(whole.as_uri())
    assert reader.path == whole
    np.testing.assert_array_equal(read_all(reader), FRAMES)


def test_a_split_of_a_remote_store_is_loaded(whole: Path) -> None:
    files = fsspec.filesystem("memory")
    files.pipe({f"/lab/store/{name}": data for name, data in contents(whole).items()})
    split = neurodata.open_store("memory://lab/store")["train"]
    batches = list(split.loader(batch_size=2))
    np.testing.assert_array_equal(np.concatenate([frames.numpy() for frames, _ in batches]), FRAMES[: N // 2])
    files.rm("/lab", recursive=True)


# Staging


@pytest.mark.parametrize("place", ["local", "remote"])
def test_a_staged_store_is_copied_once_and_then_does_without_its_shards(
    whole: Path, flaky: str, stage: Path, tmp_path: Path, place: str
) -> None:
    store = shutil.copytree(whole, tmp_path / "store")
    reader = neurodata.open_store(store if place == "local" else flaky, stage=stage, stage_limit="1GB")
    np.testing.assert_array_equal(read_all(reader), FRAMES)
    assert len(shards(stage)) == 3
    shutil.rmtree(store / "data.zarr" / "frames")
    FILES.content = {name: data for name, data in FILES.content.items() if "/frames/c" not in name}
    again = neurodata.open_store(store if place == "local" else flaky, stage=str(stage))
    np.testing.assert_array_equal(read_all(again), FRAMES)


def test_a_limit_smaller_than_the_store_is_kept(whole: Path, stage: Path) -> None:
    size_bytes = max(path.stat().st_size for path in whole.rglob("frames/c/**/0") if path.is_file())
    reader = StoreReader(whole, stage=stage, stage_limit=2 * size_bytes)
    with pytest.warns(StorageWarning, match="nothing there is unused"):
        np.testing.assert_array_equal(read_all(reader), FRAMES)
    assert len(shards(stage)) == 2


@pytest.mark.parametrize("at", [0, -10])
def test_a_damaged_copy_does_not_show(whole: Path, stage: Path, at: int) -> None:
    np.testing.assert_array_equal(read_all(StoreReader(whole, stage=stage)), FRAMES)
    damaged = shards(stage)[0]
    data = bytearray(damaged.read_bytes())
    data[at] ^= 1
    damaged.write_bytes(data)
    np.testing.assert_array_equal(read_all(StoreReader(whole, stage=stage)), FRAMES)
    assert len(shards(stage)) == 2
    np.testing.assert_array_equal(read_all(StoreReader(whole, stage=stage)), FRAMES)
    assert len(shards(stage)) == 3


def test_a_damaged_store_is_damaged_with_a_stage_too(whole: Path, stage: Path, tmp_path: Path) -> None:
    store = shutil.copytree(whole, tmp_path / "store")
    shard = next(path for path in store.rglob("frames/c/1/**/0") if path.is_file())
    data = bytearray(shard.read_bytes())
    data[0] ^= 1
    shard.write_bytes(data)
    reader = StoreReader(store, stage=stage)
    with (
        pytest.warns(StorageWarning, match="has the sha256"),
        pytest.raises(StoreError, match=r"sample 'user03/µ3.*store/data.zarr/frames/c/1/.*crc32c"),
    ):
        reader.read(3)
    np.testing.assert_array_equal(reader.read(0), FRAMES[0])


def test_a_pickled_reader_stages_where_the_first_one_did(whole: Path, flaky: str, stage: Path) -> None:
    for place in (whole, flaky):
        reader = pickle.loads(pickle.dumps(StoreReader(place, stage=stage, stage_limit="1GB")))
        np.testing.assert_array_equal(reader.read(0), FRAMES[0])
        assert len(shards(stage)) == 1


def _read_there(reader: StoreReader, index: int) -> Any:
    return reader.read(index)


def test_spawned_processes_stage_together(whole: Path, stage: Path) -> None:
    reader = StoreReader(whole, stage=stage)
    with get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_read_there, [(reader, index) for index in range(N)])
    np.testing.assert_array_equal(np.stack(found), FRAMES)
    assert len(shards(stage)) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork with threads is what is tested
def test_forked_processes_go_on_reading(whole: Path, flaky: str, stage: Path) -> None:
    for reader in (StoreReader(flaky), StoreReader(flaky, stage=stage), StoreReader(whole, stage=stage)):
        reader.read(0)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if np.array_equal(read_all(reader), FRAMES) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        np.testing.assert_array_equal(read_all(reader), FRAMES)


# Object storage


@pytest.fixture(scope="module")
def s3(whole: Path) -> Iterator[str]:
    """The store on an S3 of this machine."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    with pytest.MonkeyPatch.context() as patch, s3_server() as address, s3_bucket(patch, address) as bucket:
        files = fsspec.filesystem("s3")
        for name, data in contents(whole).items():
            files.pipe_file(f"{bucket}/store/{name}", data)
        yield f"{bucket}/store"


@pytest.mark.filterwarnings("ignore")
def test_a_store_on_s3_is_read_by_ranges_and_staged(s3: str, stage: Path) -> None:
    np.testing.assert_array_equal(read_all(StoreReader(s3)), FRAMES)
    np.testing.assert_array_equal(read_all(StoreReader(s3, stage=stage)), FRAMES)
    assert len(shards(stage)) == 3
    for nowhere in (f"{s3}/nothing", "s3://no-such-bucket/store"):
        with pytest.raises(StoreNotFoundError, match=nowhere):
            StoreReader(nowhere)


# Verifying


@pytest.fixture
def listed(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The store behind a URL of a file system that lists its files."""
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=2, pause_s=0.001))
    files = fsspec.filesystem("memory")
    files.pipe({f"/lab/listed/{name}": data for name, data in contents(whole).items()})
    yield "memory://lab/listed"
    files.rm("/lab", recursive=True)


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_store_behind_a_url_has_no_problems(listed: str, whole: Path, deep: bool) -> None:
    assert verify(listed, deep) == verify(whole, deep)
    assert verify(listed, deep).ok


@pytest.mark.parametrize("deep", [False, True])
def test_a_cut_missing_or_longer_file_behind_a_url_is_found(listed: str, whole: Path, deep: bool) -> None:
    files = fsspec.filesystem("memory")
    for name, content in contents(whole).items():
        for damaged in (content[:-1], content + b"\0"):
            files.pipe(f"/lab/listed/{name}", damaged)
            assert not verify(listed, deep).ok, name
        files.rm(f"/lab/listed/{name}")
        assert not verify(listed, deep).ok, name
        files.pipe(f"/lab/listed/{name}", content)
    assert verify(listed, deep).ok


def test_a_changed_byte_behind_a_url_is_found_and_told_as_of_a_folder(listed: str, whole: Path, tmp_path: Path) -> None:
    store = shutil.copytree(whole, tmp_path / "store")
    name = next(name for name in contents(whole) if "frames/c/1/" in name)
    data = bytearray((store / name).read_bytes())
    data[5] ^= 1
    (store / name).write_bytes(data)
    fsspec.filesystem("memory").pipe(f"/lab/listed/{name}", bytes(data))
    assert verify(listed).ok
    problems = verify(store, deep=True).problems
    assert verify(listed, deep=True).problems == tuple(line.replace(str(store), listed) for line in problems)
    assert "sample 'user03/µ3" in problems[1]


def test_a_file_behind_a_url_that_does_not_belong_is_found(listed: str) -> None:
    fsspec.filesystem("memory").pipe("/lab/listed/data.zarr/notes.txt", b"")
    assert verify(listed).problems == (
        f"{listed}/data.zarr/notes.txt: does not belong to the store (the manifest does not list it); delete it",
    )


def test_a_store_whose_files_cannot_be_listed_is_not_called_damaged(flaky: str) -> None:
    with pytest.raises(StorageError, match="flaky://lab/store: cannot be listed"):
        verify(flaky)


def test_a_web_server_cannot_be_asked_for_its_files() -> None:
    with pytest.raises(StorageError, match="http://lab/store: a web server does not list its files; copy the folder"):
        remote_sizes(RemotePath("http://lab/store"))
