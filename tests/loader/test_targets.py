"""Targets of every kind on every way from a labelled folder to a batch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import neurodata
from neurodata.errors import LoaderError, NeurodataError, RecipeError
from neurodata.loader import Batch, Split
from neurodata.loader._targets import side_by_side
from neurodata.steps import STORABLE
from neurodata.targets import TargetSpec
from tests.labelled import HEADERS, T, index_of, targets_of, write_labelled

FIXED = ("angle", "digits", "flow")


def prepared(folder: Path, split: str = "train", **arguments: Any) -> Split:
    names = arguments.pop("names", tuple(HEADERS))
    labels = write_labelled(folder / "mine", names=names, classes=arguments.pop("classes", True))
    arguments = {"labels": labels, "T": T, "cache": folder / "cache"} | arguments
    neurodata.prepare(f"folder:{folder / 'mine'}", workers=1, **arguments)
    return neurodata.load(f"folder:{folder / 'mine'}", split=split, **arguments)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """Five samples for training, with targets of every kind."""
    return prepared(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def of_fixed_shapes(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return prepared(tmp_path_factory.mktemp("fixed"), names=FIXED)


def check(batch: Batch, time_axis: int = 1) -> None:
    """Every target of a batch is that of the sample whose key stands beside it."""
    assert list(batch.targets) == ["class", *HEADERS]
    targets: Any = batch.targets
    for k, key in enumerate(batch.keys):
        expected = targets_of(index_of(key))
        assert targets["class"][k] == index_of(key) % 2
        for name in ("angle", "digits", "flow", "place"):
            found = targets[name][k].numpy()
            assert (found.dtype, found.shape) == (expected[name].dtype, expected[name].shape)
            np.testing.assert_array_equal(found, expected[name])
        for name in ("hand", "speed"):
            series, n_rows = targets[name].select(1 - time_axis, k).numpy(), len(expected[name])
            assert batch.target_lengths[name][k] == n_rows
            np.testing.assert_array_equal(series[:n_rows], expected[name])
            assert not series[n_rows:].any()
    assert list(batch.target_lengths) == ["hand", "speed"]


def test_an_item_has_all_targets_by_name(split: Split) -> None:
    frames, targets = split[0]
    expected = targets_of(index_of(split.keys[0]))
    assert frames.shape == (T, 2, 5, 6)
    assert list(targets) == ["class", *HEADERS]
    assert targets["class"] == index_of(split.keys[0]) % 2
    for name, array in expected.items():
        assert targets[name].numpy().dtype == array.dtype
        np.testing.assert_array_equal(targets[name], array)
    sample = split.sample(0)
    assert sample.targets.keys() == expected.keys()
    np.testing.assert_array_equal(sample.targets["place"], expected["place"])


def test_the_split_says_which_targets_it_has(split: Split) -> None:
    assert [spec.name for spec in split.target_specs] == list(HEADERS)
    assert "targets angle (values, float32 []), digits (values, int64 [3]), place (boxes" in repr(split)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_first", [True, False])
def test_batches_have_the_targets_of_their_samples(split: Split, threads: int, batch_first: bool) -> None:
    loader = split.loader(2, shuffle=True, seed=3, threads=threads, batch_first=batch_first)
    for batch in loader:
        check(batch, time_axis=1 if batch_first else 0)
        frames, targets = batch
        assert targets is batch.targets
        # As many rows as time steps in every sample: the frames' mask is the series' too.
        speed: Any = targets["speed"]
        assert (speed if batch_first else speed.T)[batch.mask].numel() == len(batch) * T
        assert frames.shape[1 if batch_first else 0] == T


def test_series_with_as_many_rows_as_time_steps_are_padded_as_the_frames_are(split: Split) -> None:
    batch = next(iter(split.loader(5, pad_to=9)))
    check(batch)
    targets: Any = batch.targets
    assert (targets["speed"].shape, targets["hand"].shape) == ((5, 9), (5, T, 2))
    assert torch.equal(batch.mask[:, T:], torch.zeros(5, 5, dtype=torch.bool))


def test_a_batch_of_empty_series_has_no_rows(split: Split) -> None:
    even = split.select(lambda row: index_of(row.key) % 2 == 0)
    batch = next(iter(even.loader(2)))
    check(batch)
    assert batch.targets["hand"].shape == (2, 0, 2)


def test_padding_drop_last_selection_and_other_partitions_carry_targets(split: Split) -> None:
    padded = [batch for rank in range(3) for batch in split.loader(1, rank=rank, world_size=3, seed=0)]
    assert sum(int(batch.valid.sum()) for batch in padded) == len(split) < len(padded)
    dropped = list(split.loader(2, drop_last=True))
    selected = list(split.select([4, 0, 0]).loader(3))
    validation = list(split.store.split("validation", val="random:0.4").loader(1))
    test = list(split.store["test"].loader(2))
    folded = list(split.store.split("test", fold=(0, 3)).loader(2))
    for batch in [*padded, *dropped, *selected, *validation, *test, *folded]:
        check(batch)


def test_a_selected_class_is_numbered_anew_and_other_targets_stay(split: Split) -> None:
    one = split.store.split("train", classes=["class1"])
    for batch in one.loader(2):
        assert batch.targets["class"].tolist() == [0] * len(batch)
        for k, key in enumerate(batch.keys):
            np.testing.assert_array_equal(batch.targets["digits"][k], targets_of(index_of(key))["digits"])


def test_a_resumed_epoch_goes_on_with_the_same_targets(split: Split) -> None:
    whole = list(split.loader(1, shuffle=True, seed=5))
    loader = split.loader(1, shuffle=True, seed=5)
    iterator = iter(loader)
    next(iterator)
    resumed = split.loader(1, shuffle=True, seed=5)
    resumed.load_state_dict(loader.state_dict())
    rest = list(resumed)
    assert [batch.keys for batch in rest] == [batch.keys for batch in whole[1:]]
    for batch in rest:
        check(batch)


def test_all_tensors_of_a_batch_move_to_the_device(split: Split) -> None:
    batch = next(iter(split.loader(3))).to("meta")
    targets: Any = batch.targets
    assert {tensor.device.type for name, tensor in targets.items() if name != "place"} == {"meta"}
    assert [tensor.device.type for tensor in targets["place"]] == ["meta"] * 3
    assert {tensor.device.type for tensor in batch.target_lengths.values()} == {"meta"}


@pytest.mark.parametrize("layout", ["sparse", "events"])
def test_other_layouts_serve_them_too_also_where_a_device_makes_the_frames(tmp_path: Path, layout: str) -> None:
    split = prepared(tmp_path, layout=layout)
    for raster in (False, True):
        for batch in split.loader(2, raster=raster):
            check(batch)
    frames, targets = split[1]
    assert frames.shape == (T, 2, 5, 6)
    np.testing.assert_array_equal(targets["flow"], targets_of(index_of(split.keys[1]))["flow"])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12+, on fork
@pytest.mark.parametrize("n_workers", [0, 2])
def test_torchs_loader_collates_fixed_shapes(of_fixed_shapes: Split, n_workers: int) -> None:
    for frames, targets in DataLoader(of_fixed_shapes, batch_size=5, num_workers=n_workers):
        assert frames.shape == (5, T, 2, 5, 6)
        for k, key in enumerate(of_fixed_shapes.keys):
            for name in FIXED:
                np.testing.assert_array_equal(targets[name][k], targets_of(index_of(key))[name])
        assert targets["class"].dtype == torch.int64


def test_a_batch_says_which_targets_it_has(split: Split) -> None:
    assert "targets class, angle, digits, place, flow, hand, speed" in repr(next(iter(split.loader(3))))


def test_torchs_loader_takes_ragged_targets_with_a_collate_function(split: Split) -> None:
    def collate(items: list[Any]) -> Any:
        return torch.stack([frames for frames, _ in items]), [targets for _, targets in items]

    _, targets = next(iter(DataLoader(split, batch_size=5, collate_fn=collate)))
    np.testing.assert_array_equal(targets[2]["place"], targets_of(index_of(split.keys[2]))["place"])


def test_batch_transforms_get_the_targets_by_name_and_may_return_a_tensor(split: Split) -> None:
    def double(frames: Any, targets: Any, rng: np.random.Generator) -> Any:
        return frames, targets | {"speed": 2 * targets["speed"]}

    def only_angles(frames: Any, targets: Any, rng: np.random.Generator) -> Any:
        return frames, targets["angle"]

    batch = next(iter(split.loader(5, batch_transform=double, batch_first=False)))
    np.testing.assert_array_equal(batch.targets["speed"][:, 1], 2 * targets_of(index_of(batch.keys[1]))["speed"])
    batch = next(iter(split.loader(5, batch_transform=only_angles, batch_first=False)))
    assert batch.targets.tolist() == [index_of(key) / 4 for key in batch.keys]
    assert batch.target_lengths == {}


def test_augmentations_that_move_nothing_leave_targets_as_they_are(split: Split) -> None:
    for batch in split.loader(5, augment=[{"name": "time_mask"}, {"name": "cutout"}], seed=0):
        check(batch)


def test_a_dataset_without_classes_has_none_in_its_targets(tmp_path: Path) -> None:
    split = prepared(tmp_path, classes=False)
    assert split.classes == ()
    batch = next(iter(split.loader(5, augment=[{"name": "cutout"}], seed=0)))
    assert list(batch.targets) == list(HEADERS)
    assert list(split[0][1]) == list(HEADERS)


@pytest.mark.parametrize(
    ("names", "arguments", "words"),
    [
        (("place",), {"resize": (3, 3)}, r"resize=\(3, 3\): it moves pixels, and the target place .* does not move"),
        (("flow",), {"resize": (3, 3)}, "it moves pixels, and the target flow"),
        (("place",), {"augment": [{"name": "flip", "labels": "keep"}]}, "flip: it moves pixels, and the target place"),
        (("flow",), {"augment": [{"name": "rotate", "labels": "keep"}]}, "rotate: it moves pixels"),
        (("speed",), {"augment": [{"name": "temporal_delete", "T": 2}]}, "it moves time, and the target speed"),
        (("place",), {"augment": [{"name": "temporal_delete", "T": 2}]}, "it moves time, and the target place"),
        (("angle",), {"augment": [{"name": "mixup"}]}, r"mixup mixes samples, and the target angle .* is not mixed"),
        (("angle",), {"augment": [{"name": "flip"}]}, 'flip: it can change what a sample means.*say labels = "keep"'),
    ],
)
def test_what_would_part_targets_from_samples_is_refused(
    tmp_path: Path, names: tuple[str, ...], arguments: dict[str, Any], words: str
) -> None:
    split = prepared(tmp_path, names=names)
    with pytest.raises(LoaderError, match=words):
        split.loader(2, **arguments)


def test_what_moves_other_things_than_a_target_is_tied_to_is_allowed(tmp_path: Path) -> None:
    split = prepared(tmp_path, names=("angle", "speed"))
    flipped = split.loader(5, resize=(3, 3), augment=[{"name": "flip", "labels": "keep"}], seed=0)
    batch = next(iter(flipped))
    assert batch.frames.shape[-2:] == (3, 3)
    np.testing.assert_array_equal(batch.targets["speed"][0], targets_of(index_of(batch.keys[0]))["speed"])


@pytest.mark.parametrize(
    ("names", "step", "words"),
    [
        (("flow",), '{ name = "crop", width = 3, height = 3 }', "crop does not fit folder-mine: it moves pixels"),
        (("speed",), '{ name = "time_slice", start_us = 0, stop_us = 9 }', "time_slice does not fit .*: it moves time"),
        (("speed",), '{ name = "first_events", n = 9 }', "first_events does not fit .*: it moves time"),
        (("place",), '{ name = "reverse_time", labels = "keep" }', "reverse_time does not fit .*: it moves time"),
    ],
)
@pytest.mark.parametrize("layout", ["dense", "events"])
def test_a_recipe_whose_steps_would_part_targets_from_samples_is_refused(
    tmp_path: Path, names: tuple[str, ...], step: str, words: str, layout: str
) -> None:
    recipe = tmp_path / "moved.toml"
    recipe.write_text(f'layout = "{layout}"\nsteps = [{step}, {{ name = "event_frame", T = 4 }}]')
    with pytest.raises(RecipeError, match=words):
        prepared(tmp_path, names=names, recipe=recipe, T=None)


def test_a_view_that_would_part_targets_from_samples_is_refused(tmp_path: Path) -> None:
    split = prepared(tmp_path, names=("flow",), layout="events")
    frames = {"name": "event_frame", "T": 2}
    with pytest.raises(LoaderError, match="view: flip_x does not fit folder-mine: it moves pixels"):
        split.with_view([{"name": "flip_x", "labels": "keep"}, frames])
    dropped = split.with_view([{"name": "drop_events"}, frames])
    np.testing.assert_array_equal(dropped[0][1]["flow"], targets_of(index_of(split.keys[0]))["flow"])


@pytest.mark.parametrize("raster", [False, True])
def test_damage_of_a_target_names_the_sample(tmp_path: Path, raster: bool) -> None:
    split = prepared(tmp_path, layout="sparse")
    path = next(Path(str(split.store.path)).glob("data.zarr/targets/digits/c/0/0"))
    path.write_bytes(b"\x01" + path.read_bytes()[1:])
    with pytest.raises(NeurodataError, match=r"sample 'r\d\.es': .*crc32c") as caught:
        list(split.loader(2, threads=2, raster=raster))
    assert any("while loading sample 'r" in note for note in caught.value.__notes__)


@settings(max_examples=8, deadline=None)
@given(st.data(), st.integers(1, 5), st.sampled_from(["dense", "sparse", "events"]))
def test_any_target_comes_through_a_folder_a_store_and_a_loader(data: st.DataObject, n: int, layout: str) -> None:
    kind = data.draw(st.sampled_from(["values", "boxes", "map", "series"]))
    axes = {"values": (0, 3), "boxes": (1, 1), "map": (2, 3), "series": (0, 2)}[kind]
    item_shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=axes[0], max_size=axes[1])))
    dtype = data.draw(st.sampled_from(STORABLE))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = [(int(rng.integers(0, 4)),) if kind in ("boxes", "series") else () for _ in range(n)]
    arrays = {f"r{i}.es": (rng.random((*rows[i], *item_shape)) * 100).astype(dtype) for i in range(n)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "mine"
        labels = write_labelled(folder, n=n, names=())
        for key, array in arrays.items():
            np.save(folder / f"{key}.npy", array)
        labels.write_text("\n".join([f"path,target.t:{kind}", *(f"{key},{key}.npy" for key in arrays)]))
        arguments: Any = {"labels": labels, "T": T, "cache": Path(name) / "cache", "layout": layout}
        neurodata.prepare(f"folder:{folder}", workers=1, **arguments)
        split = neurodata.load(f"folder:{folder}", **arguments)
        for batch in split.loader(2, threads=2, shuffle=True, seed=1):
            for k, key in enumerate(batch.keys):
                found = batch.targets["t"][k]
                if kind == "series":
                    found = found[: batch.target_lengths["t"][k]]
                assert (found.numpy().dtype, tuple(found.shape)) == (arrays[key].dtype, arrays[key].shape)
                np.testing.assert_array_equal(found, arrays[key])
                np.testing.assert_array_equal(split[list(split.keys).index(key)][1]["t"], arrays[key])
        split.store.close()


def test_series_of_other_lengths_than_the_frames_are_as_long_as_the_longest() -> None:
    spec = TargetSpec("s", "series", np.dtype(np.int32), (0,), ("time",))
    samples = [{"s": np.arange(1, n + 1, dtype=np.int32)} for n in (3, 1)]
    targets, n_rows = side_by_side([spec], samples, torch.tensor([3, 1]), 5)
    assert targets["s"].tolist() == [[1, 2, 3, 0, 0], [1, 0, 0, 0, 0]]
    targets, n_rows = side_by_side([spec], samples, torch.tensor([3, 2]), 5)
    assert targets["s"].tolist() == [[1, 2, 3], [1, 0, 0]]
    assert n_rows["s"].tolist() == [3, 1]
