from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.errors import FormatError, StorageError
from neurodata.formats import Format, _sidecar
from neurodata.formats._blocks import IndexedRecording
from neurodata.formats._file import RecordingFile
from neurodata.signals import EventArray, Sensor
from neurodata.storage import index_root
from tests.formats.contract import SENSOR, recorded
from tests.formats.index_mutations import index_of, outcome_with_index
from tests.formats.mutations import mutations
from tests.formats.outcomes import outcome

WRITABLE = [name for name in registry.formats if isinstance(registry.formats[name], Format)]
# bs1 holds one row of pixels; what is tested here it has from the others.
WRITABLE = [name for name in WRITABLE if registry.formats[name].write is not None and name != "bs1"]
COLUMNS = ["dsec_h5", "npz"]


@pytest.fixture(autouse=True)
def _small_files_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sidecar, "SMALLEST_BYTES", 0)
    monkeypatch.setattr(_sidecar, "SETTLED_NS", -(10**12))  # the clock of a file system may be ahead
    monkeypatch.setattr("neurodata.formats._index.BLOCK_BYTES", 600)
    monkeypatch.setattr("neurodata.formats._columns.BLOCK_EVENTS", 100)


def written(name: str, events: EventArray, folder: Path) -> Path:
    path = folder / f"recording.{name}"
    registry.formats[name].write(events, path)
    return path


def opened(path: Path, sensor: Sensor | None = SENSOR, **options: Any) -> IndexedRecording:
    recording = registry.formats[path.suffix[1:]].open(path, sensor, **options)
    assert isinstance(recording, IndexedRecording)
    return recording


