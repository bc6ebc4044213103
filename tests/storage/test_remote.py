from __future__ import annotations

import os
import time
from typing import Any

import pytest

from neurodata.errors import MissingExtraError, StorageError
from neurodata.storage import RemotePath, locate, open_access, read_bytes, write_to
from neurodata.storage import _remote as remote
from tests.loopback import Loopback, ranged
from tests.storage.remotes import FILES, Sleepy, Stumbling, register

CONTENT = bytes(k * 7 % 251 for k in range(1000))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=4, pause_s=0.001, attempt_s=5.0, total_s=5.0))
    register()
    FILES.content = {"lab/file": CONTENT}


@pytest.fixture(params=["flaky", "sleepy"])
def path(request: pytest.FixtureRequest) -> RemotePath:
    return RemotePath(f"{request.param}://lab/file")


def read(path: RemotePath, offset: int, *sizes: int) -> bytes:
    parts = [bytearray(size) for size in sizes]
    open_access(path, len(CONTENT)).read_into(offset, [memoryview(part) for part in parts])
    return b"".join(parts)


def test_a_range_fills_the_buffers_with_one_request(path: RemotePath) -> None:
    assert read(path, 100, 10, 4) == CONTENT[100:114]
    assert [asked[1:] for asked in FILES.asked] == [(100, 114)]


def test_opening_asks_for_nothing(path: RemotePath) -> None:
    file = open_access(path, 1000)
    assert (file.size_bytes, file.path, file.fall_back()) == (1000, path, False)
    assert FILES.asked == []


def test_neighbouring_ranges_share_a_request_and_distant_ones_do_not(
    path: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "GAP_BYTES", 16)
    wanted = [(900, bytearray(50)), (0, bytearray(10)), (20, bytearray(5)), (22, bytearray(30)), (7, bytearray(0))]
    open_access(path, 1000).read_many([(offset, [memoryview(part)]) for offset, part in wanted])
    assert all(bytes(part) == CONTENT[offset : offset + len(part)] for offset, part in wanted)
    assert sorted(asked[1:] for asked in FILES.asked) == [(0, 52), (900, 950)]


def test_whole_files_are_read(path: RemotePath) -> None:
    assert read_bytes(path) == CONTENT


def test_a_failure_that_may_pass_is_tried_again(path: RemotePath) -> None:
    FILES.answers = [OSError("503 Slow Down"), TimeoutError(), lambda right: right[:3]]
    assert read(path, 10, 20) == CONTENT[10:30]
    assert len(FILES.asked) == 4


def test_only_what_failed_is_asked_for_again(path: RemotePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "GAP_BYTES", 0)
    FILES.answers = [lambda right: right, OSError("reset"), lambda right: right]
    parts = [bytearray(4) for _ in range(3)]
    open_access(path, 1000).read_many([(100 * k, [memoryview(part)]) for k, part in enumerate(parts)])
    assert [bytes(part) for part in parts] == [CONTENT[100 * k : 100 * k + 4] for k in range(3)]
    assert len(FILES.asked) == 4


def test_a_lasting_failure_names_address_range_cause_and_attempts(path: RemotePath) -> None:
    FILES.answers = [OSError("503 Slow Down")] * 9
    with pytest.raises(StorageError, match=r"//lab/file: bytes 10 to 30 cannot be read: 503 Slow Down \(4 attempts in"):
        read(path, 10, 20)
    with pytest.raises(StorageError, match=r"//lab/file: the file cannot be read: 503"):
        read_bytes(path)


@pytest.mark.parametrize("error", [PermissionError("Access Denied"), ValueError("odd")])
def test_a_refusal_is_not_asked_again(path: RemotePath, error: Exception) -> None:
    FILES.answers = [error]
    with pytest.raises(StorageError, match=f"{error}$"):
        read(path, 0, 1)
    assert len(FILES.asked) == 1


