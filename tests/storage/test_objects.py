from __future__ import annotations

import errno
import os
import re
import tempfile
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from neurodata.errors import StorageError
from neurodata.storage import Location, RemotePath
from neurodata.storage._objects import create, delete, list_below, read_if_there, size_if_there, write_to, writing_to


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "disk":
        return tmp_path / "store"
    pytest.importorskip("fsspec")
    return RemotePath(f"memory://{uuid4().hex}/store")


def test_a_file_appears_whole_and_is_replaced_whole(folder: Location) -> None:
    place = folder / "a" / "b.bin"
    assert read_if_there(place) is None
    assert size_if_there(place) is None
    for content in (b"first", b"", b"third one"):
        with writing_to(place) as file:
            file.write(content)
            assert read_if_there(place) != content or content == b""
        assert read_if_there(place) == content
        assert size_if_there(place) == len(content)
    write_to(place, b"fourth")
    assert read_if_there(place) == b"fourth"


def test_an_error_while_writing_leaves_what_was_there(folder: Location) -> None:
    write_to(folder / "a", b"before")

    def interrupted() -> None:
        with writing_to(folder / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_if_there(folder / "a") == b"before"
    assert list_below(folder) == ["a"]


def test_one_of_many_creates(folder: Location) -> None:
    """On a disk; fsspec's memory file system creates one after the other."""
    won: list[int] = []
    start = threading.Barrier(6)

    def run(k: int) -> None:
        start.wait()
        if create(folder / "lease", f"number {k}".encode()):
            won.append(k)

    if isinstance(folder, RemotePath):
        assert [create(folder / "lease", f"number {k}".encode()) for k in range(3)] == [True, False, False]
        return
    threads = [threading.Thread(target=run, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert read_if_there(folder / "lease") == f"number {won[0]}".encode()
    assert list_below(folder) == ["lease"]


def test_files_are_listed_and_deleted(folder: Location) -> None:
    assert list_below(folder) == []
    for name in ("z", "a/b/c", "a/.hidden"):
        write_to(folder / name, name.encode())
    assert list_below(folder) == ["a/.hidden", "a/b/c", "z"]
    delete(folder / "z")
    delete(folder / "z")
    assert list_below(folder) == ["a/.hidden", "a/b/c"]


def test_a_place_that_is_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write: it is a folder"):
        create(tmp_path, b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write: a (part|file)"):
        create(tmp_path / "file" / "below", b"")


@pytest.mark.parametrize("kind", ["disk", "url"])
def test_whatever_the_system_refuses_to_write_is_an_error_that_names_the_file(tmp_path: Path, kind: str) -> None:
    """Such as a stale handle of a network share: here, a handle that is closed."""
    place = tmp_path / "file" if kind == "disk" else RemotePath(f"memory://{uuid4().hex}/file")

    def write() -> None:
        with writing_to(place) as file:
            folder = os.open(tmp_path, os.O_RDONLY)
            os.dup2(folder, file.fileno())  # a folder, in place of the file
            os.close(folder)
            file.write(bytes(1 << 20))

    with pytest.raises(StorageError, match=rf"^{re.escape(str(place))}: cannot write: .*Bad file descriptor"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_what_is_read_meanwhile_is_not_one_of_the_file_that_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output error") as raised, writing_to(tmp_path / "file"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))  # a disk that the source is on
    assert not isinstance(raised.value, StorageError)


def test_a_machine_without_a_temporary_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with (
        pytest.raises(StorageError, match=r"memory://.*/file: cannot write: .*set TMPDIR to another disk"),
        writing_to(RemotePath(f"memory://{uuid4().hex}/file")),
    ):
        pass
