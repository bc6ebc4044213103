"""DSEC and DSEC-Semantic: slices of events that end with a map, and their twins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import Dataset, Twin, Windows, find_dataset, locate, read_rectify_map, rectify
from neurodata.datasets._dsec import SENSOR, read_times
from neurodata.errors import FormatError, NeurodataError, RecipeError, SourceNotFoundError
from neurodata.formats import read, write_png
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.storage import file_digest
from neurodata.store import verify

pytest.importorskip("h5py", reason="needs the extra `hdf5`")
pytest.importorskip("hdf5plugin", reason="needs the extra `hdf5`")

DSEC, SEMANTIC = registry.datasets["dsec"], registry.datasets["dsec-semantic"]
SIZE = 10
NOTHING = EventArray.empty(SENSOR)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dsec")


@pytest.fixture(params=["dsec", "dsec-semantic"], scope="module")
def either(request: pytest.FixtureRequest) -> Dataset:
    found: Dataset = registry.datasets[request.param]
    return found


@pytest.fixture(scope="module")
def root(cache: Path) -> Path:
    return locate(DSEC, cache, twin=Twin(SIZE)).root


def sequence(events: Path, maps: Path, times_us: tuple[int, ...], n_pictures: int | None = None) -> None:
    """Files of a sequence as far as they are listed: no event is read."""
    for path in (events / "events/left/events.h5", maps / "disparity/timestamps.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (maps / "disparity/timestamps.txt").write_text("".join(f"{t}\n" for t in times_us))
    (maps / "disparity/event").mkdir()
    for k in range(len(times_us) if n_pictures is None else n_pictures):
        (maps / f"disparity/event/{2 * k:06d}.png").touch()


@pytest.mark.parametrize(
    ("events", "maps"),
    [
        ("train_events/thun_00_a", "train_disparity/thun_00_a"),
        ("train/thun_00_a", "train/thun_00_a"),
        ("thun_00_a", "thun_00_a"),
        ("train_events/thun_00_a", "train/thun_00_a"),
    ],
)
def test_a_sample_is_what_came_before_a_map_wherever_the_sequence_stands(
    tmp_path: Path, events: str, maps: str
) -> None:
    sequence(tmp_path / "DSEC" / events, tmp_path / "DSEC" / maps, (100_000, 200_003, 300_004))
    root = DSEC.find_root(tmp_path)
    assert root == tmp_path / "DSEC"
    samples = DSEC.samples(root)
    assert [(ref.key, ref.start_us, ref.stop_us) for ref in samples] == [
        ("train/thun_00_a:200003", 150_003, 200_003),
        ("train/thun_00_a:300004", 250_004, 300_004),
    ]
    assert {(ref.recording, ref.group) for ref in samples} == {(f"{events}/events/left/events.h5", "thun_00_a")}
    assert [ref.told for ref in samples] == [(f"{maps}/disparity/event/{k:06d}.png",) for k in (2, 4)]
    assert all(path.is_file() for path in DSEC.label_files(root, samples))
    scheme = DSEC.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.validation), len(scheme.test)) == (2, 0, 0)
    assert not DSEC.is_complete(samples, scheme)


def test_testing_has_moments_of_the_benchmark_and_nothing_known(tmp_path: Path) -> None:
    (tmp_path / "test_events/thun_01_a/events/left").mkdir(parents=True)
    (tmp_path / "test_events/thun_01_a/events/left/events.h5").touch()
    with pytest.raises(SourceNotFoundError, match="no sequence has both events"):
        DSEC.samples(tmp_path)
    (tmp_path / "test_disparity_timestamps").mkdir()
    (tmp_path / "test_disparity_timestamps/thun_01_a.csv").write_text("# t, file\n70000, 000010\n90000, 20\n")
    samples = DSEC.samples(tmp_path)
    assert [(ref.key, ref.stop_us, ref.told) for ref in samples] == [
        ("test/thun_01_a:70000", 70_000, ()),
        ("test/thun_01_a:90000", 90_000, ()),
    ]
    found = DSEC.targets(tmp_path, samples[0], NOTHING)["disparity"]
    assert (found.shape, found.dtype, found.any()) == ((480, 640), np.float32, np.False_)
    assert DSEC.schemes(tmp_path, samples)["official"].test == ("test/thun_01_a:70000", "test/thun_01_a:90000")


def test_disparities_by_hand(tmp_path: Path) -> None:
    sequence(tmp_path / "thun_00_a", tmp_path / "thun_00_a", (5, 100_000))
    pixels = np.zeros((480, 640), np.uint16)
    pixels[7, 9], pixels[479, 639] = 1, 65_535
    write_png(tmp_path / "thun_00_a/disparity/event/000002.png", pixels)
    (ref,) = DSEC.samples(tmp_path)
    found = DSEC.targets(tmp_path, ref, NOTHING)["disparity"]
    assert (found[7, 9], found[479, 639], np.count_nonzero(found)) == (1 / 256, 255 + 255 / 256, 2)
    write_png(tmp_path / "thun_00_a/disparity/event/000002.png", pixels[:, 1:])
    with pytest.raises(FormatError, match=r"000002\.png: a picture of 639x480 pixels .* expected 640x480"):
        DSEC.targets(tmp_path, ref, NOTHING)


def test_times_and_pictures_that_do_not_fit_are_named(tmp_path: Path) -> None:
    sequence(tmp_path / "thun_00_a", tmp_path / "thun_00_a", (5, 6), n_pictures=3)
    with pytest.raises(FormatError, match=r"holds 3 pictures, and .*timestamps\.txt lists 2 times"):
        DSEC.samples(tmp_path)
    for k, line in enumerate(("7.5", "-1", "x", "4", "5", "9" * 19)):
        path = tmp_path / f"{k}.txt"
        path.write_text(f"# times\n5\n\n{line}\n")
        with pytest.raises(
            FormatError, match=rf"{k}\.txt: line 4 is '{line}'; expected whole microseconds that ascend"
        ):
            read_times(path)
    (tmp_path / "one.txt").write_text("5\n")
    with pytest.raises(FormatError, match="line 1"):
        read_times(tmp_path / "one.txt", column=1)


def test_slices_of_another_length_are_other_samples_and_maps_do_not_slide(tmp_path: Path) -> None:
    longer = find_dataset("dsec", windows=Windows(before_us=100_000))
    sequence(tmp_path / "thun_00_a", tmp_path / "thun_00_a", (100_000, 200_000))
    (ref,) = longer.samples(tmp_path)
    assert (ref.start_us, ref.stop_us) == (100_000, 200_000)
    assert load_recipe(longer).recipe_id != load_recipe("dsec").recipe_id
    with pytest.raises(RecipeError, match="a map belongs to a moment"):
        find_dataset("dsec", windows=Windows(window_us=100_000))


def test_a_tree_that_is_not_dsec_is_refused_and_who_has_none_is_told_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no folder train_events"):
        DSEC.find_root(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"download train_events\.zip(?s:.*)--source DIR"):
        locate(DSEC, tmp_path)
    assert {kind: len(names) for kind, names in DSEC.sequences.items()} == {"train": 41, "test": 12}


def test_a_twin_has_as_many_samples_as_asked_and_maps_of_what_moves(root: Path) -> None:
    samples = DSEC.samples(root)
    scheme = DSEC.schemes(root, samples)["official"]
    assert (len(samples), len(scheme.train), len(scheme.test)) == (SIZE, 8, 2)
    for ref in samples[:8:3]:
        disparity = DSEC.targets(root, ref, NOTHING)["disparity"]
        assert 0.2 < (disparity == 0).mean() < 0.8
        # Events are where disparities jump, from one column to the next.
        events = read(root / ref.recording, format="dsec_h5").between(ref.stop_us - 5_000, ref.stop_us)
        jumps = np.abs(np.diff(disparity, axis=1, prepend=0)) > 1
        near = np.zeros_like(jumps)
        for shift in range(-3, 4):
            near |= np.roll(jumps, shift, axis=1)
        assert near[events.y, events.x].mean() > 5 * near.mean()


def test_rectified_events_by_hand(root: Path, tmp_path: Path) -> None:
    camera = Path(DSEC.samples(root)[0].recording).parent
    found = read_rectify_map(str(root / camera / "rectify_map.h5"))
    assert (found.shape, found.dtype) == ((480, 640, 2), np.float32)
    np.testing.assert_allclose(found[240, 320], [320, 240], atol=1e-4)
    sensor = Sensor(3, 2)
    places = np.zeros((2, 3, 2), np.float32)
    places[0] = [[0.4, 0.6], [2.5, 0], [-0.6, 1]]
    places[1] = [[1.49, 1.51], [2.49, -0.5], [np.nan, 0]]
    one = np.arange(6)
    events = EventArray(one, (one % 3).astype(np.uint16), (one // 3).astype(np.uint16), one % 2 == 0, sensor)
    seen, n_lost = rectify(events, places)
    assert (seen.t.tolist(), seen.x.tolist(), seen.y.tolist(), n_lost) == ([0, 4], [0, 2], [1, 0], 4)
    with pytest.raises(FormatError, match="expected its own"):
        rectify(events, found)
    with pytest.raises(NeurodataError, match=r"gone\.h5"):
        read_rectify_map(tmp_path / "gone.h5")
    with pytest.raises(FormatError, match=r"events\.h5"):
        read_rectify_map(root / camera / "events.h5")


def semantic_sequence(maps: Path, times: Path, n: int) -> None:
    """Times and pictures of classes, empty; events are beside the former, or in an archive's folder."""
    maps.mkdir(parents=True)
    times.write_text("".join(f"{k * 50_000}\n" for k in range(n)))
    for k in range(n):
        (maps / f"{k:06d}.png").touch()


