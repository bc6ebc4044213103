"""Datasets of tonic, and any others that are map-style, as sources of stores."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neurodata
from neurodata.adapters import torch as of_torch
from neurodata.adapters.exchange import import_dataset
from neurodata.adapters.tonic import as_tonic, source, to_events
from neurodata.encodings.event_frame import reference
from neurodata.errors import FormatError, NeurodataError, RecipeError, SourceNotFoundError, UnknownNameError
from neurodata.forms import ImageForm, SeriesForm
from neurodata.loader import Store
from neurodata.pipeline import Repaired, SourceOfStore, repair_store, thread_pool
from neurodata.signals import EventArray, Image, Sensor
from neurodata.storage import unpack
from neurodata.store import verify

DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])
SENSOR = Sensor(8, 6)


@pytest.fixture(autouse=True, scope="module")
def _nothing_waits_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def events(seed: int, n: int = 50) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    made = np.empty(n, DTYPE)
    made["x"], made["y"] = rng.integers(0, 8, n), rng.integers(0, 6, n)
    made["t"], made["p"] = np.cumsum(rng.integers(0, 90, n)), rng.integers(0, 2, n)
    return made


class Recordings:
    """As tonic's datasets are, with nothing on disk."""

    sensor_size = (8, 6, 2)

    def __init__(self, n: int = 9, first: int = 0) -> None:
        self.n, self.first = n, first

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        return events(self.first + index), index % 3


class Other(Recordings):
    """Whose items are what they are told to be."""

    def __init__(self, *items: Any) -> None:
        super().__init__(len(items))
        self.items = items

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.items[index], Exception):
            raise self.items[index]
        return self.items[index]


def test_a_dataset_of_events_is_prepared_as_its_items_are() -> None:
    store = neurodata.prepare(source(Recordings(), Recordings(4, 50)), T=4)
    assert (len(store["train"]), len(store["test"]), store.head.classes) == (9, 4, ("0", "1", "2"))
    for part, first in (("train", 0), ("test", 50)):
        for i in range(len(store[part])):
            sample = store[part].sample(i)
            assert sample.key.startswith(f"{part}/")
            k = int(sample.key.partition("/")[2])
            array = EventArray.from_structured(events(first + k), SENSOR)
            np.testing.assert_array_equal(sample.frames, reference(array, 4, "count"))
            assert sample.target == k % 3
    assert verify(store.path, deep=True).problems == ()


def test_the_same_dataset_is_the_same_store_and_other_data_is_another() -> None:
    first = neurodata.prepare(source(Recordings()), T=4)
    assert neurodata.prepare(source(Recordings()), T=4).path == first.path
    assert neurodata.load(source(Recordings()), T=4).store.path == first.path
    other = neurodata.prepare(source(Recordings(first=1)), T=4)
    assert other.path != first.path
    assert other.head.source_id != first.head.source_id
    assert other.head.recipe_id == first.head.recipe_id


def test_what_was_not_prepared_is_told_in_words_of_python() -> None:
    with pytest.raises(NeurodataError, match=r"neurodata\.prepare\(<tonic-Recordings>"):
        neurodata.load(source(Recordings()), T=4)


