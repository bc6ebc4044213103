"""Gen1 and 1Mpx: boxes as published, windows that share recordings, and their twins."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata import registry
from neurodata.datasets import PARTITIONS, Dataset, Twin, Windows, clip_boxes, filter_boxes, find_dataset, locate
from neurodata.datasets._drive_twin import NEW_BOX, OLD_BOX
from neurodata.datasets._prophesee_boxes import BOX_COLUMNS, read_boxes
from neurodata.errors import FormatError, NeurodataError, RecipeError, SourceNotFoundError
from neurodata.formats import open_recording, read
from neurodata.pipeline import SourceOfStore, repair_store, thread_pool
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.storage import file_digest
from neurodata.store import verify

GEN1, ONE_MPX = registry.datasets["gen1"], registry.datasets["1mpx"]
SIZES = {"gen1": 15, "1mpx": 6}
SENSOR = Sensor(304, 240)
NAME = "17-03-30_12-53-58_1037500000_1097500000"


@pytest.fixture(params=SIZES, scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    found: Dataset = registry.datasets[request.param]
    return found


@pytest.fixture(scope="module")
def cache(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(dataset.name)


@pytest.fixture(scope="module")
def root(dataset: Dataset, cache: Path) -> Path:
    return locate(dataset, cache, twin=Twin(SIZES[dataset.name])).root


def boxes_file(path: Path, *rows: tuple[float, ...], dtype: np.dtype[Any] = NEW_BOX) -> Path:
    """Boxes of (t, x, y, w, h, class_id, track_id, class_confidence), or as the type has its fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(list(rows), dtype))
    return path


def recording(root: Path, folder: str = "train", name: str = NAME, times_us: tuple[int, ...] = (60_000,)) -> Path:
    """A recording of an event every 10 ms, with a box at each of these times."""
    t = np.arange(0, 1_000_000, 10_000)
    zeros = np.zeros(len(t), np.uint16)
    path = root / folder / f"{name}_td.dat"
    neurodata.write(EventArray(t, zeros, zeros, zeros.astype(bool), SENSOR), path)
    boxes_file(root / folder / f"{name}_bbox.npy", *((t, 1, 2, 30, 40, 1, 7, 1) for t in times_us))
    return path


def intervals(dataset: Dataset, root: Path) -> list[tuple[int | None, int | None]]:
    return [(ref.start_us, ref.stop_us) for ref in dataset.samples(root)]


def test_old_and_new_files_hold_the_same_boxes_in_the_order_of_time(tmp_path: Path) -> None:
    assert BOX_COLUMNS == ("t_us", "x", "y", "w", "h", "class_id", "confidence", "track_id")
    new = boxes_file(tmp_path / "new.npy", (9, 1, 2, 3, 4, 1, 5, 0.5), (7, -6, 2, 3.5, 4, 0, 6, 1))
    old = boxes_file(tmp_path / "old.npy", (9, 1, 2, 3, 4, 1, 0.5, 5), (7, -6, 2, 3.5, 4, 0, 1, 6), dtype=OLD_BOX)
    expected = [[7, -6, 2, 3.5, 4, 0, 1, 6], [9, 1, 2, 3, 4, 1, 0.5, 5]]
    for path in (new, old):
        found = read_boxes(path, 2)
        assert found.dtype == np.float64
        assert found.tolist() == expected
    few = [("ts", "<u8"), *((name, "<f4") for name in "xywh"), ("class_id", "u1")]
    assert read_boxes(boxes_file(tmp_path / "few.npy", (1, 2, 3, 4, 5, 0), dtype=np.dtype(few)), 2).tolist() == [
        [1, 2, 3, 4, 5, 0, 1, 0]
    ]
    assert read_boxes(boxes_file(tmp_path / "none.npy"), 2).shape == (0, 8)


def test_boxes_of_a_file_that_changed_are_read_again(tmp_path: Path) -> None:
    path = boxes_file(tmp_path / "b.npy", (9, 1, 2, 3, 4, 1, 5, 1))
    assert len(read_boxes(path, 2)) == 1
    boxes_file(path, *[(9, 1, 2, 3, 4, 1, 5, 1)] * 2)
    assert len(read_boxes(path, 2)) == 2


