from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from neurodata.errors import StorageError
from neurodata.storage import LocalFile, RemotePath, locate, open_access

CONTENT = bytes(range(100))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def buffers(*sizes: int) -> list[memoryview]:
    return [memoryview(bytearray(size)) for size in sizes]


def test_buffers_are_filled_one_after_the_other(path: Path) -> None:
    first, second = buffers(10, 16)
    file = open_access(path, 100)
    file.read_into(5, [first, second])
    assert (bytes(first), bytes(second)) == (CONTENT[5:15], CONTENT[15:31])
    assert (file.size_bytes, file.path, file.fall_back()) == (100, path, False)


def test_many_ranges_are_read_in_one_call(path: Path) -> None:
    (first,), (second,) = buffers(3), buffers(4)
    LocalFile(path).read_many([(50, [first]), (2, [second])])
    assert (bytes(first), bytes(second)) == (CONTENT[50:53], CONTENT[2:6])


def test_more_buffers_than_one_call_of_the_system_takes_are_filled(path: Path) -> None:
    path.write_bytes(CONTENT * 30)
    parts = buffers(*[1] * 3000)
    LocalFile(path).read_into(0, parts)
    assert b"".join(parts) == CONTENT * 30


def test_short_reads_are_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LocalFile(path)

    def read_at_most_seven(_: int, buffers: list[memoryview], offset: int) -> int:
        n = min(7, len(buffers[0]))
        buffers[0][:n] = CONTENT[offset : offset + n]
        return n

    monkeypatch.setattr(os, "preadv", read_at_most_seven)
    first, second = buffers(10, 16)
    file.read_into(5, [first, second])
    assert (bytes(first), bytes(second)) == (CONTENT[5:15], CONTENT[15:31])


def test_reading_works_without_preadv(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv")
    first, second = buffers(10, 16)
    LocalFile(path).read_into(5, [first, second])
    assert (bytes(first), bytes(second)) == (CONTENT[5:15], CONTENT[15:31])


def test_a_file_that_ends_early_is_told_with_the_place(path: Path) -> None:
    with pytest.raises(EOFError, match=r"file: the file ends at byte 100; expected 6 more"):
        LocalFile(path).read_into(90, buffers(16))


def test_a_closed_file_gives_its_descriptor_back(path: Path) -> None:
    file = LocalFile(path)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read_into(0, buffers(1))


def test_a_path_stays_a_path_and_a_file_url_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("a b", Path("a b"), (tmp_path / "a b").as_uri(), f"file://localhost{tmp_path}/a%20b"):
        assert locate(place) == tmp_path / "a b"


def test_a_url_is_joined_like_a_path() -> None:
    store = locate("s3://lab/stores/")
    assert isinstance(store, RemotePath)
    assert str(store / "a" / "b.json") == "s3://lab/stores/a/b.json"
    assert ((store / "a").name, store.name) == ("a", "stores")
    assert pickle.loads(pickle.dumps(store)) == locate(store) == store


def test_a_password_in_a_url_is_used_but_not_shown() -> None:
    store = locate("sftp://ada:secret@lab/stores")
    assert str(store) == "sftp://ada:***@lab/stores"
    assert store == RemotePath("sftp://ada:secret@lab/stores")


@pytest.mark.parametrize("url", ["file://elsewhere/store", "simplecache::s3://lab/store"])
def test_an_address_that_would_mean_something_else_is_refused(url: str) -> None:
    with pytest.raises(StorageError):
        locate(url)
