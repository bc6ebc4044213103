"""Jobs of an array share the hashes of source files, and never take that of one file for the bytes of another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import neurodata
from neurodata.datasets import _locate, find_dataset
from neurodata.errors import StorageError
from neurodata.pipeline import _shared_hashes, finalise_folder
from neurodata.pipeline._shared_hashes import SETTLED_S, SharedHashes, Stamp
from neurodata.recipe import Recipe, load_recipe
from neurodata.store import verify
from tests.pipeline.test_prepare_url import files_at
from tests.pipeline.test_shares import finish, write_share


@pytest.fixture
def chosen(recipe: Path) -> Recipe:
    return load_recipe(find_dataset("dvs-gesture"), recipe)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was hashed, by its name."""
    counted: Counter[str] = Counter()
    right = _locate.file_digest

    def counting(path: Path, *arguments: Any) -> str:
        counted[path.name] += 1
        return right(path, *arguments)

    monkeypatch.setattr(_locate, "file_digest", counting)
    return counted


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled that were written a moment ago."""
    monkeypatch.setattr(_shared_hashes, "SETTLED_S", -3600.0)


def recordings(source: Path) -> list[str]:
    return [path.name for path in source.rglob("*.aedat")]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("kind", ["disk", "memory"])
@pytest.mark.parametrize("by_folder", [False, True])
def test_however_many_jobs_the_source_is_hashed_twice_and_the_store_is_that_of_one_run(
    chosen: Recipe, source: Path, recipe: Path, tmp_path: Path, hashed: Counter[str], kind: str, by_folder: bool
) -> None:
    cache: Any = tmp_path / "shares" if kind == "disk" else f"memory://{uuid4().hex}"
    folder = write_share(chosen, source, cache, 1, 8)
    assert {hashed[name] for name in recordings(source)} == {1}
    for index in range(2, 9):
        write_share(chosen, source, cache, index, 8)
    assert len(recordings(source)) == 3
    path = finalise_folder(folder) if by_folder else finish(chosen, source, cache)
    assert max(hashed[name] for name in recordings(source)) <= 2
    write_share(chosen, source, cache, 3, 8)  # a job that comes late
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert files_at(path) == files_at(whole.path)
    assert [name for name in files_at(path.parent) if "hashes" in name] == []


def test_a_file_that_was_changed_a_moment_ago_is_hashed_by_every_job(
    chosen: Recipe, source: Path, tmp_path: Path, hashed: Counter[str]
) -> None:
    for path in source.rglob("*"):
        os.utime(path, (1e9, 1e9))  # the time of content is as archives tell it; that of the change is now
    for index in (1, 2, 3):
        write_share(chosen, source, tmp_path / "c", index, 3)
    assert {hashed[name] for name in recordings(source)} == {3}
    assert not list((tmp_path / "c" / "stores" / "dvs-gesture").glob("*hashes*"))


def test_times_are_settled_only_when_both_are_long_past() -> None:
    now_s = 1e9
    old, new = int((now_s - SETTLED_S - 1) * 1e9), int((now_s - SETTLED_S + 1) * 1e9)
    assert Stamp(1, old, old, 1).is_settled(now_s)
    for mtime_ns, ctime_ns in ((old, new), (new, old), (old, int((now_s + 1e6) * 1e9))):
        assert not Stamp(1, mtime_ns, ctime_ns, 1).is_settled(now_s)


def flipped(path: Path) -> bytes:
    return path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])


def write_over(path: Path, content: bytes) -> None:
    """Other bytes with the times of the old ones, as far as a program can."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_another_in_its_place(path: Path, content: bytes) -> None:
    other = path.with_name("other")
    os.link(path, other)
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(other.stat().st_atime_ns, other.stat().st_mtime_ns))
    other.unlink()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [write_over, put_another_in_its_place])