def test_processes_read_the_items_and_write_the_same_bytes() -> None:
    first = neurodata.prepare(source(Recordings()), T=4)
    files = {path.name: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        again = neurodata.prepare(source(Recordings()), T=4, executor=pool, force=True)
    assert files == {path.name: path.read_bytes() for path in again.path.rglob("*") if path.is_file()}


def test_a_dataset_that_cannot_travel_says_so() -> None:
    made = Recordings()
    made.odd = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(RecipeError, match="prepare with threads"):
        pickle.dumps(source(made))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (ValueError("no luck"), "item 1 of train cannot be read: ValueError: no luck"),
        (events(0), "expected a pair"),
        ((events(0), 1.5), "label is 1.5"),
        ((events(0), None), "label is None"),
        ((events(0), np.array([0, 1])), r"label is array\(\[0, 1\]\)"),
        ((np.zeros((4, 2, 6, 8)), 1), "expected structured events"),
        ((events(0)[["y", "p"]], 1), "expected structured events"),
    ],
)
def test_a_bad_item_is_named(item: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        neurodata.prepare(source(Other((events(0), 0), item)), T=4)


class Unsteady(Recordings):
    """Gives other events each time."""

    n_read = 0

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        self.n_read += 1
        return events(self.n_read), index % 3


def test_items_that_are_others_each_time_are_in_no_store() -> None:
    with pytest.raises(FormatError, match="another than when it was hashed"):
        neurodata.prepare(source(Unsteady()), T=4)
    found = of_torch.source(Unsteady(), SENSOR, lambda found: EventArray.from_structured(found, SENSOR))
    with pytest.raises(FormatError, match="another than when it was hashed"):
        neurodata.prepare(found, T=4)


def test_items_are_compared_in_other_processes_too() -> None:
    made = source(Recordings(3))
    made.content_sha256()
    travelled = pickle.loads(pickle.dumps(made))
    assert travelled.read(Path(), "train", 1).signal == made.read(Path(), "train", 1).signal
    travelled.parts["train"].first = 5
    with pytest.raises(FormatError, match="item 1 of train is another"):
        travelled.read(Path(), "train", 1)


@pytest.mark.parametrize("length", [lambda self: [][0], lambda self: -1, None])
def test_what_tells_no_length_is_no_source(length: Any) -> None:
    made = type("Stream", (), {"sensor_size": (8, 6, 2), "__getitem__": lambda self, k: (events(k), 0)})
    if length is not None:
        made.__len__ = length  # type: ignore[attr-defined]
    with pytest.raises(FormatError, match="tells no length"):
        source(made())


def test_targets_that_a_property_tells_are_taken() -> None:
    class Told(Recordings):
        @property
        def targets(self) -> list[int]:
            return [k % 3 for k in range(self.n)]

    assert [ref.target for ref in source(Told()).samples(Path())] == [k % 3 for k in range(9)]


def test_targets_that_are_not_the_labels_of_the_items_are_found_out() -> None:
    made = Recordings()
    made.targets = [0] * 9  # type: ignore[attr-defined]
    with pytest.raises(FormatError, match="item 1 of train has the label 1; `targets` says 0"):
        neurodata.prepare(source(made), T=4)


def test_labels_by_name_and_classes_by_number() -> None:
    by_name = source(Other((events(0), "b"), (events(1), "a")))
    assert by_name.classes == ("a", "b")
    assert [ref.target for ref in by_name.samples(Path())] == [1, 0]
    numbered = source(Other((events(0), np.int64(2)), (events(1), 0)), classes=["x", "y", "z"])
    assert [ref.target for ref in numbered.samples(Path())] == [2, 0]
    with pytest.raises(FormatError, match="expected one of the 2 classes x, y"):
        source(Other((events(0), 2)), classes=["x", "y"]).samples(Path())
    far = source(Other((events(0), -7), (events(1), 4)))
    assert far.classes == ("-7", "4")
    assert [ref.target for ref in far.samples(Path())] == [0, 1]


def test_negative_labels_are_classes_by_their_names() -> None:
    made = source(Other((events(0), 0), (events(1), -1), (events(2), 1), (events(3), True)))
    assert made.classes == ("-1", "0", "1")
    assert [ref.target for ref in made.samples(Path())] == [1, 0, 2, 2]
    items = [(np.zeros((2, 3), np.uint8), label) for label in (0, -1, 1)]
    assert import_dataset(items, name="signed")["train"].labels.tolist() == [1, 0, 2]


def test_labels_mixed_of_names_and_numbers_are_refused() -> None:
    with pytest.raises(FormatError, match="not both"):
        source(Other((events(0), 1), (events(1), "a")))


def test_a_sensor_that_is_not_told_is_asked_for() -> None:
    made = Recordings()
    made.sensor_size = None  # type: ignore[assignment]
    with pytest.raises(RecipeError, match="state the sensor"):
        source(made)
    assert source(made, sensor=SENSOR).sensor == SENSOR


def test_cochlea_events_have_neither_y_nor_polarity() -> None:
    made = np.zeros(3, np.dtype([("t", int), ("x", int), ("p", int)]))
    made["t"], made["x"] = [5, 3, 9], [699, 0, 1]
    reading = to_events(made, Sensor(700, 1, 1))
    signal = reading.signal
    assert isinstance(signal, EventArray)
    assert signal.t.tolist() == [3, 5, 9]
    assert signal.x.tolist() == [0, 699, 1]
    assert signal.y.tolist() == [0, 0, 0]
    assert signal.p.all()
    assert reading.findings == {"late": 1}


@pytest.mark.parametrize(
    ("field", "dtype", "value", "message"),
    [
        ("t", np.float64, 0.5, "whole microseconds"),
        ("x", np.int64, -1, "x is int64 from -1"),
        ("x", np.int64, 8, "to 8; expected whole numbers on the sensor 8x6x2"),
        ("y", np.float32, 1, "y is float32"),
    ],
)
def test_events_that_no_sensor_gives_are_refused(field: str, dtype: Any, value: Any, message: str) -> None:
    made = np.zeros(2, [(name, dtype if name == field else DTYPE[name]) for name in DTYPE.names or ()])
    made[field][1] = value
    with pytest.raises(FormatError, match=message):
        to_events(made, SENSOR)


def test_negative_polarity_is_off_and_the_input_stays_as_it_is() -> None:
    made = np.zeros(2, [("x", int), ("y", int), ("t", int), ("p", int)])
    made["p"] = [-1, 1]
    before = made.copy()
    signal = to_events(made, SENSOR).signal
    assert isinstance(signal, EventArray)
    assert signal.p.tolist() == [False, True]
    assert (made == before).all()


class Pictures:
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return np.full((4, 5), 40 * index, np.uint8), index % 2


def to_image(pixels: NDArray[np.uint8]) -> Image:
    return Image(pixels[..., np.newaxis].astype(np.float32) / 255)


def to_events_instead(pixels: NDArray[np.uint8]) -> EventArray:
    return EventArray.empty(SENSOR)


def fails(pixels: NDArray[np.uint8]) -> Image:
    raise KeyError("no such thing")


def test_any_dataset_with_a_function_that_makes_signals() -> None:
    made = of_torch.source(Pictures(), ImageForm(5, 4), to_image, test=Pictures(), name="grey pictures")
    store = neurodata.prepare(made, encoding="direct", T=2)
    assert store.head.dataset == "grey-pictures"
    for i in range(6):
        sample = store["test"].sample(i)
        k = int(sample.key.partition("/")[2])
        np.testing.assert_array_equal(sample.frames, np.full((2, 1, 4, 5), np.float32(40 * k) / np.float32(255)))


@pytest.mark.parametrize(("function", "message"), [(to_events_instead, "gives a EventArray"), (fails, "KeyError")])
def test_a_function_that_makes_something_else_is_told(function: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        neurodata.prepare(of_torch.source(Pictures(), ImageForm(5, 4), function), encoding="direct", T=2)


def test_pictures_of_another_size_than_stated_are_refused() -> None:
    with pytest.raises(FormatError, match="item 0 of train is pictures 5x4x1; expected pictures 6x4x1"):
        neurodata.prepare(of_torch.source(Pictures(), ImageForm(6, 4), to_image), encoding="direct", T=2)


def write_n_mnist(root: Path) -> None:
    """As tonic unpacks it: few recordings, and the archives that it looks for."""
    home = root / "NMNIST"
    for part, n in (("Train", 6), ("Test", 3)):
        for k in range(n):
            path = home / part / str(k % 3) / f"{k:05d}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            neurodata.write(EventArray.from_structured(events(k), Sensor(34, 34)), path, "nmnist")
    for name in ("train.zip", "test.zip"):
        (home / name).write_bytes(b"")


@pytest.fixture
def n_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tonic = pytest.importorskip("tonic")
    write_n_mnist(tmp_path / "data")
    monkeypatch.setattr(tonic.datasets.NMNIST, "_folder_contains_at_least_n_files_of_type", lambda *_: True)
    from neurodata.adapters.tonic import _constructed

    _constructed.cache_clear()
    return tmp_path / "data"


@pytest.mark.parametrize("folder", ["", "NMNIST"])
def test_a_class_of_tonic_by_its_name(n_mnist: Path, folder: str) -> None:
    store = neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist / folder)
    assert (len(store["train"]), len(store["test"])) == (6, 3)
    assert store.head.classes[7] == "7 - seven"
    for i in range(6):
        sample = store["train"].sample(i)
        read = neurodata.read(n_mnist / "NMNIST" / sample.key, "nmnist", Sensor(34, 34))
        np.testing.assert_array_equal(sample.frames, reference(read, 4, "count"))
        assert sample.target == int(Path(sample.key).parent.name)
    assert neurodata.load("tonic:nmnist", T=4, source=n_mnist).store.path == store.path


def test_a_folder_is_found_from_any_working_folder(n_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodata.adapters.tonic import by_name

    monkeypatch.chdir(n_mnist.parent)
    for folder in ("data", "data/NMNIST"):
        assert by_name("NMNIST").find_root(Path(folder)) == n_mnist


def test_another_byte_in_a_file_of_tonics_is_another_source(n_mnist: Path) -> None:
    first = neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist)
    changed = next((n_mnist / "NMNIST" / "Train").rglob("*.bin"))
    changed.write_bytes(changed.read_bytes()[:-5])
    assert neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist).head.source_id != first.head.source_id


