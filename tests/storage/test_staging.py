from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neurodata.errors import StorageError, StorageWarning
from neurodata.storage import Location, RandomAccess, RemotePath, ShardCache, _staging, _unfinished, stage_folder
from neurodata.storage import _remote as remote
from tests.storage.remotes import FILES, register

SIZE = 1000
unix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and signals")


@pytest.fixture(autouse=True)
def _nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def content(k: int) -> bytes:
    return bytes((k + i * 7) % 251 for i in range(SIZE))


def sha256(k: int) -> str:
    return hashlib.sha256(content(k)).hexdigest()


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"source{k}" for k in range(4)]
    for k, path in enumerate(paths):
        path.write_bytes(content(k))
    return paths


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def cache_of(stage: Path, **options: Any) -> ShardCache:
    return ShardCache(stage, **{"idle_s": 0.0, "limit_bytes": 10 * SIZE} | options)


def opened(cache: ShardCache, sources: list[Path], k: int) -> RandomAccess:
    return cache.open(sources[k], SIZE, sha256(k))


def whole(file: RandomAccess) -> bytes:
    part = bytearray(file.size_bytes)
    file.read_into(0, [memoryview(part)[:300], memoryview(part)[300:]])
    return bytes(part)


def staged(cache: ShardCache) -> set[str]:
    """What is in the folder, by the number of its content; other files by their names."""
    names = {f"{sha256(k)}.shard": str(k) for k in range(4)}
    return {names.get(path.name, path.name) for path in cache.folder.iterdir()} - {".lock"}


def used_at(cache: ShardCache, k: int, time_s: float) -> None:
    os.utime(cache.folder / f"{sha256(k)}.shard", (time_s, time_s))


def test_a_file_is_copied_once_and_read_from_the_copy(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage)
    file = opened(cache, sources, 0)
    assert (whole(file), file.size_bytes, file.path) == (content(0), SIZE, cache.folder / f"{sha256(0)}.shard")
    sources[0].unlink()
    assert whole(opened(cache_of(stage), sources, 0)) == content(0)
    assert staged(cache) == {"0"}


def test_equal_files_share_a_copy(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage)
    opened(cache, sources, 0)
    other = sources[0].rename(sources[0].with_name("other"))
    assert whole(cache.open(other, SIZE, sha256(0))) == content(0)
    assert staged(cache) == {"0"}


