"""Loading a store behind a URL: the batches of the local store, in far fewer requests than samples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch

import neurodata
from neurodata.errors import StorageError, StoreError
from neurodata.loader import Split, Store
from neurodata.storage import _remote as remote
from neurodata.store import EventsLayout
from tests.loader.stores import write_store
from tests.loopback import Loopback, fixed, ranged, start_server
from tests.storage.remotes import FILES, register
from tests.store.stores import contents
from tests.store.test_ragged import SENSOR, build, clips_of, recordings_of, sparse_layout

N = 64
VIEW = [{"name": "event_frame", "T": 4}]
MIXED_VIEW = [{"name": "drop_events", "ratio": 0.5}, {"name": "event_frame", "T": 4, "split_by": "time"}]


@pytest.fixture(scope="module", params=["dense", "sparse", "events", "mixed"])
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Split:
    folder = tmp_path_factory.mktemp("local") / "store"
    if request.param == "dense":
        return Store(write_store(folder, n=N, test=0))["train"]
    if request.param == "sparse":
        lengths = [1 + k % 5 for k in range(2 * N)]
        return Store(build(folder, sparse_layout(samples_per_shard=8), clips_of(lengths)))["train"]
    recordings = recordings_of([k % 50 for k in range(2 * N)])
    split = Store(build(folder, EventsLayout(SENSOR, samples_per_shard=8), recordings))["train"]
    return split.with_view(VIEW if request.param == "events" else MIXED_VIEW)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", remote.Patience(attempts=3, pause_s=0.001, attempt_s=5.0, total_s=10.0))


@pytest.fixture
def server() -> Iterator[Loopback]:
    pytest.importorskip("aiohttp")
    loopback, stop = start_server()
    yield loopback
    stop()


def over_http(split: Split, server: Loopback) -> Split:
    """The same split of the store on a server of this machine."""
    for name, data in contents(Path(str(split.store.path))).items():
        server.url(f"store/{name}", ranged(data))
    return reopened(split, f"http://127.0.0.1:{server.port}/store")


def flaky(split: Split) -> Split:
    register()
    FILES.content = {f"lab/store/{name}": data for name, data in contents(Path(str(split.store.path))).items()}
    return reopened(split, "flaky://lab/store")


def reopened(split: Split, url: str) -> Split:
    store = neurodata.open_store(url)
    return Split(store, split.indices, split.kept, split.origin, view=split.source.view)


def assert_same_batches(one: Split, other: Split, **arguments: Any) -> None:
    options: dict[str, Any] = {"batch_size": 16, "seed": 3, "threads": 3} | arguments
    for batch, expected in zip(one.loader(**options), other.loader(**options), strict=True):
        assert torch.equal(batch.frames, expected.frames)
        assert torch.equal(batch.targets, expected.targets)
        assert batch.keys == expected.keys


def test_batches_over_http_are_those_of_the_local_store(local: Split, server: Loopback) -> None:
    assert_same_batches(over_http(local, server), local, shuffle=True)


def test_batches_of_frames_made_on_a_device_are_the_same(server: Loopback, tmp_path: Path) -> None:
    recordings = recordings_of([k % 50 for k in range(N)])
    events = Store(build(tmp_path, EventsLayout(SENSOR, samples_per_shard=8), recordings))["train"].with_view(VIEW)
    assert_same_batches(over_http(events, server), events, raster=True)
    n_asked = len(server.asked)
    list(over_http(events, server).loader(16, raster=True, prefetch=0))
    shard_requests = [asked for asked in server.asked[n_asked:] if asked.range]
    assert len(shard_requests) <= 2 * 4  # of 4 shards the indexes and chunks of addresses; times are not read


def test_an_epoch_by_shards_takes_far_fewer_requests_than_samples(local: Split, server: Loopback) -> None:
    split = over_http(local, server)
    n_columns = len(split.store.head.layout.columns)
    n_shards = len(np.unique(split.store.table.shard[split.indices]))
    loader = split.loader(16, shuffle="shards", shuffle_window=2, seed=0)
    n_delivered = sum(len(batch) for batch in loader)
    n_asked = sum(asked.range is not None for asked in server.asked)
    assert n_delivered == N
    # Batches of 16 lie in windows of two shards of 8: a request for each, and one for its index; fetching runs three
    # batches at a time, so that an index may be asked for more than once.
    assert n_asked <= 4 * n_shards * n_columns
    assert n_asked < N * n_columns
    server.asked.clear()
    list(loader)
    assert len(server.asked) <= n_shards * n_columns < N * n_columns / 2


def test_items_for_torchs_loader_are_fetched_together(local: Split) -> None:
    split = flaky(local)
    n_columns = len(split.store.head.layout.columns)
    for positions in ([3, 1, 2, -1], [0], []):
        FILES.asked.clear()
        for (frames, label), i in zip(split.__getitems__(positions), positions, strict=True):
            if not split.source.random:
                assert torch.equal(frames, local[i][0])
            assert label == local[i][1]
        assert len(FILES.asked) <= 2 * 2 * n_columns  # one or two shards
    with pytest.raises(IndexError, match=f"sample {N} of"):
        split.__getitems__([0, N])


def test_a_store_in_memory_of_fsspec_is_loaded_alike(local: Split) -> None:
    files = fsspec.filesystem("memory")
    files.pipe({f"/lab/alike/{name}": data for name, data in contents(Path(str(local.store.path))).items()})
    for shuffle in (False, True, "shards"):
        assert_same_batches(reopened(local, "memory://lab/alike"), local, shuffle=shuffle, prefetch=0)
    files.rm("/lab", recursive=True)


def test_an_error_and_a_cut_answer_on_the_way_do_not_show(local: Split, server: Loopback) -> None:
    split = over_http(local, server)
    for answers in server.answers.values():
        right = answers[0]
        answers[:] = [fixed(500, Content_Length=0), fixed(206, b"few", Content_Length=900), right]
    assert_same_batches(split, local, shuffle="shards")


def test_a_lasting_failure_names_the_sample_and_leaves_no_thread(local: Split, server: Loopback) -> None:
    split = over_http(local, server)
    for path in split.store.head.layout.shard_paths(1):
        server.url(f"store/{path}", fixed(503, Content_Length=0))
    with pytest.raises(StorageError, match=r"sample '.*' of http.*data.zarr/.*cannot be read: 503") as failure:
        list(split.loader(16))
    assert any("while loading sample" in note for note in failure.value.__notes__)
    assert threads() == []


def test_a_damaged_sample_is_named(tmp_path: Path) -> None:
    split = flaky(Store(write_store(tmp_path / "store", n=N, test=0))["train"])
    name = next(name for name in FILES.content if "frames/c/1/" in name)
    FILES.content[name] = b"\xff" + FILES.content[name][1:]
    with pytest.raises(StoreError, match=r"sample 'rec008': flaky://.*crc32c"):
        list(split.loader(16))


def test_a_store_that_is_closed_while_it_is_loaded_says_so(local: Split) -> None:
    split = flaky(local)
    split.store.close()
    with pytest.raises(StoreError, match="was closed; open it again"):
        list(split.loader(16))


@pytest.mark.parametrize("leave", ["break", "exception", "collect"])
def test_leaving_in_the_middle_ends_the_threads_that_fetch(local: Split, leave: str) -> None:
    batches = iter(flaky(local).loader(4))
    next(batches)
    assert any("fetch" in name for name in threads())
    if leave == "exception":
        with pytest.raises(ValueError, match="mine"):
            batches.throw(ValueError("mine"))
    elif leave == "break":
        batches.close()
    else:
        del batches
    assert threads() == []


def test_no_thread_fetches_of_a_local_store(local: Split) -> None:
    batches = iter(local.loader(4))
    next(batches)
    assert not any("fetch" in name for name in threads())
    batches.close()


def test_nothing_is_fetched_beyond_the_batches_ahead(local: Split) -> None:
    split = flaky(local)
    asked_of = count_chunks(split)
    batches = iter(split.loader(8, prefetch=0))
    for k in range(3):
        next(batches)
        assert asked_of() <= {*range(k + 1)}
    batches.close()


def count_chunks(split: Split) -> Callable[[], set[int]]:
    """Tells of which shards anything was asked for."""
    FILES.asked.clear()
    layout = split.store.head.layout
    shard_of = {f"lab/store/{path}": shard for shard in range(N // 8) for path in layout.shard_paths(shard)}
    return lambda: {shard_of[path] for path, _, _ in list(FILES.asked)}


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("neurodata-loader")]
