"""Anyone's own recordings: sub-folders or a labels file, any format, through the whole pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata import registry
from neurodata.datasets import find_dataset
from neurodata.datasets._picture_twin import idx
from neurodata.encodings.event_frame import reference
from neurodata.errors import FormatError, NeurodataError, RecipeError, SourceNotFoundError
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, PointCloud, Sensor, Waveform

SENSOR = Sensor(20, 16)


def events(seed: int, n: int = 200) -> EventArray:
    rng = np.random.default_rng(seed)
    return EventArray(
        t=np.cumsum(rng.integers(0, 50, n)).astype(np.int64),
        x=rng.integers(0, SENSOR.width, n).astype(np.uint16),
        y=rng.integers(0, SENSOR.height, n).astype(np.uint16),
        p=rng.integers(0, 2, n).astype(bool),
        sensor=SENSOR,
    )


def write_tree(folder: Path, *paths: str) -> Path:
    for seed, path in enumerate(paths):
        neurodata.write(events(seed), folder / path)
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Two classes in three formats; classes are numbers, to be ordered as such."""
    return write_tree(tmp_path / "mine", "2/a.es", "2/b.csv", "10/c.es", "10/deep/d.dat", "2/e.es", "10/f.es")


def labels_file(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_sub_folders_are_classes_and_any_format_becomes_frames(mine: Path) -> None:
    store = neurodata.prepare(f"folder:{mine}", T=4)
    assert store.head.classes == ("2", "10")
    assert store.head.form == SENSOR
    found = {
        key: (int(target), store.read(k))
        for k, (key, target) in enumerate(zip(store.table.keys, store.table.targets, strict=True))
    }
    assert {key: target for key, (target, _) in found.items()} == {
        "2/a.es": 0, "2/b.csv": 0, "2/e.es": 0, "10/c.es": 1, "10/deep/d.dat": 1, "10/f.es": 1,
    }  # fmt: skip
    for key, (_, frames) in found.items():
        np.testing.assert_array_equal(frames, reference(neurodata.read(mine / key), 4, "count"))
    assert store.counts.read == store.counts.encoded == 6 * 200


def test_the_store_is_found_again_and_a_moved_folder_gives_the_same_bytes(mine: Path, tmp_path: Path) -> None:
    store = neurodata.prepare(f"folder:{mine}", T=4)
    assert len(neurodata.load(f"folder:{mine}", T=4)) == 6
    moved = Path(shutil.copytree(mine, tmp_path / "elsewhere" / "mine"))
    again = neurodata.prepare(f"folder:{moved}", T=4, cache=tmp_path / "other-cache")
    assert again.path.name == store.path.name
    assert (again.path / "manifest.json").read_bytes() == (store.path / "manifest.json").read_bytes()
    neurodata.write(events(99), mine / "2/a.es")
    with pytest.raises(NeurodataError, match=rf"neurodata prepare folder:{mine} --T 4"):
        neurodata.load(f"folder:{mine}", T=4)


def test_folders_named_as_splits_split(tmp_path: Path) -> None:
    write_tree(tmp_path / "a", "Train/x/1.es", "Train/y/2.es", "val/x/3.es", "test/y/4.es")
    dataset = f"folder:{tmp_path / 'a'}"
    neurodata.prepare(dataset, T=2)
    keys = {part: neurodata.load(dataset, T=2, split=part).keys for part in ("train", "validation", "test")}
    assert {part: sorted(found) for part, found in keys.items()} == {
        "train": ["Train/x/1.es", "Train/y/2.es"], "validation": ["val/x/3.es"], "test": ["test/y/4.es"],
    }  # fmt: skip


def test_hidden_files_and_folders_are_no_recordings(mine: Path) -> None:
    (mine / "2" / ".DS_Store").write_bytes(b"x")
    (mine / ".git").mkdir()
    (mine / ".git" / "config").write_bytes(b"x")
    assert len(find_dataset(f"folder:{mine}").samples(mine)) == 6


def test_a_labels_file_tells_intervals_groups_and_splits(mine: Path, tmp_path: Path) -> None:
    labels = labels_file(
        tmp_path,
        "path,start_us,end_us,label,group,split\n"
        "2/a.es,0,1000,wave,ann,train\n"
        "2/a.es,1000,2000,clap,ann,train\n"
        '\n2/b.csv,,3000,"wave",bob,val\n'
        "10/c.es,500,,clap,eve,test\n",
    )
    store = neurodata.prepare(f"folder:{mine}", T=2, labels=labels)
    assert store.head.classes == ("clap", "wave")
    rows = dict(zip(store.table.keys, zip(store.table.targets, store.table.groups, strict=True), strict=True))
    assert rows == {
        "2/a.es:0-1000": (1, "ann"),
        "2/a.es:1000-2000": (0, "ann"),
        "2/b.csv:-3000": (1, "bob"),
        "10/c.es:500-": (0, "eve"),
    }
    index = store.table.keys.index("2/a.es:1000-2000")
    part = neurodata.read(mine / "2/a.es", start_us=1000, stop_us=2000)
    np.testing.assert_array_equal(store.read(index), reference(part, 2, "count"))
    assert neurodata.load(f"folder:{mine}", T=2, labels=labels, split="test").groups == ("eve",)


def test_other_labels_make_another_store(mine: Path, tmp_path: Path) -> None:
    first = neurodata.prepare(f"folder:{mine}", T=2, labels=labels_file(tmp_path, "path,label\n2/a.es,x\n2/b.csv,y\n"))
    second = neurodata.prepare(f"folder:{mine}", T=2, labels=labels_file(tmp_path, "path,label\n2/a.es,y\n2/b.csv,x\n"))
    assert first.path != second.path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"line 1 is ''; expected a header with path and label"),
        ("path,class\n2/a.es,1\n", r"line 1 is 'path,class'"),
        ("path,label\n", r"no rows below the header"),
        ("path,label\n2/a.es,x\n2/gone.es,y\n", r"line 3: .*2/gone\.es is missing"),
        ("path,label\n../mine/2/a.es,x\n", r"line 2: path is '\.\./mine/2/a\.es'; expected a file below"),
        ("path,label\n/etc/passwd,x\n", r"line 2: path is '/etc/passwd'"),
        ("path,label\n2/a.es\n", r"line 2 has 1 cells; the header has 2"),
        ("path,label\n2/a.es,\n", r"line 2: the label is empty"),
        ("path,label\n2/a.es,x\n2/a.es,x\n", r"line 3 names 2/a\.es again, as line 2 does"),
        ("path,label,split\n2/a.es,x,dev\n", r"line 2: split is 'dev'; expected train, validation, test"),
        ("path,label,split\n2/a.es,x,train\n2/b.csv,x,\n", r"line 3 has no split, others have"),
        ("path,label,start_us\n2/a.es,x,1.5\n", r"line 2: start_us is '1\.5'; expected whole microseconds"),
        ("path,label,start_us,end_us\n2/a.es,x,9,9\n", r"line 2: from 9 to 9 us is no interval"),
        ("path,label,item\n2/a.es,x,3\n", r"2/a\.es holds one recording, but its row names item 3"),
        ('path,label\n"2/a.es,x\n', r"line 2: unexpected end|line 2 has 1 cells"),
    ],
)
def test_damaged_labels_are_named_by_line(mine: Path, tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(NeurodataError, match=reason):
        find_dataset(f"folder:{mine}", labels=labels_file(tmp_path, text))


def test_what_is_no_recording_is_refused_with_the_ways_out(mine: Path) -> None:
    (mine / "2" / "README.md").write_text("pages and pictures beside recordings are left alone\n")
    assert len(find_dataset(f"folder:{mine}").samples(mine)) == 6
    (mine / "2" / "notes").write_text("read me\n")
    with pytest.raises(FormatError, match=r"notes: no format recognises it.*--format NAME.*--labels FILE"):
        find_dataset(f"folder:{mine}")
    assert [ref.key for ref in find_dataset(f"folder:{mine}", format="dat").samples(mine)] == ["10/deep/d.dat"]


def test_recordings_without_a_class_are_refused(mine: Path) -> None:
    neurodata.write(events(0), mine / "loose.es")
    with pytest.raises(FormatError, match=r"loose\.es has no class: put recordings into sub-folders"):
        find_dataset(f"folder:{mine}")


def test_the_sensor_is_the_common_one_or_stated(mine: Path) -> None:
    wide = EventArray.empty(Sensor(40, 16))
    neurodata.write(wide, mine / "2/wide.aedat4")
    with pytest.raises(
        FormatError, match=r"different sensors \(.*2/b\.csv 20x16x2, 2/wide\.aedat4 40x16x2\).*--sensor"
    ):
        find_dataset(f"folder:{mine}")
    assert find_dataset(f"folder:{mine}", sensor=Sensor(40, 16)).sensor == Sensor(40, 16)
    with pytest.raises(FormatError, match="lies off the sensor 10x10x2"):
        neurodata.prepare(f"folder:{mine}", T=2, sensor=Sensor(10, 10))


def test_what_makes_no_sense_is_refused(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceNotFoundError, match=r"empty: no recordings below it .*\.png"):
        find_dataset(f"folder:{tmp_path / 'empty'}")
    with pytest.raises(SourceNotFoundError, match="nothing: no such folder"):
        find_dataset(f"folder:{tmp_path / 'nothing'}")
    with pytest.raises(
        RecipeError, match=r"n-mnist: labels, format, sensor and windows are stated for folder:DIR only"
    ):
        find_dataset("n-mnist", format="nmnist")
    for wrong in ({"twin": True}, {"source": mine}):
        with pytest.raises(RecipeError, match="leave --source and --twin out"):
            neurodata.prepare(f"folder:{mine}", T=2, **wrong)


def test_a_damaged_recording_is_named(mine: Path) -> None:
    path = mine / "10" / "deep" / "d.dat"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FormatError, match=r"d\.dat: byte \d+"):
        neurodata.prepare(f"folder:{mine}", T=2)


