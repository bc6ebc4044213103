"""Stores that are written to a URL: the same bytes as on a disk, whatever fails on the way."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest

import neurodata
from neurodata.datasets import find_dataset, path_on_disk
from neurodata.errors import SourceNotFoundError, StorageError, StoreNotFoundError
from neurodata.pipeline import list_remote_cache, source_request
from neurodata.storage import RemotePath, _remote
from neurodata.store import verify
from tests.storage.remotes import Stumbling, register


def files_at(place: Path | RemotePath) -> dict[str, bytes]:
    """Every file of a store: path inside of it to bytes."""
    if isinstance(place, Path):
        return {file.relative_to(place).as_posix(): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    fs, root = fsspec.core.url_to_fs(place.url)
    return {path.removeprefix(f"{root}/"): fs.cat_file(path) for path in fs.find(root)}


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Path], dict[str, bytes]]:
    """The files of the store as it is on a disk."""
    known: dict[str, bytes] = {}

    def files(recipe: Path, source: Path) -> dict[str, bytes]:
        if not known:
            folder = tmp_path_factory.mktemp("disk")
            known.update(files_at(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=folder).path))
        return known

    return files


@pytest.fixture
def lab() -> str:
    return f"memory://{uuid4().hex}/neurodata"


@pytest.fixture
def stumbling(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    register()
    _remote._filesystem.cache_clear()
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=4, pause_s=0.001))
    yield "stumbling://lab/neurodata"
    register()


def test_a_store_in_memory_has_the_bytes_of_one_on_a_disk_and_is_found_and_loaded(
    source: Path, recipe: Path, lab: str, on_disk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab)
    assert isinstance(store.path, RemotePath)
    assert store.path.url.startswith(f"{lab}/stores/dvs-gesture/small-shards-")
    assert files_at(store.path) == on_disk(recipe, source)
    assert verify(store.path, deep=True).ok
    assert files_at(RemotePath(lab)).keys() == {
        f"stores/dvs-gesture/{store.path.name}/{name}" for name in on_disk(recipe, source)
    }
    assert neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab).path == store.path
    split = neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=lab)
    assert (split.store.path, len(split)) == (store.path, 22)
    monkeypatch.setenv("NEURODATA_PATH", lab)
    found = neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "own")
    assert found.store.path == store.path
    assert neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "own").path == store.path
    assert not (tmp_path / "own" / "stores").exists()
    (entry,) = list_remote_cache(RemotePath(lab))
    assert (entry.name, entry.path, entry.state) == (f"dvs-gesture/{store.path.name}", store.path, "finished")
    assert entry.size_bytes == sum(map(len, on_disk(recipe, source).values()))


def test_a_file_url_is_the_folder(source: Path, tmp_path: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=4, source=source, cache=f"file://{tmp_path}/nd")
    assert store.path == neurodata.load("dvs-gesture", T=4, source=source, cache=tmp_path / "nd").store.path
    assert store.path.parent == tmp_path / "nd" / "stores" / "dvs-gesture"


def test_source_files_behind_a_url_are_refused_with_the_way_out_and_those_of_a_file_url_taken(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("s3://me:secret@lab/gestures", Path("s3://me:secret@lab/gestures")):
        with pytest.raises(
            SourceNotFoundError, match=r"^s3://me:\*\*\*@lab/gestures: source files are read from a disk"
        ):
            neurodata.prepare("dvs-gesture", T=4, source=place, cache=tmp_path)
        with pytest.raises(SourceNotFoundError, match="mount the bucket"):
            find_dataset(f"folder:{place}")
        with pytest.raises(SourceNotFoundError, match="mount the bucket"):
            find_dataset(f"folder:{source}", labels=place)
    for there in (source.as_uri(), Path(source.as_uri())):
        assert source_request(find_dataset("dvs-gesture"), there).folder == source
    (tmp_path / "s3:" / "lab").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert path_on_disk("s3:/lab") == Path("s3:/lab")


def test_unpacked_files_and_twins_of_a_remote_root_are_kept_on_this_machine(
    lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURODATA_CACHE", str(tmp_path / "scratch"))
    store = neurodata.prepare("dvs-gesture", T=2, twin=True, twin_size=11, cache=lab)
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["downloads"]
    assert {file.partition("/")[0] for file in files_at(RemotePath(lab))} == {"stores"}
    assert len(store) == 11


def test_an_interrupted_run_goes_on_with_what_it_finished(source: Path, recipe: Path, lab: str, on_disk: Any) -> None:
    class Killed(BaseException):
        pass

    def kill(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "encode" and done >= 5:
            raise Killed

    for n_runs in (1, 2):
        with pytest.raises(Killed):
            neurodata.prepare(
                "dvs-gesture", recipe=recipe, source=source, cache=lab, workers=1, force=n_runs == 2, progress=kill
            )
        with pytest.raises(StoreNotFoundError, match="no finished store"):
            neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=lab)
        (entry,) = list_remote_cache(RemotePath(lab))
        assert entry.state == "unfinished"
        fs = fsspec.filesystem("memory")
        before = {path: fs.modified(path) for path in fs.find(lab) if "/commits/" in path}
        assert 5 <= len(before) < 33
        store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab, workers=2)
        assert before.items() <= {path: fs.modified(path) for path in fs.find(lab)}.items()
        assert files_at(store.path) == on_disk(recipe, source)


def test_force_writes_every_shard_again(source: Path, recipe: Path, lab: str, on_disk: Any) -> None:
    fs = fsspec.filesystem("memory")
    neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab)
    before = {path: fs.modified(path) for path in fs.find(lab)}
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab, force=True)
    assert not before.items() & {path: fs.modified(path) for path in fs.find(lab)}.items()
    assert files_at(store.path) == on_disk(recipe, source)


@pytest.mark.parametrize("damage", ["cut shard", "cut commit", "no shard", "other file"])
def test_what_is_damaged_before_the_end_is_written_again(
    source: Path, recipe: Path, lab: str, on_disk: Any, damage: str
) -> None:
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab)
    assert isinstance(store.path, RemotePath)
    fs, root = fsspec.core.url_to_fs(store.path.url)
    fs.rm_file(f"{root}/manifest.json")
    shard = next(path for path in fs.find(root) if "/code/7/c/" in path)
    if damage == "cut shard":
        fs.pipe_file(shard, fs.cat_file(shard)[:-1])
    elif damage == "cut commit":
        fs.pipe_file(f"{root}/commits/00007.json", b"{")
    elif damage == "no shard":
        fs.rm_file(shard)
    else:
        fs.pipe_file(f"{root}/commits/00044.json", b"{}")
    neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=lab)
    assert files_at(store.path) == on_disk(recipe, source)


def stumbling_at_random(seed: int, share: float) -> Callable[[str, str, bool], None]:
    """Errors as of a net that fails: before a request arrives, or when its answer is on the way."""
    rng = random.Random(seed)

    def stumble(method: str, path: str, is_done: bool) -> None:
        if rng.random() < share:
            raise rng.choice([TimeoutError("slow"), ConnectionResetError("cut"), OSError("500 internal error")])

    return stumble


@pytest.mark.parametrize("seed", range(3))
def test_failing_requests_are_made_again(
    source: Path, recipe: Path, stumbling: str, on_disk: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_remote, "PATIENCE", _remote.Patience(attempts=8, pause_s=0.0001))
    Stumbling.stumble = staticmethod(stumbling_at_random(seed, 0.1))  # type: ignore[assignment, unused-ignore]
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=stumbling, workers=2)
    Stumbling.stumble = staticmethod(lambda *_: None)  # type: ignore[assignment, unused-ignore]
    assert files_at(store.path) == on_disk(recipe, source)


@pytest.mark.parametrize("method", ["put_file", "pipe_file", "rm_file", "find"])
def test_a_file_system_that_fails_for_good_is_an_error_that_names_the_address_and_what_was_finished_is_kept(
    source: Path,
    recipe: Path,
    stumbling: str,
    on_disk: Any,
    method: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[str] = []

    def stumble(found: str, path: str, is_done: bool) -> None:
        if found == method and ".lock" not in path:
            seen.append(path)
            if len(seen) > 12 or method == "find":
                raise OSError("503 slow down")

    Stumbling.stumble = staticmethod(stumble)  # type: ignore[assignment, unused-ignore]
    with pytest.raises(StorageError, match=rf"stumbling://lab/neurodata/stores/.*{method} failed: 503 slow down \(4 "):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=stumbling, workers=1)
    Stumbling.stumble = staticmethod(lambda *_: None)  # type: ignore[assignment, unused-ignore]
    assert list(tmp_path.glob("neurodata-*")) == []  # what waited to be sent
    with pytest.raises(StoreNotFoundError):
        neurodata.load("dvs-gesture", recipe=recipe, source=source, cache=stumbling)
    store = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=stumbling)
    assert files_at(store.path) == on_disk(recipe, source)


def test_permission_lost_midway_is_an_error_at_once(source: Path, recipe: Path, stumbling: str, on_disk: Any) -> None:
    n_puts = 0

    def stumble(method: str, path: str, is_done: bool) -> None:
        nonlocal n_puts
        n_puts += method == "put_file" and not is_done
        if n_puts > 4 and method == "put_file":
            raise PermissionError("Access Denied")

    Stumbling.stumble = staticmethod(stumble)  # type: ignore[assignment, unused-ignore]
    with pytest.raises(StorageError, match=r"put_file failed: Access Denied$"):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=stumbling, workers=1)
    Stumbling.stumble = staticmethod(lambda *_: None)  # type: ignore[assignment, unused-ignore]
    assert n_puts in (5, 6)  # not asked again; the next shard had begun
    assert files_at(neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=stumbling).path) == on_disk(
        recipe, source
    )


def test_a_root_that_cannot_be_written_to_or_is_unknown_is_named(source: Path) -> None:
    for root, words in (("https://lab.org/nd", "a web server takes no files"), ("nothing://lab", "nothing://lab")):
        with pytest.raises(StorageError, match=words):
            neurodata.prepare("dvs-gesture", T=4, source=source, cache=root)
