"""What is done to a sample's numbers before it is delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from neurodata.errors import LoaderError
from neurodata.loader import Split, Store
from neurodata.loader._form import Form
from tests.loader.stores import frames_of
from tests.store.test_ragged import build, sparse_layout


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def stored(train: Split) -> torch.Tensor:
    """All samples as floats, [n, T, C, H, W]."""
    return torch.stack([torch.from_numpy(frames_of(i).astype(np.float32)) for i in range(len(train))])


def delivered(train: Split, **arguments: Any) -> torch.Tensor:
    return torch.cat([batch.frames.float() for batch in train.loader(4, **arguments)])


@pytest.mark.parametrize("dtype", ["float32", "stored", "int64"])
def test_binarized_frames_are_zeros_and_ones(train: Split, dtype: str) -> None:
    assert torch.equal(delivered(train, binarize=True, dtype=dtype), (stored(train) > 0).float())


def test_normalize_divides_by_the_largest_a_number_or_subtracts_mean_and_divides(train: Split) -> None:
    frames = stored(train)
    largest = frames.amax((1, 2, 3, 4), keepdim=True)
    assert torch.equal(delivered(train, normalize="max"), frames / largest)
    assert torch.equal(delivered(train, normalize=4), frames / 4)
    mean, std = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 8.0])
    expected = (frames - mean[:, None, None]) / std[:, None, None]
    assert torch.equal(delivered(train, normalize=([1, 2], [4, 8])), expected)
    assert torch.equal(delivered(train, normalize=(0, [4, 8])), frames / std[:, None, None])


def test_a_sample_of_zeros_stays_zeros(tmp_path: Path) -> None:
    clips = [np.zeros((2, 2, 3, 4), np.uint16)] * 4
    split = Store(build(tmp_path, sparse_layout(), clips))["train"]
    assert not delivered(split, normalize="max").any()


@pytest.mark.parametrize("size", [(2, 2), (8, 6), (4, 4), (3, 7)])
def test_resized_frames_are_torchs_bilinear_ones(train: Split, size: tuple[int, int]) -> None:
    frames = stored(train).flatten(0, 1)
    shrinks = size[0] < 4 or size[1] < 4
    expected = interpolate(frames, size=list(size), mode="bilinear", align_corners=False, antialias=shrinks)
    found = delivered(train, resize=size)
    torch.testing.assert_close(found, expected.view(len(train), 3, 2, *size))
    by_time = torch.cat([batch.frames for batch in train.loader(4, resize=size, batch_first=False)], 1)
    assert torch.equal(by_time.transpose(0, 1), found)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_other_real_types_are_float32_rounded_or_finer(new_store: Any, dtype: str, batch_first: bool) -> None:
    split = new_store(n=9, test=0, dtype="uint8")["train"]
    for arguments in ({}, {"normalize": 3}, {"resize": (3, 3)}, {"transform": lambda frames, rng: frames.flip(0)}):
        for fine, found in zip(
            split.loader(4, batch_first=batch_first, **arguments),
            split.loader(4, batch_first=batch_first, dtype=dtype, **arguments),
            strict=True,
        ):
            assert found.frames.dtype == getattr(torch, dtype)
            torch.testing.assert_close(found.frames.float(), fine.frames, rtol=0.01, atol=0.01)


def test_the_largest_number_may_be_negative(new_store: Any) -> None:
    split = new_store(n=9, test=0, dtype="int8")["train"]
    form = Form(split.spec, torch.float32, normalize="max")
    out = np.empty(4, np.float32)
    form.convert(np.array([-128, 64, 0, 127], np.int8), out, "rec")
    assert out.tolist() == [-1, 0.5, 0, 127 / 128]


def test_forms_come_before_transforms_and_in_order(train: Split) -> None:
    seen = []

    def look(frames: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        seen.append((tuple(frames.shape), float(frames.max())))
        return frames

    list(train.loader(4, normalize="max", resize=(2, 2), transform=look))
    assert {shape for shape, _ in seen} == {(3, 2, 2, 2)}
    assert all(largest <= 1 for _, largest in seen)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"binarize": True, "normalize": "max"}, "exclude each other"),
        ({"normalize": "max", "dtype": "stored"}, 'take "float32"'),
        ({"resize": (2, 2), "dtype": "stored"}, 'take "float32"'),
        ({"normalize": "mean"}, "expected"),
        ({"normalize": 0}, "above 0"),
        ({"normalize": (0, [1, 2, 3])}, "one a channel"),
        ({"normalize": (0, float("nan"))}, "above 0"),
        ({"normalize": (0, 1, 2)}, "expected"),
        ({"resize": 8}, r"\(height, width\)"),
        ({"resize": (0, 2)}, "height=0"),
        ({"resize": (2.5, 2)}, "expected an integer"),
        ({"prefetch": -1}, "prefetch=-1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(train: Split, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(LoaderError, match=words):
        train.loader(4, **arguments)