@pytest.mark.parametrize(
    "row",
    [
        (9, np.nan, 2, 3, 4, 1, 5, 1),
        (9, 1, 2, np.inf, 4, 1, 5, 1),
        (9, 1, 2, -3, 4, 1, 5, 1),
        (9, 1, 2, 3, 4, 2, 5, 1),
        (-1, 1, 2, 3, 4, 1, 5, 1),
        (10**17, 1, 2, 3, 4, 1, 5, 1),
    ],
)
def test_a_damaged_box_is_named(tmp_path: Path, row: tuple[float, ...]) -> None:
    path = boxes_file(tmp_path / "b.npy", (9, 1, 2, 3, 4, 1, 5, 1), row)
    with pytest.raises(FormatError, match=r"b\.npy: box 1 is t_us .*; expected numbers, .* class from 0 to 1"):
        read_boxes(path, 2)


def test_files_that_hold_no_boxes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((3, 8)))
    np.save(tmp_path / "flat.npy", np.zeros((2, 2), NEW_BOX))
    np.save(tmp_path / "text.npy", np.zeros(2, [("t", "<i8"), ("x", "S3")]))
    for name in ("plain", "flat", "text"):
        with pytest.raises(FormatError, match=rf"{name}\.npy: holds .*; expected records of boxes"):
            read_boxes(tmp_path / f"{name}.npy", 2)
    with pytest.raises(NeurodataError, match=r"gone\.npy"):
        read_boxes(tmp_path / "gone.npy", 2)


def test_clipped_boxes_by_hand() -> None:
    rows = np.zeros((5, 8))
    rows[:, 1:5] = [[10, 20, 30, 40], [-10, -5, 30, 15], [300, 230, 30, 40], [304, 0, 5, 5], [-9, 3, 9, 9]]
    rows[:, 7] = np.arange(5)
    before = rows.copy()
    clipped = clip_boxes(rows, SENSOR)
    assert clipped[:, 1:5].tolist() == [[10, 20, 30, 40], [0, 0, 20, 10], [300, 230, 4, 10]]
    assert clipped[:, 7].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(rows, before)


@given(st.lists(st.tuples(*[st.integers(-400, 400)] * 2, *[st.integers(0, 500)] * 2), max_size=8))
def test_a_clipped_box_covers_the_pixels_of_the_frame_that_the_box_did(places: list[tuple[int, ...]]) -> None:
    rows = np.zeros((len(places), 8))
    rows[:, 1:5] = np.array(places).reshape(-1, 4)
    rows[:, 7] = np.arange(len(rows))
    clipped = {int(row[7]): row[1:5] for row in clip_boxes(rows, Sensor(20, 16))}
    for k, (x, y, w, h) in enumerate(places):
        covered = {c for c in range(20) if x <= c < x + w}, {r for r in range(16) if y <= r < y + h}
        if not all(covered):
            assert k not in clipped
            continue
        left, top, width, height = clipped[k].astype(int).tolist()
        assert covered == (set(range(left, left + width)), set(range(top, top + height)))


def test_the_boxes_that_are_counted_by_hand() -> None:
    rows = np.zeros((6, 8))
    rows[:, 0] = [500_000, 500_001, 600_000, 600_000, 600_000, 600_000]
    rows[:, 3:5] = [[90, 90], [18, 24], [18, 23.9], [9.9, 90], [90, 9.9], [10, 90]]
    assert filter_boxes(rows, 30, 10)[:, 3:5].tolist() == [[18, 24], [10, 90]]
    assert len(filter_boxes(rows, 0, 0, skip_us=0)) == 6


def test_a_sample_ends_with_its_boxes(tmp_path: Path) -> None:
    path = recording(tmp_path, times_us=(60_000, 20_000, 60_000))
    refs = GEN1.samples(tmp_path)
    assert [(ref.start_us, ref.stop_us) for ref in refs] == [(-29_999, 20_001), (10_001, 60_001)]
    assert [ref.key for ref in refs] == [f"train/{NAME}:-29999-20001", f"train/{NAME}:10001-60001"]
    assert {(ref.recording, ref.group, ref.format) for ref in refs} == {
        (f"train/{path.name}", "17-03-30_12-53-58", "dat")
    }
    nothing = EventArray.empty(SENSOR)
    found = [GEN1.targets(tmp_path, ref, nothing)["boxes"] for ref in refs]
    assert [boxes[:, 0].tolist() for boxes in found] == [[20_000], [60_000, 60_000]]
    found[0][:] = 0  # a sample's boxes are its own
    assert GEN1.targets(tmp_path, refs[0], nothing)["boxes"][0, 0] == 20_000