@pytest.mark.parametrize("what", ["*.aedat", "*_labels.csv"])
def test_a_changed_file_of_the_same_size_and_time_is_another_source(
    chosen: Recipe, source: Path, recipe: Path, tmp_path: Path, change: Callable[[Path, bytes], None], what: str
) -> None:
    path = min(source.rglob(what))
    if what == "*_labels.csv":
        path.write_bytes(path.read_bytes() + b"\n")
    first = write_share(chosen, source, tmp_path, 1, 2)
    before = path.stat()
    change(path, flipped(path) if what == "*.aedat" else path.read_bytes()[:-1] + b" ")
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = write_share(chosen, source, tmp_path, 2, 2)
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert first.name != second.name == whole.path.name


@pytest.mark.usefixtures("settled")
def test_where_times_are_made_up_the_job_that_reads_a_file_finds_out(
    chosen: Recipe, source: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stamp, "of", classmethod(lambda cls, path: Stamp(path.stat().st_size, 0, 0, 1)))
    first = write_share(chosen, source, tmp_path, 3, 3)
    for path in source.rglob("*.aedat"):
        write_over(path, flipped(path))
    with pytest.raises(StorageError, match=r"\.aedat: its sha256 is .* run all jobs again"):
        write_share(chosen, source, tmp_path, 1, 3)
    for index in (1, 2, 3):
        second = write_share(chosen, source, tmp_path, index, 3)
    assert first.name != second.name
    whole = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    assert files_at(finalise_folder(second)) == files_at(whole.path)


@pytest.mark.usefixtures("settled")
def test_hashes_that_are_damaged_or_of_another_version_are_made_again(
    chosen: Recipe, source: Path, tmp_path: Path, hashed: Counter[str]
) -> None:
    folder = write_share(chosen, source, tmp_path, 1, 9)
    (place,) = folder.parent.glob(".*.hashes.json")
    whole = place.read_bytes()
    digest = _locate.file_digest(next(source.rglob("*.aedat"))).encode()
    assert digest in whole
    hashed.clear()
    for number, content in enumerate((whole.replace(digest, b"0" * 64), whole[:-40], b"", b"[]", b'{"version": 2}')):
        place.write_bytes(content)
        assert write_share(chosen, source, tmp_path, number + 2, 9) == folder
        assert place.read_bytes() == whole
        assert {hashed[name] for name in recordings(source)} == {number + 1}


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_hashed_is_not_kept(
    chosen: Recipe, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(source.rglob("*.aedat"))
    right = _locate.file_digest

    def changing(path: Path) -> str:
        digest = right(path)
        if path == files[0]:
            write_over(path, flipped(path))
        return digest

    shared = SharedHashes(chosen, tmp_path / "stores")
    with monkeypatch.context() as patch:
        patch.setattr(_locate, "file_digest", changing)
        hashes = shared.hash_files(files)
    again = SharedHashes(chosen, tmp_path / "stores").hash_files(files)
    assert again[0].sha256 == right(files[0]) != hashes[0].sha256
    assert again[1:] == hashes[1:]


PROGRAM = """
import sys
from pathlib import Path
from neurodata.datasets import _locate, find_dataset
from neurodata.pipeline import Share, _shared_hashes, prepare_share, source_request, thread_pool
from neurodata.recipe import load_recipe

recipe, source, cache, log, share = sys.argv[1:]
_shared_hashes.SETTLED_S = -3600.0
right = _locate.file_digest

def logging(path):
    with open(log, "a") as file:
        file.write(f"{path.name}\\n")
    return right(path)

_locate.file_digest = logging
chosen = load_recipe(find_dataset("dvs-gesture"), Path(recipe))
request = source_request(chosen.dataset, source)
print(prepare_share(chosen, request, Share.parse(share), cache, make_executor=lambda n: thread_pool(1)))
"""


def test_jobs_that_begin_at_once_wait_for_the_one_that_hashes(
    source: Path, recipe: Path, chosen: Recipe, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def begin(share: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, *map(str, (recipe, source, tmp_path / "c", log, share))]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    jobs = [begin(f"{index}/3") for index in (1, 2, 3)]
    answers = {job.communicate(timeout=120)[0].strip() for job in jobs}
    assert {job.returncode for job in jobs} == {0}
    (folder,) = answers
    counted = Counter(log.read_text().split())
    assert max(counted[name] for name in recordings(source)) <= 2
    assert verify(finalise_folder(folder), deep=True).ok
