"""Cutout, time mask, neuron mask, SpecAugment: exactly what is asked for becomes zero."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurodata.augmentations import Augmentation, Draws
from neurodata.augmentations.cutout import Cutout
from neurodata.augmentations.neuron_mask import NeuronMask
from neurodata.augmentations.spec_augment import SpecAugment
from neurodata.augmentations.time_mask import TimeMask
from neurodata.errors import RecipeError

N = 400
KEYS = tuple(map(str, range(N)))
seeds = st.integers(0, 2**64 - 1)


def erased(augmentation: Augmentation, *shape: int, seed: int = 0) -> Tensor:
    """Where zeros are, bool [N, *shape]; the rest is as it was."""
    frames = torch.arange(1, 1 + torch.Size(shape).numel()).view(shape).expand(N, *shape)
    result, _ = augmentation(frames, torch.zeros(N), Draws(KEYS, seed))
    assert torch.equal(result[result != 0], frames[result != 0])
    return result == 0


def spans(mask: Tensor) -> set[tuple[int, int]]:
    """(start, length) of the one stretch in each row of a bool [n, length], (0, 0) where there is none."""
    found = set()
    for row in mask.tolist():
        places = [k for k, masked in enumerate(row) if masked]
        assert not places or places == list(range(places[0], places[-1] + 1))
        found.add((places[0], len(places)) if places else (0, 0))
    return found


def test_the_erased_squares_are_whole_and_of_the_area_asked_for() -> None:
    mask = erased(Cutout(min_area=0.04, max_area=0.16), 3, 2, 10, 10)
    assert torch.equal(mask, mask[:, :1, :1].expand_as(mask))
    rows, columns = spans(mask[:, 0, 0].any(2)), spans(mask[:, 0, 0].any(1))
    assert {side for _, side in rows} == {side for _, side in columns} == {2, 3, 4}
    assert torch.equal(mask[:, 0, 0].sum((1, 2)), mask[:, 0, 0].any(2).sum(1) * mask[:, 0, 0].any(1).sum(1))
    assert {start for start, side in rows if side == 4} == set(range(7))


def test_squares_of_a_given_side_are_cut_off_at_the_edges() -> None:
    mask = erased(Cutout(size_px=4), 1, 1, 6, 7)[:, 0, 0]
    assert spans(mask.any(2)) == {(0, 2), (0, 3), (0, 4), (1, 4), (2, 4), (3, 3)}
    assert spans(mask.any(1)) == {(0, 2), (0, 3), (0, 4), (1, 4), (2, 4), (3, 4), (4, 3)}


def test_holes_add_up() -> None:
    mask = erased(Cutout(size_px=1, n_holes=3), 1, 1, 8, 8)
    assert set(mask.sum((1, 2, 3, 4)).tolist()) <= {1, 2, 3}
    assert (mask.sum((1, 2, 3, 4)) == 3).float().mean() > 0.8


def test_time_masks_have_their_length_and_reach_both_ends() -> None:
    mask = erased(TimeMask(fraction=0.4, p=1.0), 7, 2, 3, 3)
    assert torch.equal(mask, mask[:, :, :1, :1, :1].expand_as(mask))
    assert spans(mask[:, :, 0, 0, 0]) == {(start, 2) for start in range(6)}
    assert not erased(TimeMask(fraction=0.1, p=1.0), 7, 3).any()
    assert erased(TimeMask(fraction=1.0, p=1.0), 7, 3).all()


def test_neuron_masks_have_every_width_up_to_theirs() -> None:
    mask = erased(NeuronMask(max_width=2, p=1.0), 3, 5)
    assert torch.equal(mask, mask[:, :1].expand_as(mask))
    assert spans(mask[:, 0]) == {(0, 0), *((start, 1) for start in range(5)), *((start, 2) for start in range(4))}
    assert spans(erased(NeuronMask(max_width=99, p=1.0), 2, 3)[:, 0]) == {(0, 0), (0, 1), (1, 1), (2, 1), (0, 2),
                                                                        (1, 2), (0, 3)}  # fmt: skip


def test_masks_happen_as_often_as_they_say() -> None:
    assert abs(int(erased(TimeMask(fraction=0.5), 4, 3).any((1, 2)).sum()) - N // 2) < 50  # standard deviation 10


@settings(max_examples=15)
@given(seeds)
def test_spec_augment_is_one_band_and_one_stretch(seed: int) -> None:
    mask = erased(SpecAugment(max_width=2, max_fraction=0.5), 6, 5, seed=seed)
    band, stretch = mask.all(1), mask.all(2)
    assert torch.equal(mask, band[:, None] | stretch[:, :, None])
    assert {length for _, length in spans(band)} <= {0, 1, 2}
    assert {length for _, length in spans(stretch)} == {0, 1, 2, 3}


def test_spec_augment_masks_bands_alone_where_no_stretch_is_asked_for() -> None:
    mask = erased(SpecAugment(n_bands=2, max_width=1, n_stretches=0), 3, 6)
    assert torch.equal(mask, mask[:, :1].expand_as(mask))
    assert set(mask[:, 0].sum(1).tolist()) == {0, 1, 2}


def test_parameters_are_checked() -> None:
    with pytest.raises(RecipeError, match=r"cutout: max_area is 0\.01; expected 0\.1 to 1"):
        Cutout(min_area=0.1, max_area=0.01)
    with pytest.raises(RecipeError, match="cutout: size_px is 0; expected at least 1"):
        Cutout(size_px=0)
    with pytest.raises(RecipeError, match="time_mask: fraction is nan"):
        TimeMask(fraction=float("nan"))