@pytest.mark.parametrize(
    ("events", "maps", "times"),
    [
        (
            "train_events/zurich_city_00_a",
            "train_semantic_segmentation/train/zurich_city_00_a/11classes",
            "train_semantic_segmentation/train/zurich_city_00_a/zurich_city_00_a_semantic_timestamps.txt",
        ),
        (
            "train/zurich_city_00_a",
            "train/zurich_city_00_a/semantic/left/11classes/data",
            "train/zurich_city_00_a/semantic/timestamps.txt",
        ),
        (
            "train/zurich_city_00_a",
            "train/zurich_city_00_a/semantic/11classes/data",
            "train/zurich_city_00_a/semantic/timestamps.txt",
        ),
    ],
)
def test_classes_are_found_wherever_the_sequence_stands_and_the_first_six_left_out(
    tmp_path: Path, events: str, maps: str, times: str
) -> None:
    (tmp_path / events / "events/left").mkdir(parents=True)
    (tmp_path / events / "events/left/events.h5").touch()
    semantic_sequence(tmp_path / maps, tmp_path / times, 9)
    samples = SEMANTIC.samples(tmp_path)
    assert [(ref.stop_us, ref.told) for ref in samples] == [(k * 50_000, (f"{maps}/{k:06d}.png",)) for k in (6, 7, 8)]
    schemes = SEMANTIC.schemes(tmp_path, samples)
    assert list(schemes) == ["official", "ess"]
    assert len(schemes["official"].train) == 3
    assert schemes["ess"].train == ("train/zurich_city_00_a:300000", "train/zurich_city_00_a:400000")
    shutil.rmtree(next(path for path in (tmp_path / maps, *(tmp_path / maps).parents) if path.name == "11classes"))
    with pytest.raises(SourceNotFoundError, match="no pictures of classes beside it"):
        SEMANTIC.samples(tmp_path)