def test_copies_are_made_in_pieces_of_any_size(
    sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for window_bytes in (1, 3, 333, SIZE - 1, SIZE, SIZE + 1):
        monkeypatch.setattr(_staging, "_WINDOW_BYTES", window_bytes)
        cache = cache_of(stage)
        assert whole(opened(cache, sources, 1)) == content(1)
        shutil.rmtree(cache.folder)


def test_a_remote_file_is_copied(stage: Path) -> None:
    register()
    FILES.content = {"lab/file": content(2)}
    cache = cache_of(stage)
    assert whole(cache.open(RemotePath("flaky://lab/file"), SIZE, sha256(2))) == content(2)
    assert staged(cache) == {"2"}
    FILES.content = {}
    assert whole(cache.open(RemotePath("flaky://lab/file"), SIZE, sha256(2))) == content(2)


def test_the_copy_unused_for_longest_is_deleted_when_the_limit_is_reached(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage, limit_bytes=2 * SIZE)
    for k in (0, 1):
        opened(cache, sources, k)
    used_at(cache, 0, 1000.0)
    used_at(cache, 1, 2000.0)
    opened(cache, sources, 0)  # used again
    assert whole(opened(cache, sources, 2)) == content(2)
    assert staged(cache) == {"0", "2"}


def test_reading_counts_as_use(sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(stage)
    file = opened(cache, sources, 0)
    used_at(cache, 0, 1000.0)
    whole(file)
    assert file.path.stat().st_mtime == 1000.0  # type: ignore[union-attr]
    monkeypatch.setattr(_staging, "_NOTE_S", -1.0)
    whole(file)
    assert time.time() - file.path.stat().st_mtime < 60  # type: ignore[union-attr]


@unix_only
def test_a_copy_that_is_deleted_while_it_is_read_stays_readable(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage, limit_bytes=SIZE)
    files = [opened(cache, sources, k) for k in range(4)]
    assert staged(cache) == {"3"}
    assert [whole(file) for file in files] == [content(k) for k in range(4)]


def test_copies_in_use_stay_and_other_files_are_read_where_they_are_said_once(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage, limit_bytes=SIZE, idle_s=60.0)
    opened(cache, sources, 0)
    with pytest.warns(StorageWarning, match=r"1,000 bytes may be taken, and nothing there is unused; .*said once"):
        file = opened(cache, sources, 1)
    assert (file.path, whole(file)) == (sources[1], content(1))
    assert whole(opened(cache, sources, 2)) == content(2)  # and warnings are errors here
    assert staged(cache) == {"0"}


def test_a_file_larger_than_the_limit_is_read_where_it_is(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage, limit_bytes=SIZE - 1)
    with pytest.warns(StorageWarning, match="1,000 bytes is larger than the limit of 999"):
        assert opened(cache, sources, 0).path == sources[0]
    assert staged(cache) == set()


def test_without_a_limit_a_tenth_of_the_disk_stays_free(
    sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10_000 + 2 * SIZE

    def usage(folder: Path) -> Any:
        taken = sum(path.stat().st_size for path in folder.iterdir() if path.suffix == ".shard")
        return SimpleNamespace(total=100_000, free=free - taken)

    monkeypatch.setattr(_staging.shutil, "disk_usage", usage)
    cache = cache_of(stage, limit_bytes=None)
    for k in range(4):
        assert whole(opened(cache, sources, k)) == content(k)
    assert staged(cache) == {"2", "3"}


def test_files_of_others_are_never_deleted(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage, limit_bytes=SIZE)
    opened(cache, sources, 0)
    for folder in (stage, cache.folder):
        (folder / "thesis.tex").write_bytes(bytes(5 * SIZE))
        (folder / ".editor.tmp").write_bytes(b"")
    opened(cache, sources, 1)
    assert staged(cache) >= {"1", "thesis.tex"}
    assert {path.name for path in stage.iterdir()} == {"thesis.tex", ".editor.tmp", cache.folder.name}


# What is wrong with a source or a copy


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"!", lambda data: data[:-1], lambda data: data + b"!"])
def test_a_damaged_source_is_not_kept_and_read_as_it_is(
    sources: list[Path], stage: Path, damage: Callable[[bytes], bytes]
) -> None:
    sources[0].write_bytes(damage(content(0)))
    cache = cache_of(stage)
    with pytest.warns(StorageWarning, match=r"source0: (has the sha256|measures)"):
        assert opened(cache, sources, 0).path == sources[0]
    assert opened(cache, sources, 0).path == sources[0]
    assert staged(cache) == set()


def test_a_missing_source_is_missing(sources: list[Path], stage: Path) -> None:
    sources[0].unlink()
    with pytest.raises(FileNotFoundError):
        opened(cache_of(stage), sources, 0)


def test_a_source_that_fails_is_read_directly_and_says_why(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=2, pause_s=0.001))
    FILES.content = {"lab/file": content(2)}
    FILES.answers = [OSError("503")] * 2
    with pytest.warns(StorageWarning, match=r"flaky://lab/file: cannot be copied: .*503 \(2 attempts"):
        file = cache_of(stage).open(RemotePath("flaky://lab/file"), SIZE, sha256(2))
    assert whole(file) == content(2)


def test_a_copy_of_another_size_is_made_again(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage)
    copy = opened(cache, sources, 0).path
    assert isinstance(copy, Path)
    copy.write_bytes(content(0)[:5])
    assert whole(opened(cache, sources, 0)) == content(0)
    assert copy.read_bytes() == content(0)


def test_a_copy_that_can_no_longer_be_read_gives_way_to_the_file(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage)
    file = opened(cache, sources, 0)
    os.truncate(cache.folder / f"{sha256(0)}.shard", 100)
    assert (whole(file), file.path) == (content(0), sources[0])
    assert staged(cache) == set()


def test_a_damaged_copy_gives_way_to_the_file_when_told(sources: list[Path], stage: Path) -> None:
    cache = cache_of(stage)
    file = opened(cache, sources, 0)
    (cache.folder / f"{sha256(0)}.shard").write_bytes(bytes(SIZE))
    assert whole(file) == bytes(SIZE)
    assert file.fall_back()
    assert (whole(file), file.path, file.size_bytes) == (content(0), sources[0], SIZE)
    assert staged(cache) == set()


# What is wrong with the disk


def test_a_stage_that_is_no_folder_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere: no such folder; stage= takes an existing one"):
        stage_folder(tmp_path / "nowhere", None)
    with pytest.raises(StorageError, match="size 'much'"):
        stage_folder(tmp_path, "much")
    with pytest.raises(StorageError, match="without stage="):
        stage_folder(None, "5GB")
    assert stage_folder(None, None) is None


