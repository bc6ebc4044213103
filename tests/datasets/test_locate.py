"""Published files are fetched, verified and unpacked; folders are hashed; twins are generated once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import Twin, availability, fetch, locate
from neurodata.errors import ArchiveError, ChecksumError, SourceNotFoundError, StorageError
from neurodata.storage import file_digest
from tests.datasets.conftest import archive
from tests.gestures import write_gestures
from tests.loopback import Loopback

N_MNIST, GESTURE = registry.datasets["n-mnist"], registry.datasets["dvs-gesture"]


def test_published_files_become_a_store_that_load_finds_without_asking(
    published: dict[str, bytes], server: Loopback, tmp_path: Path
) -> None:
    store = neurodata.prepare("n-mnist", T=2)
    assert store.head.source_kind == "published"
    assert not store.head.partial
    assert store.path.name == f"n-mnist-{store.head.recipe_id[:12]}"
    assert len(server.asked) == 2
    assert len(neurodata.load("n-mnist", T=2, split="test")) == 1
    neurodata.prepare("n-mnist", T=3)  # unpacked files are used again
    assert len(server.asked) == 2


def test_a_finished_store_is_reused_after_the_downloads_were_deleted(
    published: dict[str, bytes], server: Loopback, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = neurodata.prepare("n-mnist", T=2, cache=cache)
    n_asked = len(server.asked)
    (cache / "downloads").rename(tmp_path / "gone")
    assert neurodata.prepare("n-mnist", T=2, cache=cache).path == first.path
    assert len(server.asked) == n_asked


def test_files_already_in_the_cache_are_verified_and_not_fetched(
    published: dict[str, bytes], server: Loopback, tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "downloads" / "n-mnist"
    folder.mkdir(parents=True)
    for name, content in published.items():
        (folder / name).write_bytes(content)
    assert "is there" in availability(N_MNIST, tmp_path / "cache")
    assert [path.name for path in fetch(N_MNIST, tmp_path / "cache")] == ["train.zip", "test.zip"]
    assert server.asked == []
    (folder / "test.zip").write_bytes(b"x" * len(published["test.zip"]))
    with pytest.raises(ChecksumError, match=r"test\.zip"):
        fetch(N_MNIST, tmp_path / "cache")


def test_archives_in_the_source_folder_count_as_published(published: dict[str, bytes], tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    located = locate(N_MNIST, tmp_path / "cache", source=tmp_path)
    assert located.kind == "published"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == before


def test_an_archive_that_holds_what_another_one_holds_is_refused(
    published: dict[str, bytes], server: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train, test = N_MNIST.sources
    monkeypatch.setattr(type(N_MNIST), "sources", (train, replace(test, checksum=train.checksum, urls=train.urls)))
    with pytest.raises(ArchiveError, match=r"test\.zip: holds Train/1/00001\.bin, as another archive"):
        locate(N_MNIST, tmp_path / "cache")
    assert list((tmp_path / "cache" / "downloads" / "n-mnist").glob("unpacked-*")) == []


def test_archives_that_fill_the_same_folders_become_one_tree(
    published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "more.zip").write_bytes(archive("Train/1/00003.bin", "Test/9/00001.bin"))
    more = replace(N_MNIST.sources[0], filename="more.zip", checksum=f"md5:{file_digest(tmp_path / 'more.zip', 'md5')}")
    monkeypatch.setattr(type(N_MNIST), "sources", (*N_MNIST.sources, more))
    root = locate(N_MNIST, tmp_path / "cache", source=tmp_path).root
    assert [ref.key for ref in N_MNIST.samples(root)] == [
        "Train/1/00001.bin", "Train/1/00003.bin", "Train/2/00002.bin", "Test/3/00001.bin", "Test/9/00001.bin",
    ]  # fmt: skip


def test_a_file_that_is_no_archive_is_put_beside_what_was_unpacked(
    published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"as published")
    checksum = f"md5:{file_digest(tmp_path / 'notes.txt', 'md5')}"
    notes = replace(N_MNIST.sources[0], filename="notes.txt", checksum=checksum, is_archive=False)
    monkeypatch.setattr(type(N_MNIST), "sources", (*N_MNIST.sources, notes))
    root = locate(N_MNIST, tmp_path / "cache", source=tmp_path).root
    assert (root / "notes.txt").read_bytes() == b"as published"
    with pytest.MonkeyPatch.context() as patch:  # a file system without hard links

        def refuse(*_: object) -> None:
            raise OSError

        patch.setattr(Path, "hardlink_to", refuse)
        root = locate(N_MNIST, tmp_path / "other", source=tmp_path).root
    assert (root / "notes.txt").read_bytes() == b"as published"


def test_files_without_a_published_checksum_are_taken_only_from_a_folder_that_a_person_unpacked(
    published: dict[str, bytes], server: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train, test = N_MNIST.sources
    sources = (train, replace(test, checksum="", urls=(), manual="fetch test.zip from a friend"))
    monkeypatch.setattr(type(N_MNIST), "sources", sources)
    for ask in (
        lambda: fetch(N_MNIST, tmp_path / "cache"),
        lambda: locate(N_MNIST, tmp_path / "cache"),
        lambda: locate(N_MNIST, tmp_path / "cache", source=tmp_path),
    ):
        with pytest.raises(SourceNotFoundError, match=r"checksum of test\.zip.*(?s:.*)a friend(?s:.*)--source DIR"):
            ask()
    assert "no published checksum of test.zip" in availability(N_MNIST, tmp_path)
    assert server.asked == []
    for name in ("train.zip", "test.zip"):
        with zipfile.ZipFile(tmp_path / name) as members:
            members.extractall(tmp_path / "unpacked")
    assert locate(N_MNIST, tmp_path / "cache", source=tmp_path / "unpacked").kind == "folder"
    assert locate(N_MNIST, tmp_path / "cache", twin=Twin(20)).kind == "twin"


def test_a_dataset_that_no_script_can_fetch_says_what_to_put_where(tmp_path: Path) -> None:
    place = tmp_path / "downloads" / "dvs-gesture" / "DvsGesture.tar.gz"
    with pytest.raises(SourceNotFoundError, match=r"ibm\.ent\.box\.com") as failure:
        fetch(GESTURE, tmp_path)
    assert str(place) in str(failure.value)
    assert "to get by hand" in availability(GESTURE, tmp_path)


def test_a_wrong_archive_put_there_by_hand_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "downloads" / "dvs-gesture" / "DvsGesture.tar.gz"
    place.parent.mkdir(parents=True)
    with tarfile.open(place, "w:gz") as members:
        members.add(write_gestures(tmp_path / "tree"), "DvsGesture")
    with pytest.raises(ChecksumError, match=r"DvsGesture\.tar\.gz"):
        locate(GESTURE, tmp_path)


def test_a_twin_goes_the_whole_way_and_is_made_once(tmp_path: Path) -> None:
    store = neurodata.prepare("n-mnist", T=2, twin=True, twin_size=20, cache=tmp_path)
    (archive,) = tmp_path.glob("downloads/n-mnist-twin-*/train.zip")
    assert store.head.source_kind == "twin"
    assert "-twin-" in store.path.name
    assert len(store) == 20
    before = archive.stat().st_mtime_ns
    assert neurodata.prepare("n-mnist", T=3, twin=True, twin_size=20, cache=tmp_path).path != store.path
    assert archive.stat().st_mtime_ns == before
    with pytest.raises(neurodata.NeurodataError, match=r"a twin.*: ask for it with --twin"):
        neurodata.load("n-mnist", T=2, cache=tmp_path)
    assert "TWIN" in repr(neurodata.load("n-mnist", T=2, twin=True, cache=tmp_path))


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    """Folder of a twin of N-MNIST, generated and unpacked."""
    return locate(N_MNIST, tmp_path, twin=Twin(20)).root.parent


def test_an_unpacked_twin_is_used_where_nothing_can_be_locked(twin: Path, tmp_path: Path) -> None:
    lock = twin.with_name(f".{twin.name}.lock")
    lock.mkdir()
    assert locate(N_MNIST, tmp_path, twin=Twin(20)).root.parent == twin


def test_a_damaged_twin_is_refused_and_made_again_once_deleted(twin: Path, tmp_path: Path) -> None:
    archive = twin / "train.zip"
    content = archive.read_bytes()
    (unpacked,) = twin.glob("unpacked-*")
    shutil.rmtree(unpacked)
    archive.write_bytes(content[:-1])
    with pytest.raises(ChecksumError, match=r"train\.zip.*delete it and run the command again"):
        locate(N_MNIST, tmp_path, twin=Twin(20))
    archive.unlink()
    assert locate(N_MNIST, tmp_path, twin=Twin(20)).root == unpacked
    assert archive.read_bytes() == content


@pytest.mark.parametrize("record", ["[]", "{}", '{"train.zip": 3, "test.zip": 4}', "{"])
def test_a_damaged_record_of_a_twin_is_named(twin: Path, tmp_path: Path, record: str) -> None:
    (twin / "checksums.json").write_text(record)
    with pytest.raises(StorageError, match=r"checksums\.json: .*delete it and run the command again"):
        locate(N_MNIST, tmp_path, twin=Twin(20))


def test_two_runs_make_a_twin_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from neurodata import registry\n"
        "from neurodata.datasets import Twin, locate\n"
        "locate(registry.datasets['n-mnist'], Path(sys.argv[1]), twin=Twin(20),"
        " progress=lambda stage, *_: print(stage))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = "".join(run.communicate()[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert said.count("generate twin") == 1


def test_places_that_may_not_be_entered_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    too_long = tmp_path / ("a" * 300)  # refused by the system for root, too
    monkeypatch.setenv("NEURODATA_PATH", str(too_long))
    assert "to download" in availability(N_MNIST, tmp_path)
    with pytest.raises(SourceNotFoundError, match="no such folder, or no permission to enter it"):
        locate(N_MNIST, tmp_path, source=too_long)