def test_classes_by_hand(tmp_path: Path) -> None:
    maps = tmp_path / "train/zurich_city_00_a/semantic/11classes/data"
    (tmp_path / "train/zurich_city_00_a/events/left").mkdir(parents=True)
    (tmp_path / "train/zurich_city_00_a/events/left/events.h5").touch()
    semantic_sequence(maps, maps.parents[1] / "timestamps.txt", 7)
    (ref,) = SEMANTIC.samples(tmp_path)
    pixels = np.zeros((440, 640), np.uint8)
    pixels[439, 3], pixels[0, 5] = 10, 255
    write_png(maps / "000006.png", pixels)
    found = SEMANTIC.targets(tmp_path, ref, NOTHING)["classes"]
    assert (found.shape, found.dtype) == ((480, 640), np.uint8)
    np.testing.assert_array_equal(found[:440], pixels)
    assert (found[440:] == 255).all()
    pixels[1, 1] = 18
    write_png(maps / "000006.png", pixels)
    with pytest.raises(FormatError, match=r"000006\.png: holds class 18; expected 0 to 10, or 255"):
        SEMANTIC.targets(tmp_path, ref, NOTHING)


def test_classes_of_a_twin_are_split_by_sequence(tmp_path: Path) -> None:
    root = locate(SEMANTIC, tmp_path, twin=Twin(12)).root
    samples = SEMANTIC.samples(root)
    scheme = SEMANTIC.schemes(root, samples)["official"]
    assert (len(scheme.train), len(scheme.test)) == (10, 2)
    assert {ref.group for ref in samples} == {"zurich_city_00_a", "zurich_city_01_a", "zurich_city_13_a"}
    found = np.unique(SEMANTIC.targets(root, samples[0], NOTHING)["classes"])
    assert {0, 5, 255} < set(found.tolist()) <= {0, 3, 5, 8, 255}


