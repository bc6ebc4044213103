from __future__ import annotations

import copy
import json
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from neurodata import registry
from neurodata.augmentations.flip import Flip
from neurodata.augmentations.mixup import Mixup
from neurodata.datasets._folder import RECIPES as FOLDER_RECIPES
from neurodata.encodings.direct import Direct
from neurodata.encodings.event_frame import EventFrame
from neurodata.encodings.sign_frame import SignFrame
from neurodata.errors import RecipeError, UnknownNameError
from neurodata.forms import ClipForm
from neurodata.recipe import Recipe, load_recipe, recipe_names, stored_recipe
from tests.step_examples import names_for_events


def write_recipe(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def steps_are_here(name: str) -> bool:
    table = tomllib.loads(resources.files("neurodata.recipes").joinpath(f"{name}.toml").read_text("utf-8"))
    return all(step["name"] in registry.transforms or step["name"] in registry.encodings for step in table["steps"])


def test_every_dataset_has_a_recipe_of_its_name_and_so_has_a_folder_of_every_kind() -> None:
    names = set(recipe_names())
    assert set(registry.datasets.names()) <= names
    assert set(FOLDER_RECIPES.values()) <= names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_parses_for_its_dataset(name: str) -> None:
    if not steps_are_here(name):
        pytest.skip("its steps are not here")
    table = tomllib.loads(resources.files("neurodata.recipes").joinpath(f"{name}.toml").read_text("utf-8"))
    if table["dataset"] == "folder":
        pytest.skip("tests/datasets/test_folder.py tries it on a folder")
    recipe = load_recipe(table["dataset"], name)
    assert recipe.dataset.name == table["dataset"]
    assert recipe.array().size_bytes > 0 or recipe.array().has_variable_steps


def test_arguments_change_the_steps_that_have_them() -> None:
    recipe = load_recipe("dvs-gesture", T=8, split_by="time", overrides={"event_frame": {"dtype": "uint8"}})
    assert recipe.steps == (("event_frame", EventFrame(T=8, split_by="time", dtype="uint8")),)
    assert recipe.array().shape == (8, 2, 128, 128)


def test_names_may_be_written_with_underscores() -> None:
    assert load_recipe("dvs_gesture").recipe_id == load_recipe("dvs-gesture").recipe_id


@pytest.mark.parametrize(
    "change",
    [
        {"T": 8},
        {"split_by": "time"},
        {"overrides": {"event_frame": {"dtype": "uint32"}}},
        {"overrides": {"event_frame": {"overflow": "saturate"}}},
    ],
)
def test_a_changed_parameter_changes_the_identity(change: dict) -> None:
    assert load_recipe("dvs-gesture", **change).recipe_id != load_recipe("dvs-gesture").recipe_id


def test_defaults_written_out_do_not_change_the_identity(tmp_path: Path) -> None:
    path = write_recipe(
        tmp_path,
        """
        dataset = "dvs-gesture"
        samples_per_shard = 32
        layout = "sparse"
        compression = "none"
        [[steps]]
        overflow = "error"
        name = "event_frame"
        T = 16
        """,
    )
    assert load_recipe("dvs-gesture", path).recipe_id == load_recipe("dvs-gesture").recipe_id


def test_the_identity_is_the_one_that_stores_on_disk_carry() -> None:
    """Golden: a change here orphans every store that users have; raise a version, and say so in the changelog."""
    assert load_recipe("dvs-gesture").canonical() == {
        "store_version": 4,
        "dataset": {"name": "dvs-gesture", "version": 1},
        "reader": {"name": "aedat31", "version": 1},
        "steps": [
            {
                "name": "event_frame",
                "version": 1,
                "parameters": {"T": 16, "split_by": "count", "dtype": "uint16", "overflow": "error"},
            }
        ],
        "layout": "sparse",
        "compression": "none",
        "samples_per_shard": 32,
    }


FRAMES = '[[steps]]\nname = "event_frame"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = =", r"mine.toml: .*line 1"),
        ('dataset = "dvs-gesture"', r"expected at least one \[\[steps\]\]"),
        (f"colour = 1\n{FRAMES}T = 1", r"colour: unknown key; a recipe takes: dataset, layout"),
        (f"{FRAMES}T = 1\nbins = 2", r"event_frame.bins: unknown key; event_frame takes: T, split_by"),
        (f'{FRAMES}T = "8"', r"event_frame.T is '8': input should be a valid integer"),
        (f'{FRAMES}T = 1\nsplit_by = "phase"', r"event_frame.split_by is 'phase': .*'count' or 'time'"),
        (f"{FRAMES}T = 0", r"T is 0; expected 1 to 16777216"),
        (FRAMES, r"event_frame: .*T"),
        (f"{FRAMES}T = 1".replace("frame", "frames"), r"no step 'event_frames'; there is .*event_frame"),
        (f'dataset = "n-mnist"\n{FRAMES}T = 1', r"is a recipe for n-mnist, not for dvs-gesture"),
        (f"samples_per_shard = 0\n{FRAMES}T = 1", r"samples_per_shard is 0"),
        (f"{FRAMES}T = 1\n{FRAMES}T = 1", r"comes after an encoding"),
    ],
)
def test_a_wrong_recipe_is_refused_with_place_and_way_out(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("dvs-gesture", write_recipe(tmp_path, text))


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="dvs-gesture"):
        load_recipe("dvs-gestures")
    with pytest.raises(RecipeError, match=r"neither a readable file nor one of .*dvs-gesture"):
        load_recipe("dvs-gesture", "missing.toml")
    with pytest.raises(RecipeError, match=r"no step 'voxel' .*; the steps are event_frame"):
        load_recipe("dvs-gesture", overrides={"voxel": {"bins": 5}})


