from __future__ import annotations

import pytest
import torch

from neurodata.loader import Batch, LoaderError
from neurodata.loader._batch import collate, lengths_after


def batch_of(batch_first: bool) -> Batch:
    frames = torch.arange(2 * 3 * 4).reshape(2, 3, 4)  # [B, T, N]
    return collate(
        frames,
        torch.full((2,), frames.shape[1]),
        torch.tensor([1, 0]),
        torch.tensor([True, False]),
        ("a", "b"),
        batch_first,
    )


def test_batch_unpacks_as_frames_and_targets() -> None:
    batch = batch_of(batch_first=True)
    frames, targets = batch
    assert frames is batch.frames
    assert targets is batch.targets
    assert len(batch) == 2


def test_lengths_and_mask_are_full_in_a_dense_batch() -> None:
    batch = batch_of(batch_first=True)
    assert batch.lengths.tolist() == [3, 3]
    assert batch.lengths.dtype == torch.int64
    assert batch.mask.tolist() == [[True] * 3] * 2


def test_time_first_frames_are_contiguous_and_the_mask_stays_by_sample() -> None:
    batch = batch_of(batch_first=False)
    assert batch.frames.is_contiguous()
    assert torch.equal(batch.frames, batch_of(batch_first=True).frames.transpose(0, 1))
    assert batch.mask.shape == (2, 3)


def test_every_tensor_moves_to_the_device() -> None:
    moved = batch_of(batch_first=False).to("meta")
    tensors = (moved.frames, moved.targets, moved.valid, moved.lengths, moved.mask)
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert moved.keys == ("a", "b")
    assert not moved.batch_first


def test_repr_says_the_axes_and_what_is_valid() -> None:
    assert repr(batch_of(batch_first=False)) == (
        "Batch(2 samples, 1 of them valid, frames torch.int64 [3, 2, 4] as [T, B, …])"
    )


def test_lengths_follow_a_batch_whose_steps_change_where_they_can() -> None:
    full, uneven = torch.tensor([3, 3]), torch.tensor([3, 1])
    assert lengths_after(uneven, 3, torch.zeros(2, 3, 5)) is uneven
    assert lengths_after(full, 3, torch.zeros(2, 7, 5)).tolist() == [7, 7]
    assert lengths_after(full, 3, torch.zeros(2)).tolist() == [1, 1]
    with pytest.raises(LoaderError, match="from 3 to 2 time steps, and samples of 1 to 3 steps were in it, padded"):
        lengths_after(uneven, 3, torch.zeros(2, 2, 5))