def test_the_same_seed_and_size_give_the_same_bytes(either: Dataset, tmp_path: Path) -> None:
    digests = [
        [file_digest(path) for path in either.write_twin(tmp_path / str(k), seed, 2)]
        for k, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]
    for seed, size in ((0, 1), (-1, 9), (0, 101)):
        with pytest.raises(RecipeError, match=f"{either.name} twin: seed {seed}, size {size}; expected"):
            either.write_twin(tmp_path / "none", seed, size)


def test_a_twin_goes_the_whole_way_into_a_batch(either: Dataset, cache: Path) -> None:
    twin: dict[str, Any] = {"twin": True, "twin_size": SIZE, "cache": cache}
    root = locate(either, cache, twin=Twin(SIZE)).root
    store = neurodata.prepare(either.name, **twin)
    assert len(store) == SIZE
    refs = {ref.key: ref for ref in either.samples(root)}
    for k, key in enumerate(store.table.keys):
        expected = read(root / refs[key].recording, format="dsec_h5").between(refs[key].start_us, refs[key].stop_us)
        np.testing.assert_array_equal(store.read_events(k).to_structured(), expected.to_structured())
        assert len(expected) > 0
    split = neurodata.load(either.name, **twin)
    frames, targets = next(iter(split.loader(batch_size=3)))
    assert frames.shape == (3, {"dsec": 15, "dsec-semantic": 5}[either.name], 1, 480, 640)
    ((name, maps),) = targets.items()
    for key, found in zip(split.keys, maps, strict=False):
        np.testing.assert_array_equal(found.numpy(), either.targets(root, refs[key], NOTHING)[name])
    assert verify(store.path, deep=True).ok


def test_maps_forbid_steps_that_would_leave_them_behind(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('dataset = "dsec"\n[[steps]]\nname = "flip_x"\np = 1.0\n[[steps]]\nname = "voxel_grid"\nT = 4\n')
    with pytest.raises(RecipeError, match="does not fit dsec: it moves pixels, and the target disparity"):
        load_recipe("dsec", path)
