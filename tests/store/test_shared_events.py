"""Windows of one recording share the events that they have in common, and parts of samples are found by time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neurodata.errors import StoreError
from neurodata.signals import EventArray, Sensor
from neurodata.store import EventsLayout, Packets, StoreReader, _append, _layout, _verify, verify
from neurodata.store._layout import EVENTS_PER_CHUNK, LONGEST_SAMPLE_US
from tests.store.stores import contents
from tests.store.test_ragged import SENSOR, build, items, recordings_of

COMPRESSION = st.sampled_from(["none", "zstd"])


def layout(compression: Any = "none", samples_per_shard: int = 4, sensor: Sensor = SENSOR) -> EventsLayout:
    return EventsLayout(sensor, samples_per_shard=samples_per_shard, compression=compression)


def at_times(t: list[int], seed: int = 0) -> EventArray:
    (places,) = recordings_of([len(t)], seed)
    return EventArray(np.array(t, np.int64), places.x, places.y, places.p, SENSOR)


def assert_same(found: EventArray, expected: EventArray) -> None:
    for name in ("t", "x", "y", "p"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def n_stored(store: StoreReader) -> int:
    """Events in all shards."""
    table = store.table
    return int(sum(table.stop[table.shard == shard].max() for shard in set(table.shard.tolist())))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-100, 10_100), st.integers(0, 6_000)), min_size=1, max_size=9),
    st.integers(0, 300),
    COMPRESSION,
)
def test_every_window_is_read_as_it_was_whatever_it_shares(
    windows: list[tuple[int, int]], n: int, compression: Any
) -> None:
    (recording,) = recordings_of([n])
    parts = [recording.between(start, start + length) for start, length in windows]
    with tempfile.TemporaryDirectory() as folder:
        store = StoreReader(build(Path(folder), layout(compression), parts))
        for index, part in enumerate(parts):
            assert_same(store.read_events(index), part)
            origin_us = store.table.origin_us[index]
            for t in items(store, index, "events/t"):
                np.testing.assert_array_equal(t.astype(np.int64) + origin_us, part.t)
        assert verify(Path(folder), deep=True).problems == ()


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_sliding_windows_are_stored_once(tmp_path: Path, compression: Any) -> None:
    recording = at_times(list(range(0, 1_000, 10)))
    windows = [recording.between(start, start + 400) for start in range(0, 601, 100)]
    store = StoreReader(build(tmp_path, layout(compression, samples_per_shard=100), windows))
    assert store.table.start.tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert n_stored(store) == len(recording)
    assert set(store.table.origin_us.tolist()) == {0}
    for index, window in enumerate(windows):
        assert_same(store.read_events(index), window)


def test_a_window_inside_the_one_before_is_stored_with_it_and_the_next_goes_on_behind(tmp_path: Path) -> None:
    recording = at_times(list(range(0, 100, 10)))
    windows = [recording.between(a, b) for a, b in [(0, 60), (20, 40), (30, 90), (10, 90)]]
    store = StoreReader(build(tmp_path, layout(), windows))
    spans = list(zip(store.table.start.tolist(), store.table.stop.tolist(), strict=True))
    # The last one begins before the one that was written last: it is written anew.
    assert spans == [(0, 6), (2, 4), (3, 9), (9, 17)]
    for index, window in enumerate(windows):
        assert_same(store.read_events(index), window)


def test_events_at_the_same_times_but_elsewhere_are_not_shared(tmp_path: Path) -> None:
    times = list(range(0, 100, 10))
    one, other = at_times(times, seed=1), at_times(times, seed=2)
    store = StoreReader(build(tmp_path, layout(), [one, other]))
    assert store.table.start.tolist() == [0, 10]
    assert_same(store.read_events(1), other)


def test_a_recording_longer_than_71_minutes_is_stored_as_windows(tmp_path: Path) -> None:
    step_us = LONGEST_SAMPLE_US // 4
    recording = at_times([k * step_us for k in range(20)])
    windows = [recording.between(k * step_us, (k + 3) * step_us) for k in range(18)]
    store = StoreReader(build(tmp_path, layout(samples_per_shard=18), windows))
    for index, window in enumerate(windows):
        assert_same(store.read_events(index), window)
    # Times begin anew where they no longer fit: each three windows share five events, and have an origin of their own.
    assert store.table.origin_us.tolist() == [k // 3 * 3 * step_us for k in range(18)]
    assert n_stored(store) == 30
    with pytest.raises(StoreError, match=r"71 minutes.*--window-us"):
        build(tmp_path / "whole", layout(), [recording])


def long_sample(n: int = 3 * EVENTS_PER_CHUNK + 17, seed: int = 3) -> EventArray:
    """Several chunks, with runs of equal times across their bounds."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, n // 4, n)) * 7 - 1_000
    t[EVENTS_PER_CHUNK - 100 : EVENTS_PER_CHUNK + 100] = t[EVENTS_PER_CHUNK - 100]
    (places,) = recordings_of([n], seed)
    return EventArray(np.sort(t), places.x, places.y, places.p, SENSOR)