def sidecars() -> list[Path]:
    return sorted(index_root().iterdir()) if index_root().exists() else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of 3000 events whose index is kept."""
    path = written("evt2", recorded(3000), tmp_path)
    assert opened(path).sidecar is None
    assert opened(path).sidecar is not None
    return path


@pytest.mark.parametrize("name", WRITABLE)
def test_the_second_opening_gives_the_same_recording(name: str, tmp_path: Path) -> None:
    path = written(name, recorded(3000), tmp_path)
    first, second = opened(path), opened(path)
    assert (first.sidecar, second.sidecar) == (None, *sidecars())
    assert (first.sensor, first.findings) == (second.sensor, second.findings)
    assert (first.blocks == second.blocks).all()
    assert (first.states == second.states).all()
    assert second.events() == recorded(3000)
    for start_us, stop_us in ((None, 7), (777, 778), (20_000, 40_001), (50_000, None), (10**9, None)):
        assert second.events(start_us, stop_us) == recorded(3000).between(start_us, stop_us)
    assert all(a == b for a, b in zip(second.packets(70), recorded(3000).packets(70), strict=True))
    assert pickle.loads(pickle.dumps(second)).events() == recorded(3000)


@pytest.mark.parametrize("name", [name for name in WRITABLE if name not in COLUMNS])
def test_the_second_opening_reads_no_more_than_the_header(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(_sidecar, "index_root", lambda: tmp_path / "indexes")
    monkeypatch.setattr(_sidecar, "SMALLEST_BYTES", 1 << 20)
    monkeypatch.setattr(_sidecar, "SETTLED_NS", -(10**12))
    monkeypatch.setattr("neurodata.formats.aedat2.LONGEST_HEADER_BYTES", 1 << 16)
    path = written(name, recorded(400_000), tmp_path)
    assert path.stat().st_size > 1 << 20
    n_read = []
    read_into = RecordingFile.read_into

    def counted(file: RecordingFile, buffer: np.ndarray, offset: int) -> np.ndarray:
        n_read.append(len(buffer))
        return read_into(file, buffer, offset)

    monkeypatch.setattr(RecordingFile, "read_into", counted)
    opened(path)
    assert sum(n_read) > 1 << 20
    n_read.clear()
    recording = opened(path)
    assert sum(n_read) <= 1 << 17
    n_read.clear()
    assert recording.events(1_000_000, 1_000_100) == recorded(400_000).between(1_000_000, 1_000_100)
    assert sum(n_read) <= 2 << 18  # the blocks that overlap


@pytest.mark.parametrize("name", COLUMNS)
def test_the_second_opening_reads_no_columns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(name, recorded(3000), tmp_path)
    opened(path)
    reader = {"dsec_h5": "neurodata.formats._hdf5.DatasetReader", "npz": "neurodata.formats.npz._Reader"}[name]
    with monkeypatch.context() as patched:
        patched.setattr(f"{reader}.read", None)
        recording = opened(path)
    assert recording.events() == recorded(3000)


def test_late_events_and_findings_are_remembered(tmp_path: Path) -> None:
    parts = [written("nmnist", recorded(1000, seed), tmp_path).read_bytes() for seed in (1, 2)]
    path = tmp_path / "both.nmnist"
    path.write_bytes(b"".join(parts))
    first, second = opened(path), opened(path)
    assert second.sidecar is not None
    assert first.findings["late"] == second.findings["late"] > 900
    assert first.events() == second.events()
    assert all(a == b for a, b in zip(second.packets(70), first.events().packets(70), strict=True))


def test_the_sensor_found_out_is_remembered_and_another_one_stated_is_not_mixed_up(tmp_path: Path) -> None:
    path = written("nmnist", recorded(3000), tmp_path)
    assert opened(path, None).sensor == opened(path, None).sensor == SENSOR
    assert opened(path, Sensor(50, 50)).sensor == opened(path, Sensor(50, 50)).sensor == Sensor(50, 50)
    with pytest.raises(FormatError, match="lies off the sensor 30x34x2"):
        opened(path, Sensor(30, 34))


@pytest.mark.parametrize("name", WRITABLE)
def test_a_file_without_events_is_remembered_as_such(name: str, tmp_path: Path) -> None:
    path = written(name, EventArray.empty(SENSOR), tmp_path)
    if path.stat().st_size:
        assert opened(path).n_events == 0
        recording = opened(path)
        assert recording.sidecar is not None
        assert recording.events() == EventArray.empty(SENSOR)


def changed_in_size(path: Path, other: bytes) -> None:
    path.write_bytes(other + other[-4:])


def changed_in_time(path: Path, other: bytes) -> None:
    path.write_bytes(other)
    os.utime(path, ns=(0, 10**18))


def changed_with_size_and_time_restored(path: Path, other: bytes) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced_by_a_copy_of_the_same_time(path: Path, other: bytes) -> None:
    status = path.stat()
    path.with_suffix(".new").write_bytes(other)
    os.utime(path.with_suffix(".new"), ns=(status.st_atime_ns, status.st_mtime_ns))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    "change",
    [changed_in_size, changed_in_time, changed_with_size_and_time_restored, replaced_by_a_copy_of_the_same_time],
)
def test_a_file_that_has_changed_is_indexed_anew(path: Path, tmp_path: Path, change: Any) -> None:
    events = recorded(3000)
    turned = EventArray(events.t, events.y, events.x, events.p, SENSOR)
    (tmp_path / "other").mkdir()
    change(path, written("evt2", turned, tmp_path / "other").read_bytes())
    recording = opened(path)
    assert recording.sidecar is None
    assert recording.events()[:2999] == turned[:2999]
    assert opened(path).sidecar is not None


def test_a_file_that_is_still_being_changed_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written("evt2", recorded(3000), tmp_path)
    monkeypatch.setattr(_sidecar, "SETTLED_NS", 10**12)
    opened(path)
    assert sidecars() == []


def test_small_files_and_those_that_are_kept_in_memory_are_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written("evt2", recorded(3000), tmp_path)
    opened(path, keep=True)
    monkeypatch.setattr(_sidecar, "SMALLEST_BYTES", path.stat().st_size + 1)
    opened(path)
    assert sidecars() == []


def test_an_index_of_another_release_or_format_version_is_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neurodata, "__version__", "0.0.0")
    assert opened(path).sidecar is None
    assert opened(path).sidecar is not None


def damaged(content: bytes) -> Iterator[bytes]:
    for length in (0, 1, len(_sidecar.MAGIC), len(_sidecar.MAGIC) + 32, len(content) // 2, len(content) - 1):
        yield content[:length]
    for at in range(0, len(content), 97):
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    yield content + b"\0"


def test_a_damaged_sidecar_is_passed_over_and_made_anew(path: Path) -> None:
    (sidecar,) = sidecars()
    content = sidecar.read_bytes()
    for mutant in damaged(content):
        sidecar.write_bytes(mutant)
        assert opened(path).sidecar is None
        assert sidecar.read_bytes() == content
    assert opened(path).events() == recorded(3000)


HEADS = [
    None,
    [],
    {},
    {"n_blocks": -1},
    {"n_blocks": 10**30},
    {"n_blocks": 1.5},
    {"n_blocks": "9"},
    {"n_blocks": None},
    {"findings": 3},
    {"findings": {"late": "many"}},
    {"findings": {"late": 1e999}},
    {"sensor": [0, 0, 0]},
    {"sensor": "34x34"},
    {"sensor": [34, 34, 2, 1]},
    {"sensor": [33, 34, 2]},
    {"subject": None},
]


@pytest.mark.parametrize("change", HEADS)
def test_a_head_of_other_values_with_a_right_checksum_is_passed_over(path: Path, change: Any) -> None:
    (sidecar,) = sidecars()
    body = sidecar.read_bytes()[len(_sidecar.MAGIC) + 32 :]
    n_head = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + n_head])
    text = json.dumps(head | change if isinstance(change, dict) and change else change).encode()
    wrong = len(text).to_bytes(4, "little") + text + body[4 + n_head :]
    sidecar.write_bytes(_sidecar.MAGIC + _sidecar.sha256(wrong).digest() + wrong)
    recording = opened(path)
    assert recording.sidecar is None
    assert recording.events() == recorded(3000)


@pytest.mark.parametrize("name", WRITABLE)
def test_a_damaged_file_with_a_valid_index_gives_valid_events_or_a_format_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(name, recorded(200), tmp_path)
    content, status = path.read_bytes(), path.stat()
    monkeypatch.setattr(_sidecar, "_subject", lambda *_: {})  # the index stays valid, as when a disk loses bits
    n_errors, n_read = 0, 0
    for mutant in mutations(content, n=60, seed=4):
        if len(mutant) != len(content):
            continue
        path.write_bytes(content)
        os.utime(path, ns=(0, status.st_mtime_ns))
        opened(path)
        path.write_bytes(mutant)
        os.utime(path, ns=(0, status.st_mtime_ns))
        try:
            recording = opened(path)
            events = recording.events()
            assert sum(len(packet) for packet in recording.packets(17)) == len(events)
            n_read += 1
        except FormatError:
            n_errors += 1
        for sidecar in sidecars():
            sidecar.unlink()
    assert n_errors > 0


def test_a_wrong_index_is_removed_so_that_the_next_opening_tells_the_truth(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(path.read_bytes())
    opened(path)
    subject = _sidecar._subject
    with RecordingFile(path) as file:
        known = subject(file, "evt2", [SENSOR], opened(path).states.dtype)
    monkeypatch.setattr(_sidecar, "_subject", lambda *_: known)
    content[-3] |= 0xFF  # the row and column of the last event
    path.write_bytes(content)
    recording = opened(path)
    assert recording.sidecar is not None
    with pytest.raises(FormatError, match="was changed while it was being read; open it again"):
        recording.events()
    with pytest.raises(FormatError, match=r"byte \d+: event at x=\d+, y=\d+ lies off the sensor"):
        opened(path)


@pytest.mark.parametrize("name", WRITABLE)
def test_an_index_with_a_negative_number_in_a_state_is_not_believed(name: str, tmp_path: Path) -> None:
    path, format = written(name, recorded(300), tmp_path), registry.formats[name]
    index = index_of(format, path, SENSOR)
    assert outcome_with_index(format, path, SENSOR, index)
    for field in index.states.dtype.names or ():
        wrong = index._replace(states=index.states.copy())
        wrong.states[field][-1] = -1
        assert not outcome_with_index(format, path, SENSOR, wrong), field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offset", -1),
        ("offset", 0),  # in the header
        ("offset", 10**6),
        ("offset", 2**63 - 1),
        ("n_bytes", 0),
        ("n_bytes", 601),  # overlaps the next one
        ("n_bytes", 2**63 - 1),
        ("n_events", 0),
        ("n_events", -1),
        ("n_events", 2 * 10**6),
        ("min_us", -(2**62) - 1),
        ("min_us", 10**6),  # later than it ends
        ("max_us", 2**62),
        ("max_us", 10**6),  # later than the next one begins, and no event is late
    ],
)
@pytest.mark.parametrize("name", ["evt2", "aedat4", "npz"])
def test_an_index_of_impossible_blocks_is_not_believed(name: str, field: str, value: int, tmp_path: Path) -> None:
    if name == "npz" and field == "n_bytes" and value == 0:
        pytest.skip("as it is")
    path, format = written(name, recorded(20_000), tmp_path), registry.formats[name]
    index = index_of(format, path, SENSOR)
    assert outcome_with_index(format, path, SENSOR, index)
    index.blocks[field][1] = value if (name, value) != ("aedat4", 601) else index.blocks["n_bytes"][1] + 9
    assert not outcome_with_index(format, path, SENSOR, index)


def rewritten(path: Path, at: int, data: bytes, monkeypatch: pytest.MonkeyPatch) -> IndexedRecording:
    """The recording of a file that has lost bits since it was indexed."""
    monkeypatch.setattr(_sidecar, "_subject", lambda *_: {})
    status = path.stat()
    opened(path)
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_END)
        file.write(data)
    os.utime(path, ns=(0, status.st_mtime_ns))
    recording = opened(path)
    assert recording.sidecar is not None
    return recording


def test_events_at_other_times_than_the_index_says_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written("dat", recorded(300), tmp_path)
    last_us = int(recorded(300).t[-1])
    recording = rewritten(path, -8, (last_us + 1).to_bytes(4, "little"), monkeypatch)
    with pytest.raises(FormatError, match="changed while it was being read"):
        recording.events(last_us - 10, None)


def test_packets_are_in_order_or_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(300, longest_step_us=40)
    path = written("dat", EventArray(events.t + 1000, events.x, events.y, events.p, SENSOR), tmp_path)
    recording = rewritten(path, -8 * 10, (1000).to_bytes(4, "little"), monkeypatch)
    with pytest.raises(FormatError, match="changed while it was being read"):
        list(recording.packets(10))  # event 290, the first of the last packet


@pytest.mark.parametrize("error", [StorageError("the disk is full"), PermissionError(13, "no")])
def test_an_index_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise error

    monkeypatch.setattr(_sidecar, "write_bytes", refuse)
    path = written("evt2", recorded(3000), tmp_path)
    assert opened(path).events() == opened(path).events() == recorded(3000)
    assert sidecars() == []


def test_a_cache_that_is_no_folder_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("")
    path = written("evt2", recorded(3000), tmp_path)
    for place in (tmp_path / "taken" / "indexes", Path("~/relative")):
        monkeypatch.setattr(_sidecar, "index_root", lambda place=place: place)
        assert opened(path).events() == opened(path).events() == recorded(3000)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["recording.evt2", "taken"]


@pytest.mark.parametrize(("limit", "value"), [("MOST_SIDECARS", 3), ("MOST_BYTES", 3)])
def test_the_oldest_sidecars_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    for k in range(6):
        (tmp_path / str(k)).mkdir()
        opened(written("evt2", recorded(300), tmp_path / str(k)))
        newest = max(sidecars(), key=lambda sidecar: sidecar.stat().st_mtime_ns)
        os.utime(newest, ns=(0, 10**18 + k))
        size_bytes = newest.stat().st_size
    (index_root() / ".left.index.1.0123abcd.tmp").write_bytes(b"")
    os.utime(index_root() / ".left.index.1.0123abcd.tmp", ns=(0, 1))
    monkeypatch.setattr(_sidecar, limit, value if limit == "MOST_SIDECARS" else value * size_bytes + size_bytes // 2)
    opened(written("evt2", recorded(300), tmp_path))
    assert len(sidecars()) == 3
    assert {opened(tmp_path / str(k) / "recording.evt2").sidecar is not None for k in (4, 5)} == {True}


def test_many_may_open_a_file_at_once(tmp_path: Path) -> None:
    path = written("evt2", recorded(3000), tmp_path)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: opened(path).events(10, 50_000), range(32)))
    assert all(result == recorded(3000).between(10, 50_000) for result in results)
    assert [sidecar.suffix for sidecar in sidecars()] == [".index"]


@pytest.mark.parametrize("name", WRITABLE)
def test_the_contract_holds_for_damaged_files_that_are_remembered(name: str, tmp_path: Path) -> None:
    path = written(name, recorded(60), tmp_path)
    for mutant in mutations(path.read_bytes(), n=40, seed=5):
        path.write_bytes(mutant)
        first, second = (outcome(registry.formats[name], path, None) for _ in range(2))
        assert type(first) is type(second)
        assert isinstance(first, FormatError) or first == second
