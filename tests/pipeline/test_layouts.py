"""The same samples in every layout, and what only a store of events can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neurodata
from neurodata.datasets import Located
from neurodata.errors import EncodingError, LoaderError, RecipeError, StoreError, StoreNotFoundError
from neurodata.loader import Split
from neurodata.pipeline import measure_layouts
from neurodata.recipe import STEP_KEYS, load_recipe
from neurodata.store import verify


@pytest.fixture
def events(source: Path) -> neurodata.loader.Store:
    return neurodata.prepare("dvs-gesture", T=4, source=source, layout="events")


def written(folder: Path, steps: str, layout: str = "events") -> Path:
    path = folder / "own.toml"
    path.write_text(f'dataset = "dvs-gesture"\nlayout = "{layout}"\nsamples_per_shard = 8\n{steps}')
    return path


def frames_by_key(split: Split, **arguments: Any) -> dict[str, torch.Tensor]:
    loader = split.loader(4, **{"dtype": "stored"} | arguments)
    return {key: frame for batch in loader for key, frame in zip(batch.keys, batch.frames, strict=True)}


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("layout", ["sparse", "events"])
def test_every_layout_holds_the_same_frames(source: Path, tmp_path: Path, layout: str, compression: str) -> None:
    recipe = written(tmp_path, f'compression = "{compression}"\n[[steps]]\nname = "event_frame"\nT = 4\n')
    dense = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, layout="dense")
    other = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, layout=layout)
    assert dense.path != other.path
    assert dense.table.keys == other.table.keys
    assert dense.counts == other.counts
    assert verify(other.path, deep=True).problems == ()
    split = neurodata.load("dvs-gesture", recipe=recipe, source=source, layout=layout, partial=True)
    expected = frames_by_key(dense["train"])
    for found in (frames_by_key(split), {split.keys[i]: split.sample(i).frames for i in range(len(split))}):
        assert found.keys() == expected.keys()
        for key, frames in found.items():
            np.testing.assert_array_equal(frames, expected[key])
    assert [split[i][1] for i in range(len(split))] == dense["train"].labels.tolist()


@pytest.mark.parametrize("windows", [{"T": 7}, {"T": 3, "split_by": "time"}])
def test_one_store_of_events_serves_every_number_of_frames(
    source: Path, tmp_path: Path, events: Any, windows: dict[str, Any]
) -> None:
    dense = neurodata.prepare("dvs-gesture", source=source, layout="dense", cache=tmp_path / "other", **windows)
    split = neurodata.load("dvs-gesture", source=source, layout="events", partial=True, **windows)
    assert split.store.path == events.path
    expected, found = frames_by_key(dense["train"]), frames_by_key(split)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("name", ["voxel_grid", "time_surface"])
def test_and_every_encoding(source: Path, tmp_path: Path, events: Any, name: str) -> None:
    recipe = written(tmp_path, f'[[steps]]\nname = "{name}"\nT = 5\n', layout="dense")
    dense = neurodata.prepare("dvs-gesture", source=source, recipe=recipe)
    expected, found = frames_by_key(dense["train"]), frames_by_key(events["train"].with_view([{"name": name, "T": 5}]))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_load_takes_a_store_of_events_where_no_store_of_frames_is(source: Path, events: Any) -> None:
    split = neurodata.load("dvs-gesture", T=5, source=source, partial=True)
    assert split.store.path == events.path
    assert split.spec.shape == (5, 2, 128, 128)
    neurodata.prepare("dvs-gesture", T=5, source=source)
    assert neurodata.load("dvs-gesture", T=5, source=source, partial=True).store.path != events.path


def test_random_transforms_are_drawn_anew_in_every_epoch(source: Path, tmp_path: Path) -> None:
    drop = '[[steps]]\nname = "drop_events"\nmethod = "random"\nratio = 0.5\nonly = "train"\n'
    steps = drop + '[[steps]]\nname = "event_frame"\nT = 2\n'
    recipe = written(tmp_path, steps)
    neurodata.prepare("dvs-gesture", recipe=recipe, source=source)
    train, test = (
        neurodata.load("dvs-gesture", recipe=recipe, source=source, partial=True, split=part)
        for part in ("train", "test")
    )
    loader = train.loader(3, seed=1, dtype="stored")
    first, second = (
        {key: f for batch in loader for key, f in zip(batch.keys, batch.frames, strict=True)} for _ in "ab"
    )
    again = frames_by_key(train, shuffle=True, seed=1, threads=3)
    whole = frames_by_key(train.with_view([{"name": "event_frame", "T": 2}]))
    for key in first:
        assert torch.equal(first[key], again[key])
        assert not torch.equal(first[key], second[key])
        assert 0 < first[key].sum() < whole[key].sum()
    plain = frames_by_key(test.with_view([{"name": "event_frame", "T": 2}]))
    assert all(torch.equal(frames, plain[key]) for key, frames in frames_by_key(test).items())
    one, other = train[0][0], train[0][0]  # as torch's DataLoader asks, epoch after epoch
    assert not torch.equal(one, other)


def test_labels_follow_a_flip_at_load(source: Path, events: Any) -> None:
    split = events["train"].with_view([{"name": "flip_x", "p": 0.5}, {"name": "event_frame", "T": 1}])
    plain = events["train"].with_view([{"name": "event_frame", "T": 1}])
    change = neurodata.registry.datasets["dvs-gesture"].label_maps["flip_x"]
    frames, n_flipped = frames_by_key(plain, dtype="float32"), 0
    for batch in split.loader(5, seed=0):
        for key, found, label in zip(batch.keys, batch.frames, batch.targets.tolist(), strict=True):
            kept = int(plain.labels[list(plain.keys).index(key)])
            is_flipped = not torch.equal(found, frames[key])
            n_flipped += is_flipped
            assert torch.equal(found, frames[key].flip(-1) if is_flipped else frames[key])
            assert label == (change.get(kept, kept) if is_flipped else kept)
    assert 0 < n_flipped < len(split)


def test_samples_may_differ_in_length(source: Path, tmp_path: Path) -> None:
    steps = '[[steps]]\nname = "event_frame"\nevents_per_frame = 40\n'
    recipe = written(tmp_path, steps, layout="sparse")
    sparse = neurodata.prepare("dvs-gesture", recipe=recipe, source=source)
    events = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, layout="events")
    view = events["train"].with_view([{"name": "event_frame", "events_per_frame": 40}])
    with pytest.raises(RecipeError, match="choose layout sparse or events"):
        neurodata.prepare("dvs-gesture", recipe=recipe, source=source, layout="dense")
    for batch, other in zip(sparse["train"].loader(5), view.loader(5, batch_first=False), strict=True):
        assert torch.equal(batch.frames, other.frames.transpose(0, 1))
        assert torch.equal(batch.lengths, other.lengths)
        assert batch.mask.sum(1).tolist() == batch.lengths.tolist()
        assert not batch.frames[~batch.mask].any()
    assert len(set(sparse.table.n_steps.tolist())) > 1


@pytest.mark.parametrize(
    ("layout", "steps", "words"),
    [
        ("sparse", '[[steps]]\nname = "voxel_grid"\nT = 5\n', "float32, and a sparse store holds counts"),
        ("dense", '[[steps]]\nname = "event_frame"\nT = 2\nwhen = "load"\n', 'needs layout = "events"'),
        ("dense", '[[steps]]\nname = "drop_events"\n[[steps]]\nname = "event_frame"\nT = 2\n', "frozen = true"),
        (
            "events",
            '[[steps]]\nname = "flip_y"\nwhen = "load"\n[[steps]]\nname = "drop_events"\nfrozen = true\n'
            '[[steps]]\nname = "event_frame"\nT = 2\n',
            "drop_events is frozen, but it is done at load",
        ),
        ("events", '[[steps]]\nname = "flip_y"\nlabels = "keep"\n', "no step gives an array"),
        ("events", '[[steps]]\nname = "event_frame"\nT = 2\nonly = "valid"\n', "only is 'valid'"),
    ],
)
def test_what_does_not_fit_a_layout_is_told(tmp_path: Path, layout: str, steps: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe("dvs-gesture", written(tmp_path, steps, layout)).array()


def test_the_identity_of_a_store_of_events_is_that_of_its_stored_steps(tmp_path: Path) -> None:
    stored = '[[steps]]\nname = "crop"\nwidth = 64\nheight = 64\n'
    view = '[[steps]]\nname = "drop_events"\n[[steps]]\nname = "event_frame"\nT = 2\n'
    one = load_recipe("dvs-gesture", written(tmp_path, stored + view))
    assert [name for name, _ in one.steps] == ["crop"]
    assert [entry.name for entry in one.view] == ["drop_events", "event_frame"]
    assert one.array().shape == (2, 2, 64, 64)
    other = load_recipe("dvs-gesture", written(tmp_path, stored + '[[steps]]\nname = "hats"\n'))
    assert one.recipe_id == other.recipe_id
    assert one.recipe_id != load_recipe("dvs-gesture", written(tmp_path, view)).recipe_id


def test_a_store_of_events_asks_how_frames_are_made(events: Any, source: Path) -> None:
    with pytest.raises(StoreError, match="no frames until it is said how they are made"):
        events["train"].loader(4)
    with pytest.raises(LoaderError, match="end the steps with an encoding"):
        events["train"].with_view([{"name": "flip_y"}])
    with pytest.raises(RecipeError, match="no step 'event_fram'"):
        events["train"].with_view([{"name": "event_fram"}])
    dense = neurodata.prepare("dvs-gesture", T=2, source=source, layout="dense")
    with pytest.raises(StoreError, match="holds frames"):
        dense["train"].with_view([{"name": "event_frame", "T": 2}])
    with pytest.raises(StoreNotFoundError, match="--layout sparse"):
        neurodata.load("dvs-gesture", T=2, source=source, layout="sparse", partial=True)


def test_layouts_are_measured_for_a_person_to_choose(source: Path) -> None:
    sizes = measure_layouts(load_recipe("dvs-gesture", T=4), Located(source, "folder", None))
    assert sizes.n_samples == 24
    assert sizes.plain["dense"] == 4 * 2 * 128 * 128 * 2
    assert sizes.plain["sparse"] < sizes.packed["dense"] * 2
    assert sizes.recommended == "sparse"
    assert 0 < sizes.density < 0.5
    voxels = load_recipe("dvs-gesture", T=4, overrides={"event_frame": {"dtype": "uint32"}})
    assert measure_layouts(voxels, Located(source, "folder", None)).plain["dense"] == 4 * 2 * 128 * 128 * 4


def test_random_steps_are_for_training_alone_unless_all_is_said(source: Path, tmp_path: Path) -> None:
    steps = '[[steps]]\nname = "flip_x"\np = 0.5\n[[steps]]\nname = "event_frame"\nT = 1\n'
    recipe = written(tmp_path, steps)
    neurodata.prepare("dvs-gesture", recipe=recipe, source=source)
    test = neurodata.load("dvs-gesture", recipe=recipe, source=source, partial=True, split="test")
    assert not test.source.random
    once, again = (torch.cat([batch.targets for batch in loader]) for loader in [test.loader(4, seed=0)] for _ in "ab")
    assert once.tolist() == again.tolist() == test.labels.tolist()
    plain = written(tmp_path, steps.replace("p = 0.5", 'p = 0.5\nonly = "all"'))
    assert neurodata.load("dvs-gesture", recipe=plain, source=source, partial=True, split="test").source.random


def test_steps_of_a_view_are_tables_or_steps(events: Any) -> None:
    registry = neurodata.registry
    steps = [registry.transforms["crop"](64, 64, at="fixed", left=3), registry.encodings["event_frame"](2)]
    tables = [
        {"name": "crop", "width": 64, "height": 64, "at": "fixed", "left": 3},
        {"name": "event_frame", "frames_number": 2},
    ]
    one, other = (frames_by_key(events["train"].with_view(view)) for view in (steps, tables))
    assert all(torch.equal(one[key], other[key]) for key in one)
    for wrong in ("voxel_grid", {"name": "voxel_grid"}, [3]):
        with pytest.raises(LoaderError, match="expected"):
            events["train"].with_view(wrong)


def test_no_parameter_of_a_step_is_called_what_a_recipe_calls_something_else() -> None:
    for kind in (neurodata.registry.transforms, neurodata.registry.encodings):
        for name in kind:
            taken = {*kind[name].__dataclass_fields__, *kind[name].aliases} & set(STEP_KEYS)
            assert not taken, f"{name}: {taken}"


def test_an_encoding_takes_the_place_of_the_recipes(source: Path) -> None:
    store = neurodata.prepare("dvs-gesture", T=3, encoding="voxel_grid", source=source)
    split = neurodata.load(
        "dvs-gesture", T=3, encoding="voxel_grid", voxel_grid={"per_polarity": False}, source=source, partial=True
    )
    assert split.store.path == store.path
    assert split.spec.shape == (3, 1, 128, 128)
    with pytest.raises(RecipeError, match="no encoding 'voxel_gird'; there is voxel_grid"):
        neurodata.prepare("dvs-gesture", encoding="voxel_gird", source=source)
    with pytest.raises(RecipeError, match="--encoding voxel_grid"):
        neurodata.prepare("dvs-gesture", recipe="voxel_grid", source=source)


def test_a_store_without_one_event_is_an_error(source: Path, tmp_path: Path) -> None:
    steps = '[[steps]]\nname = "time_slice"\nstart_us = 999999999\n[[steps]]\nname = "event_frame"\nT = 1\n'
    with pytest.raises(EncodingError, match=r"none of [\d,]+ events was encoded: dropped"):
        neurodata.prepare("dvs-gesture", recipe=written(tmp_path, steps, layout="dense"), source=source)


def test_checksums_are_compared_as_asked(source: Path, events: Any) -> None:
    for when in ("first-read", "never"):
        split = neurodata.load("dvs-gesture", T=4, source=source, layout="events", partial=True, verify=when)
        assert split.store.verify == when
    with pytest.raises(StoreError, match="expected always or first-read or never"):
        neurodata.open_store(events.path, verify="sometimes")
