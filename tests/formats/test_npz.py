from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neurodata import registry
from neurodata.errors import FormatError
from neurodata.formats import open_recording, read, write
from neurodata.formats._npy import MAGIC, MemberReader
from neurodata.signals import TONIC_EVENT_DTYPE, EventArray, Sensor
from tests.formats.contract import SENSOR, recorded


def unordered(n: int) -> dict[str, np.ndarray]:
    """Columns with late events, some far from their place."""
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.integers(0, 9, n))
    t[::50] -= rng.integers(0, 2000, len(t[::50]))
    return {"t": t, "x": rng.integers(0, 34, n), "y": rng.integers(0, 34, n), "p": rng.integers(0, 2, n)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("types", ["l H H ?", "i h l b", "Q B B B", ">i4 >u2 >i8 i8"])
def test_columns_of_any_whole_type_are_read(tmp_path: Path, save: object, types: str) -> None:
    events = recorded(200)
    columns = {name: getattr(events, name).astype(kind) for name, kind in zip("txyp", types.split(), strict=True)}
    save(tmp_path / "a.npz", **columns)
    assert open_recording(tmp_path / "a.npz", sensor=SENSOR).format == "npz"
    assert read(tmp_path / "a.npz", sensor=SENSOR) == events


def test_off_may_be_minus_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", t=[1, 2], x=[3, 4], y=[5, 6], p=np.array([-1, 1], np.int8))
    assert read(tmp_path / "a.npz", sensor=SENSOR).p.tolist() == [False, True]


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_records_of_tonic_are_read(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_structured_array = pytest.importorskip("tonic.io").make_structured_array
    events = recorded(200)
    records = make_structured_array(events.x, events.y, events.t, events.p, dtype=TONIC_EVENT_DTYPE)
    (np.save if name == "a.npy" else np.savez)(tmp_path / name, records)
    assert read(tmp_path / name, sensor=SENSOR) == events


def test_numpy_reads_what_is_written_and_the_bytes_are_always_the_same(tmp_path: Path) -> None:
    events = recorded(500)
    write(events, tmp_path / "a.npz")
    write(events, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as found:
        assert found["sensor"].tolist() == [34, 34, 2]
        assert all(np.array_equal(found[name], getattr(events, name)) for name in "txyp")
        assert all(found[name].dtype == getattr(events, name).dtype for name in "txyp")
    assert read(tmp_path / "a.npz").sensor == SENSOR


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keep", [False, True])
def test_late_events_are_sorted_over_blocks_in_slices_and_in_packets(
    tmp_path: Path, save: object, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.formats._columns.BLOCK_EVENTS", 64)
    columns = unordered(3000)
    save(tmp_path / "a.npz", **columns)
    order = np.argsort(columns["t"], kind="stable")
    recording = registry.formats["npz"].open(tmp_path / "a.npz", SENSOR, keep)
    whole = recording.events()
    assert all(np.array_equal(getattr(whole, name), columns[name][order]) for name in "txyp")
    late = np.count_nonzero(columns["t"] < np.maximum.accumulate(columns["t"]))
    assert recording.findings == {"late": late}
    assert late > 50
    assert recording.events(3000, 7000) == whole.between(3000, 7000)
    packets = list(recording.packets(17))
    assert [len(packet) for packet in packets[:-1]] == [17] * (len(packets) - 1)
    assert all(packet == whole[17 * k : 17 * k + 17] for k, packet in enumerate(packets))
    assert pickle.loads(pickle.dumps(recording)).events() == whole


def test_a_packed_file_is_inflated_once_for_all_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodata.formats._columns.BLOCK_EVENTS", 64)
    write(recorded(3000), tmp_path / "a.npz")
    recording = open_recording(tmp_path / "a.npz")
    rewinds = []
    rewind = MemberReader._rewind
    monkeypatch.setattr(MemberReader, "_rewind", lambda self: (rewinds.append(1), rewind(self)))
    assert sum(map(len, recording.packets(100))) == 3000
    assert len(rewinds) == 4  # one reader to a column


def test_an_error_names_the_event_and_its_byte(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", t=[1, 2], x=[3, 70_000], y=[5, 6], p=[0, 1])
    content = (tmp_path / "a.npz").read_bytes()
    at = content.index(np.array([0, 1]).tobytes(), content.index(b"p.npy")) + 8
    with pytest.raises(FormatError, match=rf"event 1, byte {at}: x is 70000; expected 0 to 65535"):
        read(tmp_path / "a.npz", sensor=SENSOR)
    np.savez(tmp_path / "a.npz", t=[1, 2], x=[3, 4], y=[5, 6], p=[0, 2])
    with pytest.raises(FormatError, match=r"p is 2; expected -1 to 1"):
        read(tmp_path / "a.npz", sensor=SENSOR)
    np.savez(tmp_path / "a.npz", t=np.array([1, 2**63], np.uint64), x=[3, 4], y=[5, 6], p=[0, 1])
    with pytest.raises(FormatError, match=r"t is 9223372036854775808; expected"):
        read(tmp_path / "a.npz", sensor=SENSOR)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"t": [0.5], "x": [1], "y": [2], "p": [0]},
            "column t holds float64; expected whole numbers: save whole",
        ),
        ({"t": [5], "x": [1.0], "y": [2], "p": [0]}, "column x holds float64"),
        ({"t": [5, 6], "x": [1], "y": [2], "p": [0]}, "different lengths .t 2, x 1"),
        (
            {"t": [5], "x": [1], "y": [2]},
            r"it holds t of int64 \(1,\), x of int64 \(1,\), y of int64 \(1,\); expected arrays t, x, y and p",
        ),
        ({"frames": [1, 2]}, "expected arrays t, x, y and p"),
        ({"t": [[5]], "x": [1], "y": [2], "p": [0]}, r"t has the shape \(1, 1\)"),
        ({"t": 5, "x": 1, "y": 2, "p": 0}, r"t has the shape \(\)"),
        ({}, "no array"),
    ],
)
def test_other_layouts_are_refused_in_words(tmp_path: Path, columns: dict, reason: str) -> None:
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(FormatError, match=reason):
        read(tmp_path / "a.npz", format="npz", sensor=SENSOR)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return Path.write_text, (tmp_path / "boom", "boom")

    np.save(tmp_path / "a.npy", np.array([Bomb()], object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"byte 0: .*arrays of objects \(pickles\) are never read"):
        read(tmp_path / "a.npy", sensor=SENSOR)
    records = np.array([(1, 2, 3, None)], [("t", "i8"), ("x", "i8"), ("y", "i8"), ("p", "O")])
    np.save(tmp_path / "a.npy", records, allow_pickle=True)
    with pytest.raises(FormatError, match="never read"):
        read(tmp_path / "a.npy", sensor=SENSOR)
    assert not (tmp_path / "boom").exists()


def test_a_huge_declared_shape_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1152921504606846976,), }\n"
    (tmp_path / "a.npy").write_bytes(MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16))
    with pytest.raises(FormatError, match=r"shape \(1152921504606846976,\) of int64 in 16 bytes"):
        read(tmp_path / "a.npy", sensor=SENSOR)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    memory = io.BytesIO()
    np.save(memory, np.zeros(1 << 24, np.int64))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "txyp":
            archive.writestr(f"{name}.npy", memory.getvalue())
    with pytest.raises(FormatError, match="made to fill memory"):
        read(tmp_path / "a.npz", sensor=SENSOR)