def test_windows_slide_over_the_time_that_the_name_says_and_have_the_boxes_of_their_time(tmp_path: Path) -> None:
    recording(tmp_path, name="drive_5000000_5200000", times_us=(0, 49_999, 50_000, 199_999))
    dataset = find_dataset("gen1", windows=Windows(window_us=50_000))
    refs = dataset.samples(tmp_path)
    assert [(ref.start_us, ref.stop_us) for ref in refs] == [(k * 50_000, (k + 1) * 50_000) for k in range(4)]
    nothing = EventArray.empty(SENSOR)
    times = [dataset.targets(tmp_path, ref, nothing)["boxes"][:, 0].tolist() for ref in refs]
    assert times == [[0, 49_999], [50_000], [], [199_999]]
    assert len(find_dataset("gen1", windows=Windows(window_us=50_000, stride_us=10_000)).samples(tmp_path)) == 16
    with pytest.raises(RecipeError, match=r"no recording below .* has a window"):
        find_dataset("gen1", windows=Windows(window_us=200_001)).samples(tmp_path)
    with pytest.raises(RecipeError, match="state a longer stride_us"):
        find_dataset("gen1", windows=Windows(window_us=2, stride_us=1)).with_windows(
            Windows(window_us=1, stride_us=1)
        ).samples(recording(tmp_path / "long", name="drive_0_60000000").parents[1])


def test_stated_windows_are_part_of_the_identity_and_travel_to_workers() -> None:
    stated = find_dataset("gen1", windows=Windows(before_us=50_000))
    assert load_recipe(stated).recipe_id != load_recipe("gen1").recipe_id
    assert load_recipe(stated).recipe_id == load_recipe(pickle.loads(pickle.dumps(stated))).recipe_id
    assert registry.datasets["gen1"].windows is None


def test_labelled_times_of_1mpx_are_a_tenth_of_a_second_apart_unless_windows_are_stated(tmp_path: Path) -> None:
    recording(tmp_path, times_us=tuple(range(100_000, 400_000, 16_667)))
    ends = [stop - 1 for _, stop in intervals(ONE_MPX, tmp_path) if stop is not None]
    assert ends == [100_000, 200_002, 300_004]
    assert len(intervals(ONE_MPX.with_windows(Windows(before_us=50_000)), tmp_path)) == 18
    assert len(intervals(GEN1, tmp_path)) == 18


def test_a_recording_without_labels_is_an_error_in_gen1_and_left_out_in_1mpx(tmp_path: Path) -> None:
    recording(tmp_path)
    (recording(tmp_path, "test").with_name(f"{NAME}_bbox.npy")).unlink()
    assert [ref.recording.partition("/")[0] for ref in ONE_MPX.samples(tmp_path)] == ["train"]
    with pytest.raises(SourceNotFoundError, match=rf"test.{NAME}_bbox\.npy is missing"):
        GEN1.samples(tmp_path)


def test_recordings_as_hdf5_are_the_same_samples(tmp_path: Path) -> None:
    pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")
    path = recording(tmp_path)
    before = GEN1.samples(tmp_path)
    neurodata.write(read(path), path.with_name(f"{path.name}.h5"), format="dsec_h5")
    with pytest.raises(FormatError, match=rf"is there a second time as {path.name}\.h5"):
        GEN1.samples(tmp_path)
    path.unlink()
    (ref,) = GEN1.samples(tmp_path)
    assert (ref.key, ref.format, ref.recording) == (before[0].key, "dsec_h5", f"train/{path.name}.h5")
    store = neurodata.prepare("gen1", source=tmp_path, cache=tmp_path / "cache")
    assert len(store.read_events(0)) == 5  # at 20 to 60 ms