def test_formats_may_be_mixed_under_one_extension(tmp_path: Path) -> None:
    write_tree(tmp_path / "mine", "a/1.es", "b/2.es")
    neurodata.write(events(5), tmp_path / "mine/a/3.es", format="evt2")
    store = neurodata.prepare(f"folder:{tmp_path / 'mine'}", T=2)
    assert store.counts.read == 600


def test_every_recording_has_the_common_sensor(tmp_path: Path) -> None:
    write_tree(tmp_path / "mine", "a/1.es", "a/2.es")
    neurodata.write(EventArray.empty(Sensor(9, 9)), tmp_path / "mine/b/3.es")
    with pytest.raises(FormatError, match=r"3\.es: its sensor is 9x9x2, that of folder-mine is 20x16x2"):
        neurodata.prepare(f"folder:{tmp_path / 'mine'}", T=2)
    assert len(neurodata.prepare(f"folder:{tmp_path / 'mine'}", T=2, sensor=SENSOR)) == 3


def test_a_container_that_tells_no_sensor_needs_it_stated(tmp_path: Path) -> None:
    write_tree(tmp_path / "mine", "a/1.bin", "b/2.bin")
    with pytest.raises(FormatError, match=r"nmnist does not tell the sensor: state it with --sensor"):
        find_dataset(f"folder:{tmp_path / 'mine'}")
    assert find_dataset(f"folder:{tmp_path / 'mine'}", sensor=SENSOR).classes == ("a", "b")