def test_a_wrong_checksum_is_seen(tmp_path: Path) -> None:
    events = recorded(100)
    np.savez(tmp_path / "a.npz", t=events.t, x=events.x, y=events.y, p=events.p)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(events.x.tobytes()) + 8] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match="another checksum"):
        read(tmp_path / "a.npz", sensor=SENSOR)


def test_the_sensor_is_stated_where_the_file_does_not_tell_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", t=[1], x=[3], y=[5], p=[0])
    with pytest.raises(FormatError, match=r"does not tell its sensor: state it, as in sensor=Sensor\(128, 128\)"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", t=[1], x=[3], y=[5], p=[0], sensor=[0, 5, 2])
    with pytest.raises(FormatError, match="sensor"):
        read(tmp_path / "a.npz")


def test_real_arrays_without_names_are_refused(recordings: Path) -> None:
    with pytest.raises(FormatError, match=r"npz: holds one array of float32 \(19402, 4\), not t, x, y and p"):
        read(recordings / "event" / "eth_npy" / "shapes_rotation_events.npy", sensor=Sensor(240, 180))


def test_columns_of_real_events_are_read_back(recordings: Path, tmp_path: Path) -> None:
    events: EventArray = read(recordings / "event" / "nmnist_bin" / "sample_nmnist.bin")
    np.savez_compressed(tmp_path / "a.npz", t=events.t, x=events.x, y=events.y, p=events.p)
    assert read(tmp_path / "a.npz", sensor=events.sensor) == events


def test_events_are_not_written_under_the_name_of_a_single_array(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a\.npy: events are written as four arrays, in \.npz"):
        write(recorded(3), tmp_path / "a.npy", format="npz")
    assert list(tmp_path.iterdir()) == []