def test_the_order_that_tonic_lists_files_in_makes_no_difference(n_mnist: Path) -> None:
    import tonic

    first, second = (tonic.datasets.NMNIST(str(n_mnist)) for _ in range(2))
    second.data.reverse()
    second.targets.reverse()
    store = neurodata.prepare(source(first), T=4)
    files = {path.relative_to(store.path): path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    again = neurodata.prepare(source(second), T=4, force=True)
    assert again.path == store.path
    assert files == {
        path.relative_to(store.path): path.read_bytes() for path in store.path.rglob("*") if path.is_file()
    }
    keys = list(store["train"].keys)
    assert keys == sorted(keys)


def test_an_item_is_the_same_file_where_a_disk_lists_others_first(
    n_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tonic

    from neurodata.adapters.tonic import _constructed, by_name

    made = by_name("NMNIST")
    refs = made.samples(n_mnist)
    _constructed.cache_clear()  # as in a process of another machine
    construct = tonic.datasets.NMNIST.__init__

    def elsewhere(self: Any, *args: Any, **words: Any) -> None:
        construct(self, *args, **words)
        self.data.reverse()
        self.targets.reverse()

    monkeypatch.setattr(tonic.datasets.NMNIST, "__init__", functools.wraps(construct)(elsewhere))
    for ref in refs:
        assert ref.item is not None
        part: Any = "train" if ref.key.startswith("Train") else "test"
        signal = made.read(n_mnist, part, ref.item).signal
        assert signal == neurodata.read(n_mnist / "NMNIST" / ref.key, "nmnist", Sensor(34, 34))
    _constructed.cache_clear()


def test_a_file_that_came_since_is_seen_by_the_same_process(n_mnist: Path) -> None:
    assert len(neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist)) == 9
    some = next((n_mnist / "NMNIST" / "Train").rglob("*.bin"))
    some.with_name("99999.bin").write_bytes(some.read_bytes())
    assert len(neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist)) == 10