@pytest.fixture(scope="module", params=["none", "zstd"])
def long_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    """A long recording between short ones, then overlapping windows of another one."""
    sample, other = long_sample(), long_sample(seed=4)
    windows = [other.between(k * 20_000, k * 20_000 + 120_000) for k in range(3)]
    signals = [at_times([5, 6]), sample, at_times([]), at_times([9]), *windows]
    return StoreReader(build(tmp_path_factory.mktemp("long"), layout(request.param, samples_per_shard=7), signals))


BOUNDARY_US = int(long_sample().t[EVENTS_PER_CHUNK])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.integers(-3_000, 200_000), st.none() | st.integers(-10, 100_000))
@example(1, BOUNDARY_US, 1)
@example(1, BOUNDARY_US, 0)
@example(1, -(2**70), None)
@example(1, 2**70, 5)
@example(5, 20_001, 99_999)
def test_a_part_of_a_sample_is_what_its_times_say(
    long_store: StoreReader, index: int, start_us: int, length: int | None
) -> None:
    stop_us = None if length is None else start_us + length
    whole = long_store.read_events(index)
    fitting = [None if limit is None else min(max(limit, -(2**62)), 2**62) for limit in (start_us, stop_us)]
    at = [len(whole) if limit is None else int(np.searchsorted(whole.t, limit)) for limit in fitting]
    assert_same(long_store.read_events(index, start_us, stop_us), whole[at[0] : at[1]])
    assert_same(long_store.read_events(index, None, start_us), whole[: at[0]])


