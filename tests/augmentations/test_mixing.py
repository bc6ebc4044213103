"""Mixup, CutMix, EventMix: partners, parts and labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from neurodata.augmentations import Draws
from neurodata.augmentations._largest import largest
from neurodata.augmentations._mixing import partner_order
from neurodata.augmentations.cutmix import CutMix
from neurodata.augmentations.event_mix import EventMix, mixture
from neurodata.augmentations.mixup import Mixup
from neurodata.errors import LoaderError, RecipeError

KEYS = tuple("abcdef")
seeds = st.integers(0, 2**64 - 1)
ONE_EACH = torch.eye(6)


def constant(shape: tuple[int, ...] = (3, 2, 8, 8)) -> Tensor:
    """Sample k holds nothing but 2^k: which mixture is what can be read off."""
    return (2.0 ** torch.arange(6)).view(6, *[1] * len(shape)).expand(6, *shape).contiguous()


def partners(draws: Draws) -> list[int]:
    order = partner_order(draws)
    return [order[(order.index(k) + 1) % len(order)] for k in range(len(order))]


@given(seeds, st.integers(2, 9))
def test_nobody_is_their_own_partner_and_everybody_is_one_once(seed: int, n: int) -> None:
    found = partners(Draws(tuple(map(str, range(n))), seed))
    assert sorted(found) == list(range(n))
    assert all(partner != k for k, partner in enumerate(found))


@settings(max_examples=25)
@given(seeds, st.sampled_from(["batch", "sample"]))
def test_mixup_is_the_weighted_mean_of_frames_and_labels(seed: int, per: str) -> None:
    draws = Draws(KEYS, seed)
    frames, targets = Mixup(per=per)(constant(), ONE_EACH, draws)  # type: ignore[arg-type]
    stays = targets.diagonal()
    partner = torch.tensor(partners(draws))
    expected = stays * 2.0 ** torch.arange(6) + (1 - stays) * 2.0**partner
    torch.testing.assert_close(frames, expected.view(6, 1, 1, 1, 1).expand_as(frames))
    torch.testing.assert_close(targets, stays[:, None] * ONE_EACH + (1 - stays)[:, None] * ONE_EACH[partner])
    assert len(stays.unique()) == (1 if per == "batch" else 6)


def test_mixup_happens_for_the_batch_or_for_each_sample() -> None:
    mixed = [Mixup(p=0.5)(constant(), ONE_EACH, Draws(KEYS, seed))[1].diagonal() < 1 for seed in range(200)]
    assert {int(batch.sum()) for batch in mixed} == {0, 6}
    assert abs(sum(int(batch.all()) for batch in mixed) - 100) < 30  # standard deviation 7
    some = [Mixup(p=0.5, per="sample")(constant(), ONE_EACH, Draws(KEYS, s))[1].diagonal() < 1 for s in range(50)]
    assert len({int(batch.sum()) for batch in some}) > 3


def test_a_sample_alone_is_mixed_with_itself() -> None:
    frames, targets = Mixup()(constant()[3:4], ONE_EACH[3:4], Draws(("d",)))
    assert torch.equal(frames, constant()[3:4])
    assert torch.equal(targets, ONE_EACH[3:4])


def test_soft_targets_mix_again() -> None:
    draws = Draws(KEYS, 3, place=1)
    _, once = Mixup()(constant(), ONE_EACH, Draws(KEYS, 3, place=0))
    _, twice = Mixup()(constant(), once, draws)
    stays = Mixup()(constant(), ONE_EACH, draws)[1].diagonal()[0]
    torch.testing.assert_close(twice, stays * once + (1 - stays) * once[partners(draws)])


@settings(max_examples=25)
@given(seeds, st.sampled_from(["batch", "sample"]), st.sampled_from(["space", "time"]))
def test_cutmix_replaces_a_box_and_labels_follow_its_size(seed: int, per: str, over: str) -> None:
    draws = Draws(KEYS, seed)
    frames, targets = CutMix(per=per, over=over)(constant(), ONE_EACH, draws)  # type: ignore[arg-type]
    for k, partner in enumerate(partners(draws)):
        replaced = frames[k] == 2.0**partner
        assert torch.equal(frames[k][~replaced], constant()[k][~replaced])
        assert torch.equal(replaced, replaced[:, :1].expand_as(replaced))
        rows, columns = (replaced.any(0)[0].any(axis) for axis in (1, 0))
        steps = replaced.flatten(1).any(1)
        assert torch.equal(replaced[:, 0], steps[:, None, None] & rows[:, None] & columns)
        if over == "space" and replaced.any():
            assert steps.all()
        torch.testing.assert_close(targets[k, partner], replaced.float().mean())


def test_cutmix_of_spikes_is_over_time() -> None:
    spikes = constant((6, 4))
    frames, _ = CutMix(over="time", per="sample")(spikes, ONE_EACH, Draws(KEYS))
    assert (frames != spikes).any()
    with pytest.raises(LoaderError, match="have no pixel grid"):
        CutMix()(spikes, ONE_EACH, Draws(KEYS))


def test_the_box_of_cutmix_by_hand() -> None:
    sample, other = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    # sqrt(1 - 0.75) of 4 is 2; around pixel (3, 0): rows 2 to 3, columns -1 to 0, of which one is left.
    stays = CutMix().mix(sample, other, 0.75, np.array([0.9, 0.0]))
    assert sample[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert stays == 1 - 2 / 16


def reference_mixture(u: np.ndarray, n_steps: int, height: int, width: int) -> np.ndarray:
    """The sum of Gaussians, voxel by voxel."""
    t, y, x = np.meshgrid(np.arange(n_steps), np.arange(height), np.arange(width), indexing="ij")
    total = np.zeros(t.shape)
    for p, mt, st_, my, sy, mx, sx in u[1:].reshape(-1, 7)[: 2 + int(u[0] * 3)]:
        mean = [int(mt * n_steps), int(my * height), int(mx * width)]
        deviation = [max(s, 0.1) * n / 2 for s, n in ((st_, n_steps), (sy, height), (sx, width))]
        squares = sum(((axis - m) / d) ** 2 for axis, m, d in zip((t, y, x), mean, deviation, strict=True))
        total += p * np.exp(-squares / 2)
    return total


@settings(max_examples=25)
@given(seeds)
def test_the_mixture_is_the_sum_of_gaussians(seed: int) -> None:
    u = Draws(("a",), seed).per_sample(29)[0]
    np.testing.assert_allclose(mixture(u, 4, 5, 6), reference_mixture(u, 4, 5, 6))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.floats(0, 1))
def test_exactly_the_part_asked_for_is_replaced_and_it_is_the_largest(values: list[int], part: float) -> None:
    numbers = np.array(values, np.float64)
    chosen = largest(numbers, part)
    assert chosen.sum() == round(part * len(values))
    expected = np.argsort(-numbers, kind="stable")[: chosen.sum()]
    assert np.flatnonzero(chosen).tolist() == sorted(expected.tolist())


@settings(max_examples=15)
@given(seeds, st.sampled_from(["events", "distance"]))
def test_event_mix_replaces_voxels_and_labels_follow_events_or_distance(seed: int, weigh: str) -> None:
    rng = np.random.default_rng(seed)
    before = torch.from_numpy(rng.integers(0, 1000, (6, 4, 2, 5, 5)).astype(np.float32)) * 8 + torch.arange(6).view(
        6, 1, 1, 1, 1
    )
    draws = Draws(KEYS, seed)
    after, targets = EventMix(weigh=weigh)(before, ONE_EACH, draws)  # type: ignore[arg-type]
    for k, partner in enumerate(partners(draws)):
        old, new, mixed = before[k].double(), before[partner].double(), after[k].double()
        voxels = mixed % 8 == partner
        assert torch.equal(mixed, torch.where(voxels, new, old))
        assert torch.equal(voxels[:, 0], voxels[:, 1])
        if weigh == "events":
            lost, gained = old[voxels].sum() / old.sum(), new[voxels].sum() / new.sum()
            expected = (1 - lost) / (1 - lost + gained)
        else:
            to_old, to_new = (
                (avg_pool2d(mixed, 3, 1, 1) - avg_pool2d(frames, 3, 1, 1)).square().mean() for frames in (old, new)
            )
            expected = to_new**2 / (to_old**2 + to_new**2)
        torch.testing.assert_close(targets[k, k].double(), expected, atol=1e-6, rtol=0)


def test_event_mix_counts_wide_numbers_as_they_are() -> None:
    frames = torch.full((6, 4, 2, 5, 5), 50000)
    frames[0, 0, 0, 0, 0] = 7
    results = [EventMix()(frames.to(dtype), ONE_EACH, Draws(KEYS)) for dtype in (torch.uint16, torch.float64)]
    torch.testing.assert_close(results[0][1], results[1][1])
    assert torch.equal(results[0][0].double(), results[1][0])


def test_empty_samples_are_weighed_by_voxels() -> None:
    for weigh in ("events", "distance"):
        _, targets = EventMix(weigh=weigh)(torch.zeros(2, 4, 2, 5, 5), ONE_EACH[:2], Draws(("a", "b")))  # type: ignore[arg-type]
        assert targets.isfinite().all()
        torch.testing.assert_close(targets.sum(1), torch.ones(2))


def test_event_mix_takes_spikes_of_channels() -> None:
    frames, _ = EventMix()(constant((6, 4)), ONE_EACH, Draws(KEYS))
    assert frames.shape == (6, 6, 4)
    assert (frames != constant((6, 4))).any()


def test_one_hot_targets_are_asked_for() -> None:
    with pytest.raises(LoaderError, match=r"mixup mixes classes; .* found torch.int64 \[6\]"):
        Mixup()(constant(), torch.arange(6), Draws(KEYS))
    assert Mixup()(constant(), one_hot(torch.arange(6), 9).float(), Draws(KEYS))[1].shape == (6, 9)


def test_parameters_are_checked() -> None:
    with pytest.raises(RecipeError, match=r"mixup: alpha is 0; expected 0\.001 to 1000"):
        Mixup(alpha=0)
    with pytest.raises(RecipeError, match="cutmix: over is 'frequency'; expected space or time"):
        CutMix(over="frequency")  # type: ignore[arg-type]
