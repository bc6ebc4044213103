from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodata.errors import StoreError
from neurodata.store import Counts, DenseLayout, EncodedSample, SampleRow, committed, write_shard
from tests.store.stores import build, contents, frames_of, layout_of, rows_of, write

SHARD = "data.zarr/frames/c/0/0/0/0/0"
COMMIT = "commits/00000.json"


@pytest.fixture
def layout() -> DenseLayout:
    return layout_of(samples_per_shard=3)


@pytest.fixture
def folder(tmp_path: Path, layout: DenseLayout) -> Path:
    write(tmp_path / "store", frames_of(3, layout), layout, 0)
    return tmp_path / "store"


def samples_of(layout: DenseLayout, n: int) -> Iterator[EncodedSample]:
    for row, frame in zip(rows_of(n), frames_of(n, layout), strict=True):
        yield EncodedSample(row, frame, int(frame.sum()), 5)


def test_the_commit_record_tells_what_the_shard_holds(folder: Path, layout: DenseLayout) -> None:
    record = json.loads((folder / COMMIT).read_bytes())
    n_events = int(frames_of(3, layout).sum())
    content = (folder / SHARD).read_bytes()
    assert record["files"] == {SHARD: {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    assert record["counts"] == {
        "read": n_events + 2,
        "encoded": n_events,
        "dropped": {"off sensor": 2},
        "notes": {"late": 1},
    }
    assert record["samples"][1] == {
        "key": "user01/µ1.aedat:1000",
        "target": 1,
        "group": "user01",
        "n_events": int(frames_of(3, layout)[1].sum()),
        "duration_us": 1001,
        "start_us": 0,
        "origin_us": 0,
        "start": 1,
        "stop": 2,
        "n_steps": 2,
    }


def test_a_written_shard_is_committed(folder: Path, layout: DenseLayout) -> None:
    assert committed(folder, 0, layout, rows_of(3))


def test_a_shard_never_written_is_not_committed(tmp_path: Path, layout: DenseLayout) -> None:
    assert not committed(tmp_path, 0, layout, rows_of(3))


@pytest.mark.parametrize(
    "rows",
    [
        rows_of(2),
        rows_of(4),
        rows_of(3)[::-1],
        [*rows_of(2), replace(rows_of(3)[2], target=7)],
        [*rows_of(2), replace(rows_of(3)[2], group="user99")],
    ],
)
def test_a_shard_of_other_rows_is_not_committed(folder: Path, layout: DenseLayout, rows: list[SampleRow]) -> None:
    assert not committed(folder, 0, layout, rows)


@pytest.mark.parametrize(
    "other",
    [
        layout_of(samples_per_shard=4),
        layout_of(samples_per_shard=3, compression="zstd"),
        layout_of(samples_per_shard=3, dtype="int16"),
        layout_of((2, 2, 4, 3), samples_per_shard=3),
    ],
)
def test_a_shard_of_another_layout_is_not_committed(folder: Path, other: DenseLayout) -> None:
    assert not committed(folder, 0, other, rows_of(3))


def test_a_record_under_another_number_is_not_committed(folder: Path, layout: DenseLayout) -> None:
    (folder / "commits/00001.json").write_bytes((folder / COMMIT).read_bytes())
    (folder / "data.zarr/frames/c/1/0/0/0").mkdir(parents=True)
    (folder / "data.zarr/frames/c/1/0/0/0/0").write_bytes((folder / SHARD).read_bytes())
    assert not committed(folder, 1, layout, rows_of(3))


@pytest.mark.parametrize("file", [SHARD, COMMIT])
def test_any_damage_to_the_shard_or_its_record_undoes_the_commit(folder: Path, layout: DenseLayout, file: str) -> None:
    whole = (folder / file).read_bytes()
    rng = np.random.default_rng(3)
    for place in rng.choice(len(whole), 40, replace=False):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        (folder / file).write_bytes(changed)
        # White space in JSON means nothing: a record that says the same is the same.
        same = file == COMMIT and _json_or_none(bytes(changed)) == json.loads(whole)
        assert committed(folder, 0, layout, rows_of(3)) == same
    for size in (0, 1, len(whole) - 2):
        (folder / file).write_bytes(whole[:size])
        assert not committed(folder, 0, layout, rows_of(3))
    (folder / file).unlink()
    assert not committed(folder, 0, layout, rows_of(3))


def _json_or_none(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_writing_again_gives_the_same_bytes(tmp_path: Path, compression: str) -> None:
    layout = layout_of(compression=compression)
    for name in ("one", "other"):
        write(tmp_path / name, frames_of(3, layout), layout, 0)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_store_that_is_written_to_is_no_longer_finished(tmp_path: Path, layout: DenseLayout) -> None:
    frames = frames_of(4, layout)
    folder = build(tmp_path / "store", frames, layout)
    write(folder, frames, layout, 1)
    assert not (folder / "manifest.json").exists()


def _bad_array(layout: DenseLayout) -> Iterator[EncodedSample]:
    yield EncodedSample(rows_of(1)[0], np.zeros((2, 2, 3, 3), np.uint16), 0, 0)


def _bad_type(layout: DenseLayout) -> Iterator[EncodedSample]:
    yield EncodedSample(rows_of(1)[0], np.zeros((2, 2, 3, 4), np.int32), 0, 0)


def _bad_number(layout: DenseLayout) -> Iterator[EncodedSample]:
    yield EncodedSample(rows_of(1)[0], frames_of(1, layout)[0], -1, 0)


def _too_many(layout: DenseLayout) -> Iterator[EncodedSample]:
    yield from samples_of(layout, layout.samples_per_shard + 1)


def _none(layout: DenseLayout) -> Iterator[EncodedSample]:
    yield from ()


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (
            _bad_array,
            r"'user00/µ0\.aedat:0' is uint16 of shape \(2, 2, 3, 3\); expected uint16 of shape \(2, 2, 3, 4\)",
        ),
        (_bad_type, "int32"),
        (_bad_number, "-1 events"),
        (_too_many, r"'user03/µ3\.aedat:3000' is one more than the 3"),
        (_none, "no samples"),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(tmp_path: Path, layout: DenseLayout, samples: Any, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        write_shard(tmp_path, 0, layout, samples(layout), Counts)
    assert contents(tmp_path) == {}


def test_lost_events_are_an_error_and_leave_nothing_behind(tmp_path: Path, layout: DenseLayout) -> None:
    with pytest.raises(StoreError, match=r"10 events read \(and 0 added\), but 8 encoded and 1 dropped"):
        write_shard(tmp_path, 0, layout, samples_of(layout, 2), lambda: Counts(10, 8, {"late": 1}))
    assert contents(tmp_path) == {}


def test_an_error_of_the_source_comes_through_and_leaves_nothing_behind(tmp_path: Path, layout: DenseLayout) -> None:
    def broken() -> Iterator[EncodedSample]:
        yield from samples_of(layout, 1)
        raise LookupError("no such file")

    with pytest.raises(LookupError, match="no such file"):
        write_shard(tmp_path, 0, layout, broken(), Counts)
    assert contents(tmp_path) == {}


def test_counts_are_asked_for_after_the_last_sample_and_one_sample_is_held(tmp_path: Path, layout: DenseLayout) -> None:
    order: list[object] = []

    def samples() -> Iterator[EncodedSample]:
        for i, sample in enumerate(samples_of(layout, 3)):
            order.append(i)
            yield sample

    def counts() -> Counts:
        order.append("counts")
        return Counts()

    write_shard(tmp_path, 0, layout, samples(), counts)
    assert order == [0, 1, 2, "counts"]


def test_a_full_disk_is_a_storage_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    # The limit on the size of files stands in for the full disk: the write fails in the same place.
    script = """
        import resource, sys
        from pathlib import Path
        from neurodata.errors import StorageError
        from tests.store.stores import frames_of, layout_of, write

        layout = layout_of((64, 64), "uint8", samples_per_shard=8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write(Path(sys.argv[1]), frames_of(8, layout), layout, 0)
        except StorageError as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "data.zarr/frames/c/0/0/0: cannot write" in run.stdout
    assert contents(tmp_path) == {}
