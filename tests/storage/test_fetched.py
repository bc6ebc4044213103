"""Ranges that are fetched together are read from memory afterwards; others are asked for as ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.errors import StorageError
from neurodata.storage import Fetched, RemotePath, fetch_ranges, open_access
from neurodata.storage import _remote as remote
from tests.storage.remotes import FILES, register

SIZE = 1000
NAMES = ("a", "b")
CONTENT = {name: bytes((k * 7 + ord(name)) % 251 for k in range(SIZE)) for name in NAMES}
PATHS = {name: RemotePath(f"flaky://lab/{name}") for name in NAMES}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=3, pause_s=0.001))
    monkeypatch.setattr(remote, "GAP_BYTES", 16)
    register()
    FILES.content = {f"lab/{name}": content for name, content in CONTENT.items()}


def read(name: str, start: int, stop: int) -> bytes:
    part = bytearray(stop - start)
    open_access(PATHS[name], SIZE).read_into(start, [memoryview(part)])
    return bytes(part)


def wanted_of(ranges: list[tuple[str, int, int]]) -> Any:
    return {PATHS[name]: [(start, stop) for other, start, stop in ranges if other == name] for name in NAMES}


range_lists = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, SIZE - 1), st.integers(0, 60)).map(
        lambda place: (place[0], place[1], min(place[1] + place[2], SIZE))
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(range_lists)
def test_what_was_fetched_is_read_without_a_request(ranges: list[tuple[str, int, int]]) -> None:
    FILES.asked.clear()
    fetched = fetch_ranges(wanted_of(ranges))
    n_asked = len(FILES.asked)
    assert n_asked <= sum(start < stop for _, start, stop in ranges)
    with fetched.in_use():
        for name, start, stop in ranges:
            assert read(name, start, stop) == CONTENT[name][start:stop]
    assert len(FILES.asked) == n_asked


def test_neighbours_share_a_request_and_files_do_not() -> None:
    fetch_ranges(wanted_of([("a", 50, 60), ("a", 0, 10), ("a", 20, 30), ("b", 0, 10)]))
    assert sorted(FILES.asked) == [("lab/a", 0, 30), ("lab/a", 50, 60), ("lab/b", 0, 10)]


def test_what_was_not_fetched_is_asked_for() -> None:
    with fetch_ranges(wanted_of([("a", 100, 200)])).in_use():
        for name, start, stop in (("a", 99, 150), ("a", 150, 201), ("b", 100, 200), ("a", 0, 5)):
            FILES.asked.clear()
            assert read(name, start, stop) == CONTENT[name][start:stop]
            assert FILES.asked == [(f"lab/{name}", start, stop)]


def test_of_several_ranges_only_those_that_are_not_there_are_asked_for() -> None:
    parts = [bytearray(10), bytearray(10)]
    with fetch_ranges(wanted_of([("a", 100, 200)])).in_use():
        FILES.asked.clear()
        wanted = [(110, [memoryview(parts[0])]), (500, [memoryview(parts[1])])]
        open_access(PATHS["a"], SIZE).read_many(wanted)
    assert FILES.asked == [("lab/a", 500, 510)]
    assert [bytes(part) for part in parts] == [CONTENT["a"][110:120], CONTENT["a"][500:510]]


def test_after_the_block_and_in_other_threads_nothing_is_used() -> None:
    fetched = fetch_ranges(wanted_of([("a", 0, 10)]))
    with fetched.in_use():
        FILES.asked.clear()
        thread = threading.Thread(target=read, args=("a", 0, 10))
        thread.start()
        thread.join()
        assert len(FILES.asked) == 1
    read("a", 0, 10)
    assert len(FILES.asked) == 2


def test_blocks_may_be_nested() -> None:
    with fetch_ranges(wanted_of([("a", 0, 10)])).in_use():
        with Fetched().in_use():
            pass
        FILES.asked.clear()
        assert read("a", 0, 10) == CONTENT["a"][:10]
        assert FILES.asked == []


def test_only_what_failed_is_asked_for_again() -> None:
    FILES.answers = [lambda right: right, OSError("reset"), lambda right: right[:3]]
    fetched = fetch_ranges(wanted_of([("a", 0, 10), ("a", 100, 110), ("b", 0, 10)]))
    assert len(FILES.asked) == 5
    with fetched.in_use():
        assert [read("a", 0, 10), read("a", 100, 110), read("b", 0, 10)] == [
            CONTENT["a"][:10],
            CONTENT["a"][100:110],
            CONTENT["b"][:10],
        ]
    assert len(FILES.asked) == 5


def test_a_lasting_failure_is_raised_when_the_bytes_are_read_and_not_asked_for_again() -> None:
    FILES.answers = [lambda right: right, *[OSError("503 Slow Down")] * 3]
    fetched = fetch_ranges(wanted_of([("a", 0, 10), ("b", 0, 10)]))
    n_asked = len(FILES.asked)
    with fetched.in_use():
        assert read("a", 0, 10) == CONTENT["a"][:10]
        for _ in range(2):
            with pytest.raises(StorageError, match=r"lab/b: bytes 0 to 10 cannot be read: 503 Slow Down \(3 attempts"):
                read("b", 2, 5)
    assert len(FILES.asked) == n_asked == 4


def test_a_file_that_is_missing_or_too_short_is_left_to_who_reads_it() -> None:
    FILES.content["lab/a"] = CONTENT["a"][:55]
    del FILES.content["lab/b"]
    with fetch_ranges(wanted_of([("a", 40, 50), ("a", 52, 60), ("b", 0, 10)])).in_use():
        assert read("a", 40, 50) == CONTENT["a"][40:50]
        with pytest.raises(EOFError, match=r"ends at byte 55; expected bytes up to 60"):
            read("a", 52, 60)
        with pytest.raises(FileNotFoundError, match="no such file"):
            read("b", 0, 10)


def test_requests_are_made_in_groups_and_not_after_it_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "AT_ONCE", 2)
    wanted = wanted_of([("a", 100 * k, 100 * k + 10) for k in range(7)])
    with fetch_ranges(wanted, lambda: len(FILES.asked) >= 4).in_use():
        assert len(FILES.asked) == 4
        assert [read("a", 100 * k, 100 * k + 10) for k in range(7)] == [
            CONTENT["a"][100 * k : 100 * k + 10] for k in range(7)
        ]
    assert len(FILES.asked) == 7
