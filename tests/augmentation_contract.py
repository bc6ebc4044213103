"""What every augmentation must do: `test_augmentation_contract.py` runs it for the registry.

Every set of parameters in `examples` is tried; other packages subclass the contract for theirs.
"""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurodata.augmentations import Augmentation, Draws
from neurodata.errors import LoaderError, RecipeError

N_CLASSES = 3
keys = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4, unique=True).map(tuple)
seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**63 - 1)


def frames_for(augmentation: Augmentation, names: tuple[str, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Small counts that depend on the sample's name, on the axes that the augmentation takes."""
    shape = (3, 7) if augmentation.axes == "channels" else (3, 2, 5, 6)
    numbers = [np.random.default_rng([*name.encode()]).integers(0, 9, shape) for name in names]
    return torch.from_numpy(np.stack(numbers)).to(dtype)


def targets_for(augmentation: Augmentation, names: tuple[str, ...]) -> Tensor:
    targets = torch.tensor([len(name) - 1 for name in names])
    return torch.nn.functional.one_hot(targets, N_CLASSES).float() if augmentation.mixes else targets


class AugmentationContract:
    @pytest.fixture
    def augmentation(self) -> Any:
        raise NotImplementedError

    def run(
        self, augmentation: Augmentation, draws: Draws, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        return augmentation(frames_for(augmentation, draws.keys, dtype), targets_for(augmentation, draws.keys), draws)

    def test_it_is_a_value_that_pickles_and_compares(self, augmentation: Augmentation) -> None:
        assert pickle.loads(pickle.dumps(augmentation)) == augmentation
        assert hash(augmentation) == hash(pickle.loads(pickle.dumps(augmentation)))
        assert type(augmentation).version >= 1
        names = {field.name for field in fields(augmentation)}
        assert set(type(augmentation).aliases.values()) <= names
        assert not set(type(augmentation).aliases) & names

    def test_the_input_is_left_as_it_is_and_the_same_draws_give_the_same_result(
        self, augmentation: Augmentation
    ) -> None:
        @settings(max_examples=12)
        @given(keys, seeds, epochs)
        def law(names: tuple[str, ...], seed: int, epoch: int) -> None:
            draws = Draws(names, seed, epoch, 1)
            frames, targets = frames_for(augmentation, names), targets_for(augmentation, names)
            results = [augmentation(frames, targets, draws) for _ in range(2)]
            assert torch.equal(frames, frames_for(augmentation, names))
            assert torch.equal(targets, targets_for(augmentation, names))
            assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
            updated = augmentation.update(frames.clone(), targets, draws)
            assert all(torch.equal(a, b) for a, b in zip(results[0], updated, strict=True))

        law()

    def test_the_shape_depends_on_nothing_drawn_and_the_type_stays(self, augmentation: Augmentation) -> None:
        @settings(max_examples=12)
        @given(keys, seeds)
        def law(names: tuple[str, ...], seed: int) -> None:
            frames, targets = self.run(augmentation, Draws(names, seed))
            again, _ = self.run(augmentation, Draws(("x", "y"), 0))
            assert frames.shape == (len(names), *again.shape[1:])
            assert frames.dtype == torch.float32
            assert frames.isfinite().all()
            assert targets.dtype == targets_for(augmentation, names).dtype

        law()

    def test_a_sample_alone_is_what_it_is_in_any_batch(self, augmentation: Augmentation) -> None:
        if augmentation.mixes:
            pytest.skip("mixes samples: depends on the batch")

        @settings(max_examples=12)
        @given(keys, seeds, epochs)
        def law(names: tuple[str, ...], seed: int, epoch: int) -> None:
            together, _ = self.run(augmentation, Draws(names, seed, epoch))
            for name, frames in zip(names, together, strict=True):
                alone, _ = self.run(augmentation, Draws((name,), seed, epoch))
                assert torch.equal(alone[0], frames)

        law()

    def test_time_steps_and_polarities_that_are_alike_stay_alike(self, augmentation: Augmentation) -> None:
        if (
            augmentation.axes == "channels"
            or augmentation.name in ("time_mask", "event_mix")
            or "over" in repr(augmentation)
        ):
            pytest.skip("changes some of the time steps")

        @settings(max_examples=12)
        @given(keys, seeds)
        def law(names: tuple[str, ...], seed: int) -> None:
            still = frames_for(augmentation, names)[:, :1, :1].expand(-1, 3, 2, -1, -1).contiguous()
            frames, _ = augmentation(still, targets_for(augmentation, names), Draws(names, seed))
            assert torch.equal(frames, frames[:, :1, :1].expand_as(frames))

        law()

    @pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.uint16, torch.int32, torch.uint64, torch.float16])
    def test_types_are_kept_or_refused(self, augmentation: Augmentation, dtype: torch.dtype) -> None:
        draws = Draws(("a", "b", "c"), 5)
        if not augmentation.moves_only and not dtype.is_floating_point:
            with pytest.raises(LoaderError, match=f'{augmentation.name} computes new numbers.*dtype="float32"'):
                self.run(augmentation, draws, dtype)
            return
        frames, _ = self.run(augmentation, draws, dtype)
        assert frames.dtype == dtype
        if augmentation.moves_only:
            expected = augmentation(
                frames_for(augmentation, draws.keys, dtype).double(), targets_for(augmentation, draws.keys), draws
            )
            assert torch.equal(frames.double(), expected[0])

    def test_frames_may_lie_in_memory_in_any_order(self, augmentation: Augmentation) -> None:
        draws = Draws(("a", "b", "c"), 5)
        expected, _ = self.run(augmentation, draws)
        strided = frames_for(augmentation, draws.keys).transpose(0, 1).contiguous().transpose(0, 1)
        targets = targets_for(augmentation, draws.keys)
        assert torch.equal(augmentation(strided, targets, draws)[0], expected)
        assert torch.equal(augmentation.update(strided, targets, draws)[0], expected)

    def test_targets_stay_or_are_soft_and_sum_to_one(self, augmentation: Augmentation) -> None:
        @settings(max_examples=12)
        @given(keys, seeds)
        def law(names: tuple[str, ...], seed: int) -> None:
            _, targets = self.run(augmentation, Draws(names, seed))
            before = targets_for(augmentation, names)
            if not augmentation.mixes:
                assert torch.equal(targets, before)
                return
            assert targets.shape == (len(names), N_CLASSES)
            assert ((targets >= 0) & (targets <= 1)).all()
            torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(names)))
            # Everybody is a partner as often as everybody mixes, where all do so by the same part.
            if augmentation.name == "mixup" and augmentation.per == "batch":  # type: ignore[attr-defined]
                torch.testing.assert_close(targets.sum(dim=0), before.sum(dim=0))

        law()

    def test_with_probability_zero_and_out_of_its_epochs_nothing_changes(self, augmentation: Augmentation) -> None:
        draws = Draws(("a", "b", "c"), 1, 7)
        before = frames_for(augmentation, draws.keys), targets_for(augmentation, draws.keys)
        never = [replace(augmentation, from_epoch=8), replace(augmentation, until_epoch=7)]
        if hasattr(augmentation, "p") and not getattr(augmentation, "height", None):
            never.append(replace(augmentation, p=0.0))
        for changed in never:
            frames, targets = changed(*before, draws)
            assert torch.equal(frames, before[0])
            assert torch.equal(targets, before[1])
        active = replace(augmentation, from_epoch=7, until_epoch=8)
        assert torch.equal(active(*before, draws)[0], augmentation(*before, draws)[0])

    def test_an_empty_batch_stays_empty(self, augmentation: Augmentation) -> None:
        frames, targets = frames_for(augmentation, ("a",))[:0], targets_for(augmentation, ("a",))[:0]
        assert len(augmentation(frames, targets, Draws(()))[0]) == 0

    def test_what_does_not_fit_is_refused(self, augmentation: Augmentation) -> None:
        frames, targets = frames_for(augmentation, ("a", "b")), targets_for(augmentation, ("a", "b"))
        with pytest.raises(LoaderError, match=f"augmentation {augmentation.name}: frames of the shape .* 3 samples"):
            augmentation(frames, targets, Draws(("a", "b", "c")))
        with pytest.raises(LoaderError, match=f"augmentation {augmentation.name}: frames of the shape"):
            augmentation(frames[:, 0, 0] if frames.ndim == 3 else frames[:, 0, 0, 0], targets, Draws(("a", "b")))
        with pytest.raises(RecipeError, match=f"{augmentation.name}: from_epoch is -1; expected at least 0"):
            replace(augmentation, from_epoch=-1)
        if augmentation.mixes:
            with pytest.raises(LoaderError, match="expected soft targets, float"):
                augmentation(frames, targets.argmax(dim=1), Draws(("a", "b")))
        if hasattr(augmentation, "p"):
            with pytest.raises(RecipeError, match=f"{augmentation.name}: p is 1.5; expected 0 to 1"):
                replace(augmentation, p=1.5)
