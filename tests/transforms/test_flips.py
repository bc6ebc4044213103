"""flip_x, flip_y, flip_polarity, reverse_time and transpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata import registry
from neurodata.encodings.event_frame import EventFrame
from neurodata.errors import RecipeError
from neurodata.recipe import Recipe, load_recipe
from neurodata.signals import EventArray, Sensor
from tests.step_contract import CORNERS, events_of
from tests.strategies import event_arrays

FLIPS = ["flip_x", "flip_y", "flip_polarity", "reverse_time"]
EVENTS = events_of([2, 5, 5, 9], [0, 1, 2, 0], [0, 1, 1, 0], [1, 0, 1, 1], Sensor(4, 2))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flip_x", events_of([2, 5, 5, 9], [3, 2, 1, 3], [0, 1, 1, 0], [1, 0, 1, 1], Sensor(4, 2))),
        ("flip_y", events_of([2, 5, 5, 9], [0, 1, 2, 0], [1, 0, 0, 1], [1, 0, 1, 1], Sensor(4, 2))),
        ("flip_polarity", events_of([2, 5, 5, 9], [0, 1, 2, 0], [0, 1, 1, 0], [0, 1, 0, 0], Sensor(4, 2))),
        ("reverse_time", events_of([2, 6, 6, 9], [0, 2, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0], Sensor(4, 2))),
        ("transpose", events_of([2, 5, 5, 9], [0, 1, 1, 0], [0, 1, 2, 0], [1, 0, 1, 1], Sensor(2, 4))),
    ],
)
def test_flips_by_hand(name: str, expected: EventArray) -> None:
    assert registry.transforms[name]()(EVENTS) == expected


@pytest.mark.parametrize("name", [*FLIPS, "transpose"])
@given(events=event_arrays())
def test_twice_is_the_sample_itself(name: str, events: EventArray) -> None:
    step = registry.transforms[name]()
    assert step(step(events)) == events


@pytest.mark.parametrize("name", [*FLIPS, "transpose"])
def test_twice_is_the_sample_itself_in_corners(name: str) -> None:
    step = registry.transforms[name]()
    for events in CORNERS.values():
        assert step(step(events)) == events


@given(events=event_arrays(), T=st.integers(1, 5))
def test_frames_of_flips_are_flipped_frames(events: EventArray, T: int) -> None:
    frame = EventFrame(T=T)
    frames = frame(events)  # [T, C, H, W]
    np.testing.assert_array_equal(frame(registry.transforms["flip_x"]()(events)), frames[:, :, :, ::-1])
    np.testing.assert_array_equal(frame(registry.transforms["flip_y"]()(events)), frames[:, :, ::-1])
    np.testing.assert_array_equal(frame(registry.transforms["flip_polarity"]()(events)), frames[:, ::-1])
    np.testing.assert_array_equal(frame(registry.transforms["transpose"]()(events)), frames.transpose(0, 1, 3, 2))


def test_a_sensor_of_one_polarity_keeps_it() -> None:
    events = CORNERS["one polarity"]
    assert registry.transforms["flip_polarity"]()(events) is events
    assert registry.transforms["reverse_time"]()(events).p.all()


def test_reversed_time_can_leave_polarity_as_it_is() -> None:
    assert registry.transforms["reverse_time"](flip_polarity=False)(EVENTS).p.tolist() == [True, True, False, True]


@pytest.mark.parametrize("name", FLIPS)
def test_a_flip_happens_with_its_probability_which_is_its_first_and_only_draw(name: str) -> None:
    step = registry.transforms[name](p=0.25)
    flipped = registry.transforms[name]()(EVENTS)
    n_flipped = 0
    for seed in range(400):
        happens = step.happens(np.random.default_rng(seed))
        assert happens == (np.random.default_rng(seed).random() < 0.25)
        assert step(EVENTS, np.random.default_rng(seed)) == (flipped if happens else EVENTS)
        n_flipped += happens
    assert abs(n_flipped - 100) < 30  # 3.5 standard deviations


@pytest.mark.parametrize("name", FLIPS)
def test_a_flip_that_always_or_never_happens_is_not_random(name: str) -> None:
    never, always = registry.transforms[name](p=0.0), registry.transforms[name]()
    assert not never.stochastic
    assert not always.stochastic
    assert never(EVENTS) is EVENTS
    assert always.happens(None)
    assert not never.happens(None)


@pytest.mark.parametrize("name", FLIPS)
def test_a_probability_is_from_0_to_1_and_labels_are_mapped_or_kept(name: str) -> None:
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(RecipeError, match=f"{name}: p is {p}; expected 0 to 1"):
            registry.transforms[name](p=p)
    with pytest.raises(RecipeError, match=f"{name}: labels is 'drop'; expected map or keep"):
        registry.transforms[name](labels="drop")


def recipe_of(tmp_path: Path, dataset: str, step: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[[steps]]\n{step}\n\n[[steps]]\nname = "event_frame"\nT = 4\n')
    return load_recipe(dataset, path)


def test_the_class_follows_a_flip_where_the_dataset_says_how(tmp_path: Path) -> None:
    mirrored = recipe_of(tmp_path, "dvs-gesture", 'name = "flip_x"')
    assert [mirrored.target(k, "a key") for k in range(11)] == [0, 2, 1, 6, 5, 4, 3, 7, 8, 9, 10]
    backwards = recipe_of(tmp_path, "dvs-gesture", 'name = "reverse_time"')
    assert [backwards.target(k, "a key") for k in range(11)] == [0, 1, 2, 4, 3, 6, 5, 7, 8, 9, 10]
    kept = recipe_of(tmp_path, "dvs-gesture", 'name = "flip_x"\nlabels = "keep"')
    assert [kept.target(k, "a key") for k in range(11)] == list(range(11))


def test_the_class_follows_exactly_the_samples_that_were_flipped(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "dvs-gesture", 'name = "flip_x"\np = 0.5\nfrozen = true')
    events = events_of([0], [5], [0], [1], Sensor(128, 128))
    flipped = {key: bool(recipe.encode(events, key)[3, 1, 0, 122]) for key in map(str, range(50))}
    assert {recipe.target(1, key) == 2 for key, is_flipped in flipped.items() if is_flipped} == {True}
    assert {recipe.target(1, key) == 1 for key, is_flipped in flipped.items() if not is_flipped} == {True}


@pytest.mark.parametrize("name", [*FLIPS, "transpose"])
def test_a_flip_is_refused_where_nobody_says_what_becomes_of_classes(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match='say labels = "keep" if they stay what they are'):
        recipe_of(tmp_path, "n-mnist", f'name = "{name}"')
    assert recipe_of(tmp_path, "n-mnist", f'name = "{name}"\nlabels = "keep"').target(3, "a key") == 3


@pytest.mark.parametrize("degrees", ["90", "-46", "180.0", "270", "[-30, 50]", "[-180.0, 180.0]", "[10, 350]"])
def test_a_turn_that_can_change_a_class_is_refused_likewise(tmp_path: Path, degrees: str) -> None:
    step = f'name = "rotate"\ndegrees = {degrees}\nfrozen = true'
    with pytest.raises(RecipeError, match=r'rotate can change what a class means \(rotate\).*say labels = "keep"'):
        recipe_of(tmp_path, "n-mnist", step)
    assert recipe_of(tmp_path, "n-mnist", f'{step}\nlabels = "keep"').target(6, "a key") == 6


@pytest.mark.parametrize("degrees", ["45", "-45.0", "[-30, 30]", "360", "[-360, -320]", "350"])
def test_a_small_turn_leaves_classes_as_they_are(tmp_path: Path, degrees: str) -> None:
    recipe = recipe_of(tmp_path, "n-mnist", f'name = "rotate"\ndegrees = {degrees}\nfrozen = true')
    assert recipe.target(6, "a key") == 6


def test_the_class_follows_a_turn_where_the_dataset_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.datasets["n-mnist"], "label_maps", {"rotate": {6: 9, 9: 6}}, raising=False)
    upside_down = recipe_of(tmp_path, "n-mnist", 'name = "rotate"\ndegrees = 180')
    assert [upside_down.target(k, "a key") for k in (6, 8, 9)] == [9, 8, 6]
    tilted = recipe_of(tmp_path, "n-mnist", 'name = "rotate"\ndegrees = 20')
    assert tilted.target(6, "a key") == 6


def test_a_random_step_of_a_store_needs_a_word_and_the_word_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"happens once for all epochs, and to test samples too\. Say frozen = true"):
        recipe_of(tmp_path, "dvs-gesture", 'name = "flip_x"\np = 0.5')