@pytest.mark.parametrize("overrides", [{"t": 4}, {"event_frames": {"T": 4}}])
def test_a_misspelt_argument_names_the_steps(overrides: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"no step '{next(iter(overrides))}' .*the steps are event_frame"):
        load_recipe("dvs-gesture", overrides=overrides)


def test_the_parameters_of_a_step_are_a_mapping() -> None:
    with pytest.raises(RecipeError, match="event_frame is 8; expected its parameters"):
        load_recipe("dvs-gesture", overrides={"event_frame": 8})  # type: ignore[dict-item]


@pytest.mark.parametrize("T", ["x", True, 2.0, 0, -1])
def test_a_number_of_steps_is_an_integer_from_1_on(T: Any) -> None:
    with pytest.raises(RecipeError, match="T is "):
        load_recipe("dvs-gesture", T=T)


AUGMENTED = """
dataset = "dvs-gesture"
samples_per_shard = 32
[[steps]]
name = "event_frame"
T = 16
[[augment]]
name = "flip"
p = 0.25
[[augment]]
name = "mixup"
mixup_alpha = 0.5
prob = 0.5
until_epoch = 75
"""


def test_augmentations_of_a_recipe_are_kept_outside_of_its_identity(tmp_path: Path) -> None:
    recipe = load_recipe("dvs-gesture", write_recipe(tmp_path, AUGMENTED))
    assert recipe.augment == (Flip(p=0.25), Mixup(alpha=0.5, p=0.5, until_epoch=75))
    plain = load_recipe("dvs-gesture", write_recipe(tmp_path, AUGMENTED.partition("[[augment]]")[0]))
    assert plain.augment == ()
    assert recipe.recipe_id == plain.recipe_id
    assert recipe.canonical() == plain.canonical() == load_recipe("dvs-gesture").canonical()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            '[[augment]]\nname = "flop"',
            "mine.toml: expected the name of an augmentation and found 'flop'; there is .*flip",
        ),
        ("[[augment]]\np = 0.5", "expected the name of an augmentation and found None"),
        ('[augment]\nname = "flip"', r"expected \[\[augment\]\] tables"),
        ("augment = [3]", "found None"),
        ('[[augment]]\nname = "flip"\nq = 1', r"mine.toml: flip\.q: unknown key; flip takes: .*axis"),
        ('[[augment]]\nname = "flip"\np = "often"', r"flip\.p is 'often'"),
        ('[[augment]]\nname = "flip"\np = 2', "flip: p is 2.*; expected 0 to 1"),
        ('[[augment]]\nname = "mixup"\nprob = 0.1\np = 0.1', r"mixup\.p is stated twice"),
        ('[[augment]]\nname = "resize"\nheight = 3', r"resize\.width: is not stated; resize takes: .*height, width"),
        ('[[augment]]\nname = "flip"\nfrozen = true', r"flip\.frozen: unknown key"),
    ],
)
def test_augmentations_are_checked_like_steps(tmp_path: Path, table: str, message: str) -> None:
    before, _, _ = AUGMENTED.partition("[[steps]]")
    text = f"{table}\n{before}" if table.startswith("augment") else f"{before}{table}"
    text = f'{text}\n[[steps]]\nname = "event_frame"\nT = 4'
    with pytest.raises(RecipeError, match=message):
        load_recipe("dvs-gesture", write_recipe(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        ("frames_number = 8", {"T": 4}, EventFrame(T=4)),
        ("n_time_bins = 8", {"T": 4}, EventFrame(T=4, split_by="time")),
        ("n_time_bins = 8", {"split_by": "count"}, EventFrame(T=8, split_by="count")),
        ("T = 8", {"overrides": {"event_frame": {"frames_number": 4}}}, EventFrame(T=4)),
        ('T = 8\nsplit_by = "time"', {"overrides": {"event_frame": {"n_event_bins": 4}}}, EventFrame(T=4)),
        ("time_window = 8", {"overrides": {"event_frame": {"duration_us": 4}}}, EventFrame(duration_us=4)),
    ],
)
def test_a_parameter_is_changed_whichever_of_its_names_the_recipe_and_the_change_use(
    tmp_path: Path, text: str, change: dict[str, Any], expected: EventFrame
) -> None:
    recipe = load_recipe("dvs-gesture", write_recipe(tmp_path, FRAMES + text), **change)
    assert recipe.steps == (("event_frame", expected),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "voxel_grid"', r"mine\.toml: voxel_grid\.T: is not stated; voxel_grid takes: T, per_polarity"),
        ('name = "spike_raster"\nT = 3', r"mine\.toml: spike_raster\.bin_us: is not stated"),
        ('name = "tore"\nT = 2\nmin_us = 9\nmax_us = 5', r"mine\.toml: tore: min_us is 9; expected 0 to 4"),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_told_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("dvs-gesture", write_recipe(tmp_path, f"[[steps]]\n{text}"))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        pytest.param(name, dict(parameters), id=f"{name}-{k}")
        for name in names_for_events(registry.encodings)
        for k, parameters in enumerate(registry.encodings[name].examples)
    ],
)
def test_every_encoding_is_stated_in_a_recipe_and_its_identity_states_it_again(
    tmp_path: Path, name: str, parameters: dict[str, Any]
) -> None:
    def recipe_of(table: dict[str, Any]) -> Recipe:
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items()]
        return load_recipe("dvs-gesture", write_recipe(tmp_path, f'[[steps]]\nname = "{name}"\n' + "".join(lines)))

    recipe = recipe_of(parameters)
    assert recipe.steps == ((name, registry.encodings[name](**parameters)),)
    again = recipe_of(recipe.canonical()["steps"][0]["parameters"])
    assert (again.steps, again.recipe_id) == (recipe.steps, recipe.recipe_id)