def test_folders_of_splits_and_of_classes_do_not_mix(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "mine", "train/x/1.es", "test/x/2.es")
    (root / "meta").mkdir()
    assert find_dataset(f"folder:{root}").classes == ("x",)  # an empty folder is nothing
    write_tree(root, "meta/3.es")
    with pytest.raises(FormatError, match="the folder test is named as a split, meta is not"):
        find_dataset(f"folder:{root}")


def test_links_are_followed_but_not_round_in_circles(mine: Path, tmp_path: Path) -> None:
    write_tree(tmp_path / "elsewhere", "z.es")
    (mine / "7").symlink_to(tmp_path / "elsewhere")
    (mine / "2" / "up").symlink_to(mine)
    found = find_dataset(f"folder:{mine}")
    assert found.classes == ("2", "7", "10")
    assert len(found.samples(mine)) == 7


def test_moving_a_recording_to_another_class_makes_another_store(mine: Path) -> None:
    first = neurodata.prepare(f"folder:{mine}", T=2)
    neurodata.write(neurodata.read(mine / "2/a.es"), mine / "10/a.es")
    (mine / "2/a.es").unlink()
    assert neurodata.prepare(f"folder:{mine}", T=2).path != first.path


def test_the_same_labels_in_another_file_make_the_same_store(mine: Path, tmp_path: Path) -> None:
    first = neurodata.prepare(f"folder:{mine}", T=2, labels=labels_file(tmp_path, "path,label\n2/a.es,x\n2/b.csv,y\n"))
    other = labels_file(tmp_path, "label,path\nx,2/a.es\ny,2/b.csv\n").rename(tmp_path / "other.csv")
    assert neurodata.prepare(f"folder:{mine}", T=2, labels=other).path == first.path