def test_a_real_recording_whose_header_tells_no_sensor_is_read_as_one_of_gen1(tmp_path: Path, recordings: Path) -> None:
    real = recordings / "event" / "dat" / "sample_ncars.dat"
    path = tmp_path / "train" / "drive_0_100000_td.dat"
    path.parent.mkdir()
    path.write_bytes(real.read_bytes())
    boxes_file(tmp_path / "train" / "drive_0_100000_bbox.npy", (80_000, 1, 2, 30, 40, 0, 7, 1))
    store = neurodata.prepare("gen1", source=tmp_path, cache=tmp_path / "cache")
    expected = open_recording(real, "dat", SENSOR).events(30_001, 80_001)
    assert len(expected) > 100
    np.testing.assert_array_equal(store.read_events(0).to_structured(), expected.to_structured())


def test_trees_that_are_not_as_published_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no folder train, val, test there"):
        GEN1.find_root(tmp_path)
    (tmp_path / "a" / "b" / "train").mkdir(parents=True)
    assert GEN1.find_root(tmp_path) == tmp_path / "a" / "b"
    with pytest.raises(SourceNotFoundError, match="no recordings like train"):
        GEN1.samples(tmp_path / "a" / "b")
    for name in ("mine", "drive_7_7", "drive_9_7"):
        path = recording(tmp_path / name, name=name)
        with pytest.raises(FormatError, match=rf"{name}_td\.dat: expected a recording of Prophesee"):
            GEN1.samples(path.parents[1])


def test_who_has_no_files_is_told_whose_terms_to_accept(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"accept Prophesee's terms on https(?s:.*)--source DIR"):
        locate(dataset, tmp_path)


def test_a_part_of_gen1_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    recording(tmp_path)
    samples = GEN1.samples(tmp_path)
    assert not GEN1.is_complete(samples, GEN1.schemes(tmp_path, samples)["official"])
    assert not ONE_MPX.is_complete(samples, ONE_MPX.schemes(tmp_path, samples)["official"])
    recording(tmp_path, "val")
    recording(tmp_path, "test")
    samples = ONE_MPX.samples(tmp_path)
    assert ONE_MPX.is_complete(samples, ONE_MPX.schemes(tmp_path, samples)["official"])