def test_the_index_of_a_long_sample_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With chunks of 8 events, and of 4 entries in the index: the next one is found by halves."""
    monkeypatch.setattr(_layout, "EVENTS_PER_CHUNK", 8)
    monkeypatch.setattr(_layout, "CHUNKS_PER_INDEX_CHUNK", 4)
    sample = at_times([t // 3 * 10 for t in range(5_000)])
    store = StoreReader(build(tmp_path, layout(), [at_times([1, 2]), sample]))
    read: list[int] = []
    inner = StoreReader._read_column

    def counted(self: StoreReader, index: int, number: int, out: Any = None, items: Any = None) -> Any:
        if self._columns[number].name == "events/chunk_t":
            read.append(items[1] - items[0])
        return inner(self, index, number, out, items)

    monkeypatch.setattr(StoreReader, "_read_column", counted)
    for start_us in range(-20, 16_700, 37):
        read.clear()
        assert_same(store.read_events(1, start_us, start_us + 55), sample.between(start_us, start_us + 55))
        # 625 entries are 157 chunks of the index.
        assert max(read) <= 4
        assert len(read) <= 2 * 9


def test_a_part_is_found_without_reading_the_rest(long_store: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int]] = []
    inner = StoreReader._read_column

    def counted(self: StoreReader, index: int, number: int, out: Any = None, items: Any = None) -> Any:
        read.append((number, items[1] - items[0]))
        return inner(self, index, number, out, items)

    monkeypatch.setattr(StoreReader, "_read_column", counted)
    part = long_store.read_events(1, 100_000, 100_500)
    assert 0 < len(part) < 1_000
    # The index and a chunk of times for each end, then times and addresses of the part.
    assert [number for number, _ in read] == [2, 0, 2, 0, 0, 1]
    assert max(n for _, n in read) <= EVENTS_PER_CHUNK


def test_the_time_index_has_the_time_of_the_first_event_of_every_chunk(long_store: StoreReader) -> None:
    for index in range(len(long_store)):
        places, times = long_store.time_index(index)
        np.testing.assert_array_equal(long_store.read_items(index, "t")[places], times)
    assert len(long_store.time_index(1)[0]) == 3


def test_a_time_index_that_is_not_true_is_found(long_store: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = StoreReader.time_index
    monkeypatch.setattr(StoreReader, "time_index", lambda self, k: (inner(self, k)[0], inner(self, k)[1] + 1))
    problems = verify(long_store.path, deep=True).problems
    assert len(problems) >= 1
    assert "the time index has" in problems[0]


def test_samples_longer_than_memory_are_verified_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_verify, "_EVENTS_AT_ONCE", 10_000)
    sample = long_sample()
    store = build(tmp_path / "true", layout("none"), [sample])
    read: list[int] = []
    inner = StoreReader._read_items

    def counted(self: StoreReader, index: int, name: str, items: tuple[int, int]) -> Any:
        read.append(items[1] - items[0])
        return inner(self, index, name, items)

    monkeypatch.setattr(StoreReader, "_read_items", counted)
    assert verify(store, deep=True).ok
    assert len(read) > 20
    assert max(read) <= 10_000
    read_items = StoreReader.read_items
    monkeypatch.setattr(StoreReader, "read_items", lambda *call: read_items(*call)[::-1])
    assert any("some are before others" in problem for problem in verify(store, deep=True).problems)


def test_long_samples_behind_a_url_are_not_fetched_whole(
    long_store: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_verify, "_TOGETHER_BYTES", 8_000)
    fetched: list[list[int]] = []
    inner = StoreReader.fetch

    def noted(self: StoreReader, indices: Any, *rest: Any) -> Any:
        fetched.append(indices.tolist())
        return inner(self, indices, *rest)

    monkeypatch.setattr(StoreReader, "fetch", noted)
    assert verify(long_store.path, deep=True).ok
    n_events = long_store.table.stop - long_store.table.start
    assert fetched
    assert all(n_events[together].sum() <= 1_000 for together in fetched)


def test_a_damaged_time_index_is_refused_where_it_is_needed(tmp_path: Path) -> None:
    store = build(tmp_path, layout(), [long_sample()])
    file = store / "data.zarr/events/chunk_t/0/c/0"
    damaged = bytearray(file.read_bytes())
    damaged[5] ^= 1
    file.write_bytes(damaged)
    reader = StoreReader(store)
    with pytest.raises(StoreError, match=r"sample 's0'.*crc32c"):
        reader.read_events(0, 100)
    assert_same(reader.read_events(0), long_sample())


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("n", [0, 1, 40_000, EVENTS_PER_CHUNK, 2 * EVENTS_PER_CHUNK + 5])
def test_packets_are_stored_as_the_whole_recording_is(tmp_path: Path, compression: Any, n: int) -> None:
    recording = long_sample()[:n]
    short = at_times([1, 2])
    pieces = [recording[k : k + 9_999] for k in range(0, n, 9_999)]
    packets = Packets(pieces, n, recording.start_us, recording.duration_us)
    build(tmp_path / "whole", layout(compression), [short, recording, short])
    build(tmp_path / "packets", layout(compression), [short, packets, short])
    whole, piecewise = StoreReader(tmp_path / "whole"), StoreReader(tmp_path / "packets")
    assert_same(piecewise.read_events(1), recording)
    for column in ("t", "address", "chunk_t"):
        file = f"data.zarr/events/{column}/0/c/0"
        assert (whole.path / file).read_bytes() == (piecewise.path / file).read_bytes()
    assert verify(piecewise.path, deep=True).ok


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-20, 320), st.integers(0, 200)), min_size=1, max_size=6),
    st.integers(1, 60),
    st.integers(1, 80),
    COMPRESSION,
)
@example([(0, 101), (60, 200)], 1, 80, "none")  # a run of equal times over the end of a packet and of the first window
@example([(0, 200), (60, 200)], 7, 30, "none")  # more in common than is compared
def test_windows_in_packets_share_what_whole_ones_do(
    windows: list[tuple[int, int]], n: int, most: int, compression: Any
) -> None:
    recording = at_times([t // 5 * 5 for t in range(300)])
    parts = [recording.between(start, start + length) for start, length in windows]
    pieces = [Packets(part.packets(n), part.n_events, part.start_us, part.duration_us) for part in parts]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_append, "MOST_SHARED", most)
        whole = StoreReader(build(Path(folder, "whole"), layout(compression), parts))
        piecewise = StoreReader(build(Path(folder, "pieces"), layout(compression), pieces))
        assert contents(whole.path) == contents(piecewise.path)
        for index, part in enumerate(parts):
            assert_same(piecewise.read_events(index), part)
        assert verify(piecewise.path, deep=True).ok


@pytest.mark.parametrize(("overlap", "n_expected"), [(30, 170), (31, 200)])
def test_no_more_than_so_many_events_are_shared(
    tmp_path: Path, overlap: int, n_expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_append, "MOST_SHARED", 30)
    recording = at_times(list(range(200)))
    store = StoreReader(build(tmp_path, layout(), [recording[:100], recording[100 - overlap : 200 - overlap]]))
    assert n_stored(store) == n_expected
    assert_same(store.read_events(1), recording[100 - overlap : 200 - overlap])


def test_packets_that_reach_further_than_announced_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a packet from 0 us on of 1 us; expected all of them in 0 us"):
        build(tmp_path, layout(), [Packets([at_times([1, 2])], 2, 1, 0)])


def test_packets_that_are_fewer_than_announced_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its packets hold 2 events; expected 3"):
        build(tmp_path, layout(), [Packets([at_times([1, 2])], 3, 1, 1)])


def test_packets_too_long_for_stored_times_are_an_error(tmp_path: Path) -> None:
    packets = Packets([at_times([0]), at_times([2**32])], 2, 0, 2**32)
    with pytest.raises(StoreError, match="71 minutes"):
        build(tmp_path, layout(), [packets])


@pytest.mark.parametrize("at_once", [7_001, EVENTS_PER_CHUNK, 10**6])
def test_a_long_sample_is_verified_piece_by_piece(
    long_store: StoreReader, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.store._verify._EVENTS_AT_ONCE", at_once)
    most, read = [0], StoreReader.read_items

    def measured(self: StoreReader, *arguments: Any) -> Any:
        found = read(self, *arguments)
        most.append(len(found))
        return found

    monkeypatch.setattr(StoreReader, "read_items", measured)
    assert verify(long_store.path, deep=True).ok
    assert 0 < max(most) <= at_once


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, 5_000, "some are before others"),
        (9, 0, "some are before others"),
        (10, 0, "of the events 10 to 20 some are before others"),
    ],
)
def test_times_that_go_back_are_found_also_between_pieces(
    place: int, value: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.store._verify._EVENTS_AT_ONCE", 10)
    pieces = EventsLayout.pieces

    def false(self: EventsLayout, signal: EventArray, key: str) -> Any:
        t, address = pieces(self, signal, key)
        t[place] = value
        return t, address

    monkeypatch.setattr(EventsLayout, "pieces", false)
    build(tmp_path, layout(), [at_times(list(range(0, 250, 10)))])
    assert words in " ".join(verify(tmp_path, deep=True).problems)


def test_addresses_beyond_the_sensor_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.store._layout.addresses", lambda events: np.full(len(events), 40))
    build(tmp_path, layout(), [at_times([1, 2, 3])])
    assert "an address beyond the sensor's pixels" in " ".join(verify(tmp_path, deep=True).problems)
