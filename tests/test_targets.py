"""What a target may be, and which steps part it from its sample."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from neurodata import registry
from neurodata.augmentations import Augmentation, Draws
from neurodata.errors import RecipeError
from neurodata.signals import EventArray
from neurodata.steps import MOVES_ALL, moves_of
from neurodata.targets import TargetSpec, check_targets, parted_by
from tests.augmentation_contract import frames_for, targets_for
from tests.labelled import recording

FLOAT = np.dtype(np.float32)
VALUES = TargetSpec("v", "values", FLOAT, (2,), ("axis",))
BOXES = TargetSpec("b", "boxes", FLOAT, (0, 4), ("box", "field"))
STILL = TargetSpec("m", "map", FLOAT, (3, 4), ("y", "x"))
MOVING = TargetSpec("n", "map", FLOAT, (2, 3, 4), ("time", "y", "x"))
SERIES = TargetSpec("s", "series", FLOAT, (0, 2), ("time", "axis"))


@pytest.mark.parametrize("spec", [VALUES, BOXES, STILL, MOVING, SERIES])
def test_a_target_comes_back_from_json(spec: TargetSpec) -> None:
    assert TargetSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("class", "values", FLOAT, (), ()), "and not 'class'"),
        (("a/b", "values", FLOAT, (), ()), "lower-case letters"),
        (("a", "classes", FLOAT, (), ()), "target a: kind is 'classes'; expected values, boxes, map, series"),
        (("a", "values", np.dtype("M8[us]"), (), ()), "its type is datetime64"),
        (("a", "values", FLOAT, (0,), ("x",)), "at least 1 along every axis"),
        (("a", "boxes", FLOAT, (3, 4), ("box", "field")), "0 for the first axis, which is free"),
        (("a", "boxes", FLOAT, (0,), ("box",)), "boxes have 2 axes"),
        (("a", "series", FLOAT, (), ()), "series have 1 axis at least"),
        (("a", "map", FLOAT, (3,), ("x",)), "map have 2 axes at least"),
        (("a", "values", FLOAT, (3,), ()), "one name an axis"),
        (("a", "values", FLOAT, (3,), ("sample",)), "one name an axis"),
        (("a", "map", FLOAT, (2**16, 2**16), ("y", "x")), "takes 17.2 GB; expected at most 4.3"),
    ],
)
def test_a_target_that_cannot_be_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        TargetSpec(*arguments)


def test_two_targets_have_two_names() -> None:
    with pytest.raises(RecipeError, match="names that all differ"):
        check_targets((VALUES, VALUES))


@pytest.mark.parametrize(
    ("spec", "by_space", "by_time"),
    [(VALUES, False, False), (BOXES, True, True), (STILL, True, False), (MOVING, True, True), (SERIES, False, True)],
)
def test_targets_are_parted_by_what_moves_that_which_they_are_tied_to(
    spec: TargetSpec, by_space: bool, by_time: bool
) -> None:
    assert (parted_by((spec,), frozenset({"space"})) is not None) == by_space
    assert (parted_by((spec,), frozenset({"time"})) is not None) == by_time
    assert parted_by((spec,), frozenset()) is None
    assert (parted_by((spec,), frozenset(), changes_meaning=True) is not None) == (spec is VALUES)


def test_a_transform_that_does_not_say_is_taken_to_move_everything_and_an_encoding_nothing() -> None:
    class Silent:
        gives = EventArray

    class Encodes:
        gives = np.ndarray

    assert moves_of(Silent()) == MOVES_ALL
    assert moves_of(Encodes()) == frozenset()


# What displaces events by noise about the place or moment where they are, and what adds some.
NOISE = {"jitter_space", "jitter_time", "uniform_noise"}
STEPS = [(name, dict(parameters)) for name in registry.transforms for parameters in registry.transforms[name].examples]


@pytest.mark.parametrize(("name", "parameters"), STEPS)
def test_transforms_move_no_more_than_they_say(name: str, parameters: dict[str, Any]) -> None:
    step, before = registry.transforms[name](**parameters), recording(1, 300)
    after = step(before, np.random.default_rng(0))
    if name in NOISE:
        assert moves_of(step) == frozenset()
        return
    if "space" not in moves_of(step):
        assert (after.sensor.width, after.sensor.height) == (before.sensor.width, before.sensor.height)
        # Time may have been turned or stretched; a pixel has no more events than before.
        places = [np.bincount(signal.y * 6 + signal.x, minlength=30) for signal in (before, after)]
        assert np.all(places[1] <= places[0])
    if name == "downsample":  # larger pixels make events of their own, within the sample's time
        assert before.t[0] <= after.t[0] <= after.t[-1] <= before.t[-1] + 100
    elif "time" not in moves_of(step):
        assert np.isin(after.t, before.t).all()


@pytest.mark.parametrize("name", list(registry.augmentations))
def test_augmentations_that_say_that_they_move_nothing_leave_numbers_where_they_are_or_erase_them(name: str) -> None:
    for parameters in registry.augmentations[name].examples:
        augmentation: Augmentation = registry.augmentations[name](**parameters)
        names = tuple(map(str, range(40)))
        before = frames_for(augmentation, names)
        after, _ = augmentation(before, targets_for(augmentation, tuple("a" for _ in names)), Draws(names))
        stays = after.shape == before.shape and bool(((after == before) | (after == 0)).all())
        if not augmentation.moves:
            assert stays
        elif not augmentation.mixes and augmentation.happens(Draws(names)).any():
            assert not stays or torch.equal(after, before)