def test_a_dataset_of_tonic_that_ends_the_process_does_not(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    (tmp_path / "DVSLip").mkdir()
    with pytest.raises(SourceNotFoundError, match="tonic cannot open DVSLip"):
        neurodata.prepare("tonic:DVSLip", T=4, source=tmp_path)


def damage(store: Store) -> None:
    """One byte of a chunk."""
    assert isinstance(store.path, Path)
    chunks = [path for path in store.path.rglob("c/*") if path.is_file() and "samples" not in path.parts]
    largest = max(chunks, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 3] ^= 1
    largest.write_bytes(content)
    assert verify(store.path, deep=True).problems


def repaired(store: Store, source: Path) -> Repaired:
    assert isinstance(store.path, Path)
    return repair_store(store.path, SourceOfStore(source), make_executor=thread_pool)


def test_a_store_of_a_class_of_tonic_is_repaired_from_its_files(n_mnist: Path) -> None:
    store = neurodata.prepare("tonic:NMNIST", T=4, source=n_mnist, layout="events")
    damage(store)
    assert len(repaired(store, n_mnist).replaced) == 1
    assert verify(store.path, deep=True).problems == ()


def test_stores_that_cannot_be_repaired_say_what_to_do(tmp_path: Path) -> None:
    of_objects = neurodata.prepare(source(Recordings()), layout="events")
    items = [(np.ones((2, 3), np.uint8), 0)]
    imported = import_dataset(items, name="n-mnist", layout="sparse")  # as one that neurodata knows
    for store, message in ((of_objects, r"an object in Python, repair it there"), (imported, "neurodata import")):
        damage(store)
        with pytest.raises(RecipeError, match=message):
            repaired(store, tmp_path)


def test_options_of_a_dataset_are_part_of_its_identity(n_mnist: Path) -> None:
    import tonic

    whole = source(tonic.datasets.NMNIST(str(n_mnist)))
    part = source(tonic.datasets.NMNIST(str(n_mnist), first_saccade_only=True))
    assert whole.source_facts(n_mnist, ()) != part.source_facts(n_mnist, ())


def test_a_transform_of_tonics_is_applied_and_told_apart(n_mnist: Path) -> None:
    import tonic

    class Turned:
        def __call__(self, found: NDArray[Any]) -> NDArray[Any]:
            turned = found.copy()
            turned["x"] = 33 - turned["x"]
            return turned

    plain = neurodata.prepare(source(tonic.datasets.NMNIST(str(n_mnist))), T=4)
    turned = neurodata.prepare(source(tonic.datasets.NMNIST(str(n_mnist), transform=Turned())), T=4)
    assert plain.head.source_id != turned.head.source_id
    of = {plain.table.keys[i].partition("/")[2]: plain.read(i) for i in range(6)}
    assert len(of) == 6
    total = sum(plain.read(i) for i in range(6))
    np.testing.assert_array_equal(total[..., ::-1], sum(turned.read(i) for i in range(6)))


def test_files_that_tonic_would_download_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    with pytest.raises(SourceNotFoundError, match=r"tonic\.datasets\.NMNIST\('DIR'\)"):
        neurodata.prepare("tonic:NMNIST", T=4)
    with pytest.raises(SourceNotFoundError, match="no folder NMNIST there"):
        neurodata.prepare("tonic:NMNIST", T=4, source=tmp_path)
    (tmp_path / "NMNIST").mkdir()
    with pytest.raises(SourceNotFoundError, match="does not let it download"):
        neurodata.prepare("tonic:NMNIST", T=4, source=tmp_path)


def test_classes_of_tonic_that_there_are_not_or_that_have_no_sensor() -> None:
    pytest.importorskip("tonic")
    with pytest.raises(UnknownNameError, match="NMNIST"):
        neurodata.prepare("tonic:Nothing", T=4)
    with pytest.raises(RecipeError, match="state the sensor"):
        neurodata.prepare("tonic:NCALTECH101", T=4)
    with pytest.raises(RecipeError, match="has no twin"):
        neurodata.prepare("tonic:NMNIST", T=4, twin=True)


def test_shd_of_tonic_gives_the_spikes_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    from neurodata.adapters.tonic import _constructed

    _constructed.cache_clear()
    twin = tmp_path / "twin"
    twin.mkdir()
    neurodata.registry.datasets["shd"].write_twin(twin, 0, 40)
    home = tmp_path / "data" / "SHD"
    for archive in twin.iterdir():
        unpack(archive, tmp_path / archive.stem)
        found = next((tmp_path / archive.stem).rglob("*.h5"))
        home.mkdir(parents=True, exist_ok=True)
        found.rename(home / found.name)
        (home / archive.name).write_bytes(b"")
    ours = neurodata.prepare("shd", layout="events", source=home)
    theirs = neurodata.prepare("tonic:SHD", layout="events", source=tmp_path / "data")
    assert len(ours["train"]) == len(theirs["train"]) > 0
    assert theirs.head.classes == ("zero", *theirs.head.classes[1:])
    keys = {key: i for i, key in enumerate(ours.table.keys)}
    for i in range(len(theirs)):
        partition, _, number = theirs.table.keys[i].partition("/")
        j = keys[f"shd_{partition}.h5#{number}"]
        a, b = ours.read_events(j), theirs.read_events(i)
        assert ours.table.targets[j] == theirs.table.targets[i]
        # Tonic cuts microseconds off, we round: half-precision seconds are no whole microseconds.
        assert np.abs(a.t - b.t).max() <= 1
        assert sorted(a.x.tolist()) == sorted(b.x.tolist())


def test_a_store_of_events_as_tonics_transforms_take_it() -> None:
    transforms = pytest.importorskip("tonic.transforms")
    store = neurodata.prepare(source(Recordings()), layout="events")
    split = as_tonic(store["train"])
    assert split.sensor_size == (8, 6, 2)
    frame = transforms.ToFrame(sensor_size=split.sensor_size, n_event_bins=1)
    for i in range(len(split)):
        found, label = split[i]
        k = int(store["train"].keys[i].partition("/")[2])
        np.testing.assert_array_equal(found, events(k))
        assert label == k % 3
        assert frame(found).sum() == len(found)
    with pytest.raises(IndexError):
        split[9]
    assert len(split[-1][0]) == 50


def test_real_n_mnist_is_the_same_through_tonic(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tonic = pytest.importorskip("tonic")
    monkeypatch.setattr(tonic.datasets.NMNIST, "_folder_contains_at_least_n_files_of_type", lambda *_: True)
    home = tmp_path / "data" / "NMNIST"
    for part, some in (("Train", 3), ("Test", 2)):
        for digit in "0123456789":
            (home / part / digit).mkdir(parents=True)
            for file in sorted((recordings / "n-mnist" / part / digit).glob("*.bin"))[:some]:
                (home / part / digit / file.name).symlink_to(file)
        (home / f"{part.lower()}.zip").touch()
    of_tonic = source(*(tonic.datasets.NMNIST(str(home.parent), train=train) for train in (True, False)))
    theirs = neurodata.prepare(of_tonic, T=8, split_by="time")
    ours = neurodata.prepare("n-mnist", T=8, split_by="time", source=home, event_frame={"dtype": "uint16"})
    assert len(theirs) == len(ours) > 20
    keys = {key: i for i, key in enumerate(ours.table.keys)}
    for i, key in enumerate(theirs.table.keys):
        np.testing.assert_array_equal(theirs.read(i), ours.read(keys[key]), strict=True)
        assert theirs.table.targets[i] == ours.table.targets[keys[key]]


def test_a_series_is_no_source() -> None:
    with pytest.raises(RecipeError, match="what steps make"):
        of_torch.source(Pictures(), SeriesForm(3, 100.0), to_image)


def test_items_that_nothing_tells_of_are_read_once_before_they_are_prepared() -> None:
    made = Unsteady()
    source(made).content_sha256()
    assert made.n_read == 9
