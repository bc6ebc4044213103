"""Samples of a store behind a URL that are fetched together: the same samples, in few requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodata.errors import StorageError, StorageWarning, StoreError
from neurodata.storage import _remote as remote
from neurodata.store import EventsLayout, StoreReader
from tests.storage.remotes import FILES, register
from tests.store.stores import build as build_dense
from tests.store.stores import contents, frames_of, layout_of
from tests.store.test_ragged import SENSOR, build, clips_of, recordings_of, sparse_layout

N = 14
LAYOUTS = ["dense", "sparse", "events"]
LENGTHS = [0, 5, 1, 900, 30, 0, 7, 2, 300, 0, 0, 1, 4, 12]


@pytest.fixture(
    scope="module", params=[(kind, packed) for kind in LAYOUTS for packed in ("none", "zstd")], ids="-".join
)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind, compression = request.param
    folder = tmp_path_factory.mktemp("whole")
    if kind == "dense":
        layout = layout_of(samples_per_shard=4, compression=compression)
        return build_dense(folder, frames_of(N, layout), layout)
    if kind == "sparse":
        return build(folder, sparse_layout(samples_per_shard=4, compression=compression), clips_of(list(range(N))))
    return build(folder, EventsLayout(SENSOR, samples_per_shard=4, compression=compression), recordings_of(LENGTHS))


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    layout = layout_of(samples_per_shard=4)
    return build_dense(tmp_path / "dense", frames_of(N, layout), layout)


def published(folder: Path) -> str:
    """The store behind a URL of a file system that counts and fails."""
    register()
    FILES.content = {f"lab/store/{name}": data for name, data in contents(folder).items()}
    return "flaky://lab/store"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=3, pause_s=0.001))


def read(reader: StoreReader, index: int) -> Any:
    if reader.array is None:
        events = reader.read_events(index)
        return [events.t, events.x, events.y, events.p]
    return reader.read(index)


def fetched(reader: StoreReader, indices: list[int], **arguments: Any) -> Any:
    return reader.fetch(np.array(indices, np.int64), **arguments)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(indices=st.lists(st.integers(0, N - 1), max_size=20), gap_bytes=st.sampled_from([0, 40, 1 << 20]))
def test_fetched_samples_are_those_of_the_local_store_and_need_no_further_request(
    whole: Path, monkeypatch: pytest.MonkeyPatch, indices: list[int], gap_bytes: int
) -> None:
    monkeypatch.setattr(remote, "GAP_BYTES", gap_bytes)
    reader, local = StoreReader(published(whole)), StoreReader(whole)
    FILES.asked.clear()
    with fetched(reader, indices).in_use():
        n_asked = len(FILES.asked)
        for index in indices:
            np.testing.assert_array_equal(read(reader, index), read(local, index))
    assert len(FILES.asked) == n_asked


def test_a_shard_costs_a_request_for_its_index_and_one_for_its_samples(whole: Path) -> None:
    reader = StoreReader(published(whole))
    n_columns = sum(column.every == 1 for column in reader.head.layout.columns)  # the time index is not asked for
    FILES.asked.clear()
    fetched(reader, list(range(8)))
    assert len(FILES.asked) == 2 * 2 * n_columns
    FILES.asked.clear()
    fetched(reader, [3, 2, 1])
    assert len(FILES.asked) == n_columns  # the index is known


def test_only_the_columns_asked_for_are_fetched(tmp_path: Path) -> None:
    layout = EventsLayout(SENSOR, samples_per_shard=4)
    reader = StoreReader(published(build(tmp_path, layout, recordings_of(LENGTHS))))
    FILES.asked.clear()
    with fetched(reader, [1, 3], names=["address"]).in_use():
        assert len(FILES.asked) == 2
        reader.read_items(3, "address")
    assert len(FILES.asked) == 2
    assert all("address" in path for path, _, _ in FILES.asked)


def test_nothing_is_fetched_of_a_local_store(dense: Path) -> None:
    assert not fetched(StoreReader(dense), [0, 1]).files


def test_a_failure_that_passes_does_not_show(dense: Path) -> None:
    reader = StoreReader(published(dense))
    FILES.answers = [OSError("500"), lambda right: right[:7], TimeoutError(), lambda right: right]
    with fetched(reader, list(range(N))).in_use():
        for index in range(N):
            np.testing.assert_array_equal(reader.read(index), StoreReader(dense).read(index))


@pytest.mark.parametrize("n_right", [0, 1])
def test_a_lasting_failure_of_index_or_chunks_is_told_by_the_sample_without_asking_again(
    dense: Path, n_right: int
) -> None:
    reader = StoreReader(published(dense))
    FILES.answers = [lambda right: right] * n_right + [OSError("503 Slow Down")] * 9
    with fetched(reader, [1, 2]).in_use():
        n_asked = len(FILES.asked)
        for index in (1, 2):
            with pytest.raises(
                StorageError, match=rf"sample '.*µ{index}.*' of flaky.*frames/c/0.*503 Slow Down \(3 att"
            ):
                reader.read(index)
    assert len(FILES.asked) == n_asked


def test_damage_is_told_by_the_sample_and_does_not_harm_its_neighbours(dense: Path) -> None:
    url = published(dense)
    name = next(name for name in FILES.content if "frames/c/0/" in name)
    right = FILES.content[name]
    step = 2 * 2 * 3 * 4 * 2 + 4
    damaged = bytearray(right)
    damaged[step] ^= 1
    FILES.content[name] = bytes(damaged)
    reader = StoreReader(url)
    with fetched(reader, [0, 1, 2]).in_use():
        with pytest.raises(StoreError, match=r"sample '.*µ1.*' *: flaky.*crc32c"):
            reader.read(1)
        for index in (0, 2):
            np.testing.assert_array_equal(reader.read(index), StoreReader(dense).read(index))
    trusting = StoreReader(url, verify="never")
    with fetched(trusting, [1]).in_use():
        assert not np.array_equal(trusting.read(1), StoreReader(dense).read(1))


def test_a_file_cut_after_its_index_was_read_is_told_by_the_samples_that_are_gone(dense: Path) -> None:
    reader = StoreReader(published(dense))
    reader.read(0)
    name = next(name for name in FILES.content if "frames/c/0/" in name)
    FILES.content[name] = FILES.content[name][:150]
    with fetched(reader, [0, 1, 2]).in_use():
        np.testing.assert_array_equal(reader.read(0), StoreReader(dense).read(0))
        for index in (1, 2):
            with pytest.raises(StoreError, match=rf"sample '.*µ{index}.*the file ends at byte"):
                reader.read(index)


def test_a_missing_shard_is_told_by_its_samples(dense: Path) -> None:
    reader = StoreReader(published(dense))
    FILES.content = {name: data for name, data in FILES.content.items() if "frames/c/0/" not in name}
    with fetched(reader, [1, 5]).in_use():
        np.testing.assert_array_equal(reader.read(5), StoreReader(dense).read(5))
        with pytest.raises(StoreError, match=r"sample '.*µ1.*the shard file is missing"):
            reader.read(1)


def test_nothing_is_asked_for_after_it_was_cancelled(dense: Path) -> None:
    reader = StoreReader(published(dense))
    FILES.asked.clear()
    fetched(reader, [1, 2], cancelled=lambda: True)
    assert FILES.asked == []


def test_an_index_outside_the_store_and_a_closed_store_are_refused(dense: Path) -> None:
    reader = StoreReader(published(dense))
    for index in (-1, N):
        with pytest.raises(IndexError, match=f"sample {index}; there are {N}"):
            fetched(reader, [0, index])
    reader.close()
    with pytest.raises(StoreError, match="was closed"):
        fetched(reader, [0])


def test_a_staged_store_is_copied_and_what_cannot_be_copied_is_fetched(dense: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reader = StoreReader(published(dense), stage=scratch)
    with fetched(reader, [0, 1, 2]).in_use():
        FILES.asked.clear()
        for index in range(3):
            np.testing.assert_array_equal(reader.read(index), StoreReader(dense).read(index))
    assert FILES.asked == []
    assert len(list(scratch.rglob("*.shard"))) == 1
    small = StoreReader("flaky://lab/store", stage=scratch, stage_limit=10)
    with pytest.warns(StorageWarning, match="larger than the limit"):
        rest = fetched(small, [4, 5, 6])
    FILES.asked.clear()
    with rest.in_use():
        for index in (4, 5, 6):
            np.testing.assert_array_equal(small.read(index), StoreReader(dense).read(index))
    assert FILES.asked == []