def test_a_twin_has_as_many_samples_as_asked_and_no_drive_in_two_partitions(dataset: Dataset, root: Path) -> None:
    samples, size = dataset.samples(root), SIZES[dataset.name]
    assert len(samples) == size
    scheme = dataset.schemes(root, samples)["official"]
    assert [len(getattr(scheme, name)) for name in PARTITIONS] == [size - 2 * (size // 5), size // 5, size // 5]
    group = {ref.key: ref.group for ref in samples}
    partitions = defaultdict(set)
    for name in PARTITIONS:
        for key in getattr(scheme, name):
            partitions[group[key]].add(name)
    assert all(len(found) == 1 for found in partitions.values())
    assert all(path.is_file() for path in dataset.label_files(root, samples))
    for ref in samples:
        told = open_recording(root / ref.recording, "dat")
        assert told.sensor == dataset.sensor


def test_events_of_a_twin_are_about_its_boxes(dataset: Dataset, root: Path) -> None:
    """A box has, for its area, several times the events of the whole frame, however short the moment."""
    inside, expected = 0, 0.0
    for ref in dataset.samples(root):
        events = open_recording(root / ref.recording, "dat").events(ref.start_us, ref.stop_us)
        boxes = clip_boxes(dataset.targets(root, ref, events)["boxes"], events.sensor)
        for _, x, y, w, h in boxes[:, :5]:
            inside += int(np.sum((events.x >= x - 9) & (events.x <= x + w + 9) & (events.y >= y) & (events.y <= y + h)))
            expected += len(events) * (w + 18) * h / (events.sensor.width * events.sensor.height)
    assert inside > 4 * expected > 0


def test_a_twin_has_boxes_that_the_usual_filters_change(root: Path, dataset: Dataset) -> None:
    files = dataset.label_files(root, dataset.samples(root))
    boxes = np.concatenate([read_boxes(path, len(dataset.objects)) for path in files])  # type: ignore[attr-defined]
    assert dataset.sensor is not None
    assert 0 < (clip_boxes(boxes, dataset.sensor)[:, 3:5] != boxes[:, 3:5]).any(axis=1).sum() < len(boxes)
    limits = {"gen1": (30, 10), "1mpx": (60, 20)}[dataset.name]
    assert 0 < len(filter_boxes(boxes, *limits, skip_us=0)) < len(boxes)
    assert 0 < len(filter_boxes(boxes, 0, 0)) < len(boxes)


def test_the_same_seed_and_size_give_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    digests = [
        [file_digest(path) for path in dataset.write_twin(tmp_path / str(k), seed, 3)]
        for k, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])
    for seed, size in ((0, 2), (-1, 9)):
        with pytest.raises(RecipeError, match=f"{dataset.name} twin: seed {seed}, size {size}; expected"):
            dataset.write_twin(tmp_path / "none", seed, size)
    assert not (tmp_path / "none").exists()


def test_a_twin_goes_the_whole_way_into_a_batch(dataset: Dataset, root: Path, cache: Path) -> None:
    twin: dict[str, Any] = {"twin": True, "twin_size": SIZES[dataset.name], "cache": cache}
    store = neurodata.prepare(dataset.name, **twin)
    assert len(store) == SIZES[dataset.name]
    refs = {ref.key: ref for ref in dataset.samples(root)}
    for k, key in enumerate(store.table.keys):
        ref = refs[key]
        expected = read(root / ref.recording, format="dat").between(ref.start_us, ref.stop_us)
        np.testing.assert_array_equal(store.read_events(k).to_structured(), expected.to_structured())
    split = neurodata.load(dataset.name, **twin, split="test")
    n = min(2, len(split))
    frames, targets = next(iter(split.loader(batch_size=n)))
    assert frames.shape == (n, *load_recipe(dataset.name).final_spec().shape)
    for key, boxes in zip(split.keys, targets["boxes"], strict=False):
        np.testing.assert_array_equal(boxes.numpy(), dataset.targets(root, refs[key], store.read_events(0))["boxes"])
        assert (boxes[:, 0] == refs[key].stop_us - 1).all()
        assert len(boxes) >= 1


def test_sliding_windows_share_the_events_of_their_recording(tmp_path: Path) -> None:
    twin: dict[str, Any] = {"twin": True, "twin_size": 9, "cache": tmp_path}
    slides: dict[str, Any] = {"window_us": 100_000, "stride_us": 25_000}
    store = neurodata.prepare("gen1", **twin, **slides)
    root = locate(GEN1, tmp_path, twin=Twin(9)).root
    whole = sum(open_recording(path, "dat").n_events for path in sorted(root.glob("*/*.dat")))
    shown = sum(len(store.read_events(k)) for k in range(len(store)))
    (column,) = store.path.glob("data.zarr/events/t")
    kept = sum(path.stat().st_size for path in column.rglob("*") if path.is_file())
    assert shown > 3 * whole
    assert kept < 5 * whole  # a column of 4 bytes, before compression
    assert verify(store.path, deep=True).ok
    with pytest.raises(NeurodataError, match="--window-us 100000 --stride-us 50000"):
        neurodata.load("gen1", **twin, window_us=100_000, stride_us=50_000)
    split = neurodata.load("gen1", **twin, **slides)
    assert len(split) == sum(key.startswith("train/") for key in store.table.keys)


def test_a_store_of_stated_windows_is_repaired_from_its_source(tmp_path: Path) -> None:
    store = neurodata.prepare("gen1", twin=True, twin_size=3, cache=tmp_path, window_us=100_000)
    damaged = next(path for path in (store.path / "data.zarr/events/address/0").rglob("*") if path.parent.name == "c")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not verify(store.path, deep=True).ok
    source = SourceOfStore(twin_size=3)
    repaired = repair_store(store.path, source, tmp_path, make_executor=lambda n: thread_pool(1))
    assert repaired.n_shards == 1
    assert damaged.read_bytes() == content
    assert verify(store.path, deep=True).ok


def test_boxes_forbid_steps_that_would_leave_them_behind(tmp_path: Path) -> None:
    for step in ('name = "flip_x"\np = 1.0', 'name = "crop"\nwidth = 64\nheight = 48'):
        path = tmp_path / "mine.toml"
        path.write_text(f'dataset = "gen1"\n[[steps]]\n{step}\n[[steps]]\nname = "event_frame"\nT = 4\n')
        with pytest.raises(RecipeError, match="does not fit gen1: it moves pixels, and the target boxes"):
            load_recipe("gen1", path)