def test_an_interval_outside_the_recording_is_refused(mine: Path, tmp_path: Path) -> None:
    labels = labels_file(tmp_path, "path,label,start_us,end_us\n2/a.es,x,900000,950000\n")
    with pytest.raises(
        FormatError, match=r"2/a\.es:900000-950000 lies outside the recording, which reaches from \d+ to"
    ):
        neurodata.prepare(f"folder:{mine}", T=2, labels=labels)


def write_spikes(path: Path) -> None:
    """A file of four samples."""
    trains = [
        EventArray(
            np.arange(5) * 1000, np.full(5, k, np.uint16), np.zeros(5, np.uint16), np.ones(5, bool), Sensor(700, 1, 1)
        )
        for k in range(4)
    ]
    entries = [neurodata.Entry(train, k % 2, f"speaker{k}") for k, train in enumerate(trains)]
    neurodata.write(entries, path, format="shd_h5")


def test_a_file_of_many_samples_is_taken_apart(tmp_path: Path) -> None:
    write_spikes(tmp_path / "mine" / "spikes.h5")
    store = neurodata.prepare(f"folder:{tmp_path / 'mine'}", T=2)
    assert store.head.classes == ("0", "1")
    assert sorted(zip(store.table.keys, store.table.targets.tolist(), store.table.groups, strict=True)) == [
        (f"spikes.h5#{k}", k % 2, f"speaker{k}") for k in range(4)
    ]
    twice = labels_file(tmp_path, "path,label,item\nspikes.h5,a,0\nspikes.h5,b,\n")
    with pytest.raises(FormatError, match=r"two rows name the sample spikes\.h5#0"):
        find_dataset(f"folder:{tmp_path / 'mine'}", labels=twice)


def write_pictures(folder: Path) -> None:
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        pictures = np.arange(3 * 5 * 4, dtype=np.uint8).reshape(3, 5, 4)
        (folder / label / "pictures.idx3-ubyte").write_bytes(idx(pictures))


def write_sounds(folder: Path) -> None:
    for label, hz in (("low", 200), ("high", 2000)):
        samples = np.sin(np.arange(6000) * 2 * np.pi * hz / 8000).astype(np.float32) / 2
        (folder / label).mkdir(parents=True)
        neurodata.write(Waveform(samples, 8000), folder / label / "a.wav")


def write_points(folder: Path) -> None:
    for label in ("ball", "box"):
        xyz = np.random.default_rng(0).random((50, 3), np.float32)
        (folder / label).mkdir(parents=True)
        neurodata.write(PointCloud(xyz, np.zeros((50, 0), np.float32)), folder / label / "a.ply")