def refuse_room(monkeypatch: pytest.MonkeyPatch, allowed: Callable[[], bool]) -> list[int]:
    """Let the disk be full unless it is `allowed`; how often it was asked."""
    asked = []

    def allocate(_: Any) -> None:
        asked.append(1)
        if not allowed():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_unfinished.Unfinished, "_allocate", allocate)
    return asked


def test_on_a_full_disk_old_copies_make_room(sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(stage)
    for k in range(3):
        opened(cache, sources, k)
    for k in range(3):
        used_at(cache, k, 1000.0 + k)
    refuse_room(monkeypatch, lambda: len(staged(cache) & {"0", "1", "2"}) == 1)
    assert whole(opened(cache, sources, 3)) == content(3)
    assert staged(cache) == {"2", "3"}


def test_on_a_full_disk_without_copies_files_are_read_where_they_are(
    sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_room(monkeypatch, lambda: False)
    cache = cache_of(stage)
    with pytest.warns(StorageWarning, match="the disk is full, and nothing there is unused"):
        assert whole(opened(cache, sources, 0)) == content(0)
    assert whole(opened(cache, sources, 1)) == content(1)
    assert staged(cache) == set()


def test_a_disk_that_fails_while_copying_is_left_alone_for_a_while(
    sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(_: object) -> None:
        # What a limit of the process's would do to the test run's own output, too.
        raise OSError(errno.EFBIG, "File too large")

    cache = cache_of(stage)
    opened(cache, sources, 3)
    allocate = _unfinished.Unfinished._allocate
    monkeypatch.setattr(_unfinished.Unfinished, "_allocate", too_large)
    with pytest.warns(StorageWarning, match=r"cannot write: the file system takes no files of this size"):
        assert opened(cache, sources, 0).path == sources[0]
    assert staged(cache) == {"3"}
    monkeypatch.setattr(_unfinished.Unfinished, "_allocate", allocate)
    assert opened(cache, sources, 1).path == sources[1]
    assert opened(cache, sources, 3).path != sources[3]  # what is there is used
    monkeypatch.setattr(_staging.time, "monotonic", lambda: cache._paused_until)
    assert opened(cache, sources, 1).path != sources[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_costs_copies_and_nothing_else(tmp_path: Path, small_disk: Path) -> None:
    contents = [bytes([k]) * 7000 for k in range(6)]
    digests = [hashlib.sha256(data).hexdigest() for data in contents]
    for k, data in enumerate(contents):
        (tmp_path / f"big{k}").write_bytes(data)
    for idle_s in (0.0, 60.0):
        cache = cache_of(small_disk, limit_bytes=10**9, idle_s=idle_s)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            files = [cache.open(tmp_path / f"big{k}", 7000, digests[k]) for k in range(6)]
            assert [whole(file) for file in files] == contents
        assert len(caught) <= 1
        assert not list(cache.folder.glob(".*.tmp"))


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_folder_that_others_could_have_filled_is_not_used(sources: list[Path], stage: Path, what: str) -> None:
    cache = cache_of(stage)
    if what == "file":
        cache.folder.write_bytes(b"")
    else:
        elsewhere = stage / "elsewhere"
        elsewhere.mkdir()
        cache.folder.symlink_to(elsewhere)
    with pytest.warns(StorageWarning, match=r"neurodata-stage.*: (belongs to somebody else|cannot write)"):
        assert whole(opened(cache, sources, 0)) == content(0)


@unix_only
def test_nobody_else_may_enter_the_folder(sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(stage)
    opened(cache, sources, 0)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.warns(StorageWarning, match="belongs to somebody else"):
        assert opened(cache, sources, 0).path == sources[0]


# Several processes


TOGETHER = """
    import os, sys, time
    from pathlib import Path
    from filelock import FileLock
    from neurodata.storage import _staging
    from tests.storage.test_staging import *

    stage, folder, n_processes, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    sources = [folder / f"source{k}" for k in range(4)]
    os.fsync = lambda _: None
    transfer = _staging.ShardCache._transfer

    def counted(self, unfinished, source):
        os.write(1, b"copied\\n")
        time.sleep(0.05)
        return transfer(self, unfinished, source)

    _staging.ShardCache._transfer = counted

    def work(number):
        warnings.simplefilter("error")
        cache = cache_of(stage, limit_bytes=limit)
        for round in range(3):
            for k in range(4):
                assert whole(opened(cache, sources, (k + number * round) % 4)) == content((k + number * round) % 4)
            with FileLock(cache.folder / ".lock"):
                assert sum(map(_staging._size_bytes, cache.folder.iterdir())) <= limit
        return 0

    children = []
    for number in range(n_processes):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = work(number)
            except BaseException:
                import traceback; traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    sys.exit(any(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def run_together(stage: Path, sources: list[Path], n_processes: int, limit_bytes: int) -> int:
    """How many copies were made."""
    program = "\n".join(line[4:] for line in TOGETHER.splitlines())
    arguments = [str(stage), str(sources[0].parent), str(n_processes), str(limit_bytes)]
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.count("copied")


@unix_only
def test_processes_that_want_the_same_files_make_one_copy_of_each(sources: list[Path], stage: Path) -> None:
    assert run_together(stage, sources, 5, 10 * SIZE) == 4
    assert staged(cache_of(stage)) == {"0", "1", "2", "3"}


@unix_only
def test_processes_that_delete_each_others_copies_read_the_right_bytes(sources: list[Path], stage: Path) -> None:
    program = TOGETHER.replace('warnings.simplefilter("error")', 'warnings.simplefilter("ignore")')
    assert program != TOGETHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "TOGETHER", program)
        assert run_together(stage, sources, 4, 2 * SIZE) >= 4
    cache = cache_of(stage)
    assert staged(cache) <= {"0", "1", "2", "3"}
    assert len(staged(cache)) <= 2


WRITER = """
import sys, time; from pathlib import Path; from neurodata.storage import ShardCache, _unfinished
write = _unfinished.Unfinished.write
def stop_halfway(self, part):
    write(self, part[:100]); print("ready", flush=True); time.sleep(60)
_unfinished.Unfinished.write = stop_halfway
ShardCache(Path(sys.argv[1]), 10_000).open(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""


@unix_only
def test_what_a_killed_process_left_is_removed_and_made_again(
    sources: list[Path], stage: Path, run_until_killed: Callable[..., None]
) -> None:
    run_until_killed(WRITER, stage, sources[0], SIZE, sha256(0))
    cache = cache_of(stage, limit_bytes=SIZE)
    (left_over,) = staged(cache)
    assert left_over.endswith(".tmp")
    assert whole(opened(cache, sources, 1)) == content(1)
    assert staged(cache) == {"1"}
    assert whole(opened(cache, sources, 0)) == content(0)


@pytest.fixture
def writer(sources: list[Path], stage: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(stage), str(sources[0]), str(SIZE), sha256(0)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@unix_only
def test_who_waits_for_a_process_that_is_killed_goes_on(
    sources: list[Path], stage: Path, writer: subprocess.Popen[str]
) -> None:
    cache = cache_of(stage)
    files: list[RandomAccess] = []
    thread = threading.Thread(target=lambda: files.append(opened(cache, sources, 0)))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    writer.kill()
    thread.join(30)
    assert whole(files[0]) == content(0)
    assert staged(cache) == {"0"}


@unix_only
def test_a_process_that_is_stuck_is_not_waited_for(
    sources: list[Path], stage: Path, writer: subprocess.Popen[str]
) -> None:
    cache = cache_of(stage, stall_s=0.1)
    with pytest.warns(StorageWarning, match="its writer is stuck"):
        assert whole(opened(cache, sources, 0)) == content(0)
    assert whole(opened(cache, sources, 1)) == content(1)
    assert len(staged(cache)) == 2  # the stuck one may go on


@unix_only
def test_room_that_is_being_filled_counts(sources: list[Path], stage: Path, writer: subprocess.Popen[str]) -> None:
    cache = cache_of(stage, limit_bytes=2 * SIZE - 1)
    with pytest.warns(StorageWarning, match="1,999 bytes may be taken"):
        assert opened(cache, sources, 1).path == sources[1]


def test_threads_that_want_the_same_file_make_one_copy(
    sources: list[Path], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(stage)
    copied: list[Location] = []
    transfer = ShardCache._transfer

    def counted(self: ShardCache, unfinished: Any, source: Location) -> str:
        copied.append(source)
        time.sleep(0.05)
        return transfer(self, unfinished, source)

    monkeypatch.setattr(ShardCache, "_transfer", counted)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(whole(opened(cache, sources, 0)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [content(0)] * 4
    assert copied == [sources[0]]