class AnsweredError(Exception):
    """As aiohttp and gcsfs raise them."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@pytest.mark.parametrize(("status", "n_asked"), [(400, 1), (403, 1), (416, 1), (429, 2), (408, 2), (500, 2), (503, 2)])
def test_the_status_tells_whether_asking_again_helps(path: RemotePath, status: int, n_asked: int) -> None:
    FILES.answers = [AnsweredError(status)]
    if n_asked == 1:
        with pytest.raises(StorageError, match=f"status {status}"):
            read(path, 0, 1)
    else:
        assert read(path, 0, 1) == CONTENT[:1]
    assert len(FILES.asked) == n_asked


def test_a_missing_file_is_a_missing_file(path: RemotePath) -> None:
    FILES.content = {}
    with pytest.raises(FileNotFoundError, match="//lab/file: no such file"):
        read(path, 0, 1)
    assert len(FILES.asked) == 1


def test_a_file_that_ends_early_is_told_with_the_place(path: RemotePath) -> None:
    with pytest.raises(EOFError, match="//lab/file: the file ends at byte 1000; expected bytes up to 1010"):
        read(path, 990, 20)


def test_a_server_that_knows_no_ranges_is_told_apart_with_the_way_out(path: RemotePath) -> None:
    FILES.answers = [lambda right: CONTENT]
    with pytest.raises(StorageError, match=r"does not serve parts of files; stage="):
        read(path, 0, 1)


def test_a_silent_server_is_asked_again_and_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = remote.Patience(attempts=99, pause_s=0.001, attempt_s=0.1, total_s=0.5)
    monkeypatch.setattr(remote, "PATIENCE", patience)
    Sleepy.naps_s = [60.0]
    assert read(RemotePath("sleepy://lab/file"), 0, 5) == CONTENT[:5]
    Sleepy.naps_s = [60.0] * 99
    began_s = time.monotonic()
    with pytest.raises(StorageError, match=r"cannot be read: .*attempts in"):
        read(RemotePath("sleepy://lab/file"), 0, 5)
    assert time.monotonic() - began_s < 5


def test_a_large_file_that_breaks_off_late_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long to send takes long to fail, too."""
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=3, pause_s=0.001, total_s=0.05))
    failures = [True]

    def stumble(method: str, path: str, is_done: bool) -> None:
        if failures and failures.pop():
            time.sleep(0.1)
            raise OSError("connection reset")

    Stumbling.stumble = staticmethod(stumble)  # type: ignore[assignment, unused-ignore]
    large = bytes(1 << 20)
    write_to(RemotePath("stumbling://lab/large"), large)
    assert read_bytes(RemotePath("stumbling://lab/large")) == large
    failures.append(True)
    with pytest.raises(StorageError, match="pipe_file failed: connection reset"):
        write_to(RemotePath("stumbling://lab/small"), b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork with threads is what is tested
def test_both_sides_of_a_fork_read() -> None:
    file = open_access(RemotePath("sleepy://lab/file"), 1000)
    part = bytearray(5)
    file.read_into(0, [memoryview(part)])  # fsspec's thread and loop are there now
    child = os.fork()
    if child == 0:
        status = 1
        try:
            file.read_into(10, [memoryview(part)])
            status = 0 if bytes(part) == CONTENT[10:15] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    file.read_into(20, [memoryview(part)])
    assert bytes(part) == CONTENT[20:25]


def test_a_kind_of_address_that_nobody_knows_is_refused() -> None:
    with pytest.raises(StorageError, match="nosuch"):
        read_bytes(RemotePath("nosuch://lab/file"))


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(_: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    remote._filesystem.cache_clear()
    with pytest.raises(MissingExtraError, match=r"Install s3fs.*neurodata-pipeline\[s3\]"):
        read_bytes(RemotePath("s3://lab/file"))


def test_over_http_errors_and_cut_answers_are_tried_again(server: Loopback) -> None:
    pytest.importorskip("aiohttp")
    right = ranged(CONTENT)
    url = server.url("file", ranged(CONTENT, status=500), ranged(CONTENT, cut=7), ranged(CONTENT, status=503), right)
    assert read(RemotePath(url), 100, 50) == CONTENT[100:150]
    assert server.ranges() == ["bytes=100-149"] * 4
    assert read_bytes(RemotePath(url)) == CONTENT


def test_over_http_a_missing_file_is_a_missing_file(server: Loopback) -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_bytes(RemotePath(server.url("file", ranged(CONTENT, status=404))))


def test_over_http_a_server_that_ignores_ranges_is_told_apart(server: Loopback) -> None:
    pytest.importorskip("aiohttp")
    from tests.loopback import ignore_range

    with pytest.raises(StorageError, match="does not serve parts of files"):
        read(RemotePath(server.url("file", ignore_range(CONTENT))), 100, 50)


def test_locations_are_read_alike(tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert read_bytes(locate(tmp_path / "file")) == read_bytes(locate((tmp_path / "file").as_uri())) == CONTENT
