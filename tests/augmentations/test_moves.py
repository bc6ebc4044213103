"""Flip, roll and crop: hand-computed cases and laws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurodata.augmentations import Draws
from neurodata.augmentations.crop import Crop
from neurodata.augmentations.flip import Flip
from neurodata.augmentations.roll import Roll
from neurodata.augmentations.translate import Translate
from neurodata.errors import LoaderError, RecipeError

KEYS = tuple("abcdefgh")
TARGETS = torch.arange(8)
seeds = st.integers(0, 2**64 - 1)


def numbered(height: int = 4, width: int = 5) -> Tensor:
    return torch.arange(8 * 3 * 2 * height * width).view(8, 3, 2, height, width)


@settings(max_examples=20)
@given(seeds, st.sampled_from(["x", "y"]))
def test_flipping_twice_changes_nothing_and_once_mirrors_those_that_it_happens_to(seed: int, axis: str) -> None:
    flip, draws = Flip(axis=axis), Draws(KEYS, seed)  # type: ignore[arg-type]
    once, _ = flip(numbered(), TARGETS, draws)
    twice, _ = flip(once, TARGETS, draws)
    assert torch.equal(twice, numbered())
    happens = torch.from_numpy(flip.happens(draws))
    mirrored = numbered().flip(-1 if axis == "x" else -2)
    assert torch.equal(once[happens], mirrored[happens])
    assert torch.equal(once[~happens], numbered()[~happens])


def test_a_flip_happens_as_often_as_it_says() -> None:
    draws = Draws(tuple(map(str, range(4000))))
    assert abs(int(Flip(p=0.25).happens(draws).sum()) - 1000) < 110  # standard deviation 27
    assert Flip(p=1.0).happens(draws).all()


def test_channels_flip_too_and_have_no_axis_y() -> None:
    spikes = torch.arange(6).view(1, 2, 3)
    flipped, _ = Flip(p=1.0)(spikes, TARGETS[:1], Draws(("a",)))
    assert flipped.tolist() == [[[2, 1, 0], [5, 4, 3]]]
    with pytest.raises(LoaderError, match="have no axis y"):
        Flip(p=1.0, axis="y")(spikes, TARGETS[:1], Draws(("a",)))


def test_choices_are_checked() -> None:
    with pytest.raises(RecipeError, match="flip: axis is 'z'; expected x or y"):
        Flip(axis="z")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="flip: labels is 'drop'; expected map or keep"):
        Flip(labels="drop")  # type: ignore[arg-type]


@settings(max_examples=20)
@given(seeds, st.integers(0, 9), st.integers(0, 9))
def test_rolling_conserves_every_count_and_shifts_by_at_most_the_maximum(seed: int, max_x: int, max_y: int) -> None:
    rolled, _ = Roll(max_x=max_x, max_y=max_y)(numbered(), TARGETS, Draws(KEYS, seed))
    for before, after in zip(numbered(), rolled, strict=True):
        shifts = [
            (dy, dx)
            for dy in range(-max_y, max_y + 1)
            for dx in range(-max_x, max_x + 1)
            if torch.equal(before.roll((dy, dx), (-2, -1)), after)
        ]
        assert shifts
        assert before.sum() == after.sum()


def test_channels_roll_along_themselves() -> None:
    spikes = torch.eye(7)[None].repeat(8, 1, 1)
    rolled, _ = Roll(max_x=3)(spikes, TARGETS, Draws(KEYS))
    assert torch.equal(rolled.sum(dim=2), torch.ones(8, 7))
    assert len({tuple(sample[0].tolist()) for sample in rolled}) > 2


@settings(max_examples=20)
@given(seeds, st.integers(0, 3), st.integers(1, 8), st.integers(1, 9))
def test_a_crop_is_a_window_of_the_padded_frame(seed: int, padding: int, height: int, width: int) -> None:
    crop = Crop(padding=padding, height=min(height, 4 + 2 * padding), width=min(width, 5 + 2 * padding))
    cropped, _ = crop(numbered(), TARGETS, Draws(KEYS, seed))
    padded = torch.nn.functional.pad(numbered(), [padding] * 4)
    windows = padded.unfold(-2, cropped.shape[-2], 1).unfold(-2, cropped.shape[-1], 1)
    for k, sample in enumerate(cropped):
        found = (windows[k] == sample[:, :, None, None]).flatten(-2).all(-1).flatten(0, 1).all(0)
        assert found.any()


def test_windows_lie_everywhere_or_in_the_middle() -> None:
    keys = tuple(map(str, range(300)))
    frames = torch.zeros(300, 1, 1, 3, 3)
    frames[..., 1, 1] = 1
    cropped, _ = Crop(padding=1)(frames, torch.zeros(300), Draws(keys))
    assert len({tuple(place) for place in cropped[:, 0, 0].nonzero()[:, 1:].tolist()}) == 9
    still, _ = Crop(padding=1, p=0.0)(frames, torch.zeros(300), Draws(keys))
    assert torch.equal(still, frames)
    middle, _ = Crop(padding=0, height=1, width=1, p=0.0)(frames, torch.zeros(300), Draws(keys))
    assert torch.equal(middle, torch.ones(300, 1, 1, 1, 1))


def test_a_crop_of_the_same_size_is_a_translation() -> None:
    draws = Draws(tuple(map(str, range(100))))
    frames = torch.rand(100, 1, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    seen = [{sample.numpy().tobytes() for sample in made(frames[:1].expand_as(frames), torch.zeros(100), draws)[0]}
            for made in (Crop(padding=1), Translate(max_x=1, max_y=1))]  # fmt: skip
    assert seen[0] == seen[1]
    assert len(seen[0]) == 9


def test_a_window_larger_than_the_padded_frame_is_refused() -> None:
    with pytest.raises(LoaderError, match="crop: height 7 of frames of 4 with a padding of 1; expected at most 6"):
        Crop(padding=1, height=7)(numbered(), TARGETS, Draws(KEYS))