def test_a_layout_that_does_not_hold_pictures_is_not_answered_with_another_that_does_not() -> None:
    with pytest.raises(RecipeError, match=r"a sparse store holds counts .*: choose layout dense$"):
        load_recipe("mnist", layout="sparse").array()
    with pytest.raises(RecipeError, match="leave the layout out"):
        load_recipe("mnist", layout="events")


def test_a_step_that_does_not_fit_is_told_with_what_is_before_it() -> None:
    with pytest.raises(RecipeError, match="step ttfs takes Image or Clip or Series, but n-mnist before it gives Event"):
        load_recipe("n-mnist", encoding="ttfs", T=4)
    with pytest.raises(RecipeError, match="step bae takes Waveform, but log_mel before it gives Series"):
        load_recipe("fsdd", encoding="bae")


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        (EventFrame(duration_us=1000), "state T as well, or choose layout sparse or events$"),
        (SignFrame(duration_us=1000), "state T as well, or choose layout events$"),
        (
            Direct(),
            "state clip_frames in its place$",
        ),
    ],
)
def test_samples_of_different_lengths_are_told_which_layouts_hold_them(encoding: Any, words: str) -> None:
    recipe = load_recipe("n-mnist")
    dataset = copy.copy(recipe.dataset)
    if isinstance(encoding, Direct):
        dataset.form = ClipForm(width=8, height=8)
    name = type(encoding).__module__.rpartition(".")[2]
    with pytest.raises(RecipeError, match=words):
        replace(recipe, dataset=dataset, steps=((name, encoding),), layout="dense").array()


@pytest.mark.parametrize("layout", ["dense", "events", None])
def test_the_recipe_that_a_store_holds_is_the_same_recipe_again(tmp_path: Path, layout: str | None) -> None:
    text = (
        'seed = 3\nsamples_per_shard = 5\n[[steps]]\nname = "crop"\nwidth = 64\nheight = 48\n'
        '[[steps]]\nname = "drop_events"\nratio = [0.1, 0.25]\nfrozen = true\n[[steps]]\nname = "voxel_grid"\nT = 5\n'
    )
    recipe = load_recipe("dvs-gesture", write_recipe(tmp_path, text), layout=layout)
    again = stored_recipe("mine", recipe.dataset, json.loads(json.dumps(recipe.canonical())))
    assert (again.steps, again.recipe_id, again.name) == (recipe.steps, recipe.recipe_id, recipe.name)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name in registry.datasets.names()])
def test_every_recipe_is_found_again_in_its_canonical_form(name: str) -> None:
    if not steps_are_here(name):
        pytest.skip(f"{name} has steps of another branch")
    recipe = load_recipe(name)
    again = stored_recipe(name, recipe.dataset, json.loads(json.dumps(recipe.canonical())))
    assert (again.steps, again.recipe_id) == (recipe.steps, recipe.recipe_id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": [{"name": "no_such_step", "parameters": {}}]}, "no step 'no_such_step'"),
        ({"steps": [{"name": "event_frame", "parameters": {"bins": 3}}]}, "bins: unknown key"),
        ({"steps": [{"name": "event_frame"}]}, "not the recipe of a store"),
        ({"steps": 3}, "not the recipe of a store"),
    ],
)
def test_a_stored_recipe_of_steps_that_are_not_here_is_an_error(change: dict[str, Any], words: str) -> None:
    recipe = load_recipe("dvs-gesture")
    with pytest.raises(RecipeError, match=words):
        stored_recipe("mine", recipe.dataset, recipe.canonical() | change)
