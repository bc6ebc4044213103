"""Samples of different lengths in one batch: padded with zeros, with lengths and mask that say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.loader import Batch, LoaderError, Split, Store
from tests.store.test_ragged import build, clips_of, sparse_layout

LENGTHS = [3, 1, 7, 0, 2, 5, 5, 1]
CLIPS = clips_of(LENGTHS)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    split = Store(build(tmp_path_factory.mktemp("variable") / "store", sparse_layout(), CLIPS))["train"]
    assert split.store.table.n_steps[split.indices].max() > split.store.table.n_steps[split.indices].min()
    return split


def assert_right(split: Split, batches: list[Batch], n_steps: int | None = None) -> None:
    index_of = {key: int(index) for key, index in zip(split.keys, split.indices, strict=True)}
    assert sorted(key for batch in batches for key in batch.keys) == sorted(split.keys)
    for batch in batches:
        lengths = [LENGTHS[index_of[key]] for key in batch.keys]
        frames = batch.frames if batch.batch_first else batch.frames.transpose(0, 1)
        assert frames.shape == (len(batch), n_steps or max(lengths), 2, 3, 4)
        assert batch.lengths.tolist() == lengths
        assert torch.equal(batch.mask, torch.arange(frames.shape[1]) < batch.lengths[:, None])
        for key, length, found in zip(batch.keys, lengths, frames, strict=True):
            np.testing.assert_array_equal(found[:length], CLIPS[index_of[key]])
            assert not found[length:].any()


@settings(max_examples=25)
@given(
    batch_size=st.integers(1, 5),
    batch_first=st.booleans(),
    dtype=st.sampled_from(["stored", "float32", "float64"]),
    pad_to=st.sampled_from([None, 7, 9]),
    threads=st.integers(1, 3),
    transform=st.sampled_from([None, lambda frames, rng: frames, lambda frames, rng: frames.clone()]),
)
def test_every_way_to_load_gives_the_stored_frames(split: Split, pad_to: int | None, **arguments: Any) -> None:
    loader = split.loader(shuffle=True, seed=1, pad_to=pad_to, **arguments)
    for _ in range(2):  # the second time in memory that has been used
        assert_right(split, list(loader), pad_to)


def test_normalized_padding_stays_zero(split: Split) -> None:
    for batch in split.loader(4, normalize=(2.0, 4.0), pad_to=9):
        assert not batch.frames[~batch.mask].any()
        assert (batch.frames[batch.mask] <= (65535 - 2) / 4).all()
        assert batch.frames[batch.mask].min() == -0.5


def test_steps_of_a_padded_batch_are_not_changed_all_at_once(split: Split) -> None:
    with pytest.raises(LoaderError, match="change their lengths by transform="):
        list(split.loader(len(split), batch_transform=lambda frames, targets, rng: (frames[:, :1], targets)))