@pytest.mark.parametrize(
    ("write", "recipe", "shape"),
    [
        (write_pictures, "folder-pictures", (4, 1, 5, 4)),
        (write_sounds, "folder-sound", (101, 40)),
        (write_points, "folder-points", (1, 1, 32, 32, 32)),
    ],
)
def test_a_folder_of_another_kind_is_prepared_by_the_recipe_of_its_kind(
    tmp_path: Path, write: Callable[[Path], None], recipe: str, shape: tuple[int, ...]
) -> None:
    write(tmp_path / "mine")
    dataset = find_dataset(f"folder:{tmp_path / 'mine'}")
    assert dataset.recipe == recipe
    if recipe != "folder-pictures" and not {"log_mel", "spike_voxel"} <= set(registry.encodings):
        pytest.skip("its steps are not here")
    store = neurodata.prepare(f"folder:{tmp_path / 'mine'}")
    assert store.path.name.startswith(recipe)
    assert store.read(0).shape == shape
    for name in ("folder", recipe):
        mine = tmp_path / "mine.toml"
        mine.write_text(f'dataset = "{name}"\n[[steps]]\nname = "{load_recipe(dataset).steps[-1][0]}"\n')
        if recipe != "folder-sound":  # which needs a spectrogram before its encoding
            assert load_recipe(dataset, mine).dataset is dataset


def test_pictures_are_read_with_the_labels_beside_them(tmp_path: Path) -> None:
    def prepared(labels: list[int]) -> tuple[Path, list[int], tuple[str, ...]]:
        (tmp_path / "mine" / "mine-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 5, 4), np.uint8)))
        (tmp_path / "mine" / "mine-labels-idx1-ubyte").write_bytes(idx(np.array(labels, np.uint8)))
        store = neurodata.prepare(f"folder:{tmp_path / 'mine'}", cache=tmp_path / "cache")
        return store.path, sorted(store.table.targets.tolist()), store.head.classes

    (tmp_path / "mine").mkdir()
    first, targets, classes = prepared([2, 0, 2])
    assert (targets, classes) == ([0, 1, 1], ("0", "2"))
    assert prepared([0, 0, 2])[0] != first


def test_sounds_of_two_rates_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for name, rate_hz in (("a.wav", 8000), ("b.flac", 16_000)):
        (tmp_path / "one").mkdir(exist_ok=True)
        neurodata.write(Waveform(np.zeros(100, np.float32), rate_hz), tmp_path / "one" / name)
    with pytest.raises(FormatError, match="bring them to one form, or state the format"):
        find_dataset(f"folder:{tmp_path}")


def test_an_array_is_the_target_of_one_sample_of_a_file_of_many(tmp_path: Path) -> None:
    write_spikes(tmp_path / "mine" / "spikes.h5")
    for k in range(4):
        np.save(tmp_path / "mine" / f"t{k}.npy", np.arange(k))
    name = f"folder:{tmp_path / 'mine'}"
    for_all = labels_file(tmp_path, "path,target.words:series\nspikes.h5,t3.npy\n")
    with pytest.raises(FormatError, match=r"spikes\.h5 holds 4 samples, and its row tells all of them the target t3"):
        find_dataset(name, labels=for_all)
    rows = "".join(f"spikes.h5,{k},t{k}.npy,{10 * k}\n" for k in (2, 0, 3))
    labels = labels_file(tmp_path, f"path,item,target.words:series,target.age\n{rows}")
    store = neurodata.prepare(name, T=2, labels=labels)
    assert {
        key: (store.read_target(k, "words").tolist(), int(store.read_target(k, "age")))
        for k, key in enumerate(store.table.keys)
    } == {f"spikes.h5#{k}": (list(range(k)), 10 * k) for k in (2, 0, 3)}
    number = labels_file(tmp_path, "path,target.age\nspikes.h5,30\n")  # as a label is: of all speakers of the file
    assert len(find_dataset(name, labels=number).samples(tmp_path / "mine")) == 4
