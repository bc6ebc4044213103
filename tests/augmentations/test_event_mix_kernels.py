"""The kernels of EventMix next to NumPy, and the selection of the largest numbers next to sorting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodata.augmentations import Draws
from neurodata.augmentations._largest import largest, nth_largest
from neurodata.augmentations.event_mix import (
    _part_of_events,
    add_products,
    count_events,
    mixture,
    reference,
    reference_counts,
    reference_write_over,
    replace,
    write_over,
)

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(*[st.integers(1, 5)] * 4)


@settings(max_examples=25)
@given(seeds, sizes)
def test_kernels_do_what_numpy_does(seed: int, size: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(seed)
    t, c, y, x = size
    factors = [rng.random((c, n)) for n in (t, y, x)]
    total = np.zeros((t, y, x))
    add_products(factors[0][:, 0].copy(), *factors, total)
    assert np.array_equal(total, reference(factors[0][:, 0], *factors))

    old, new = rng.integers(-9, 9, (2, *size)).astype(np.float32)
    replaced = rng.random((t, y, x)) < 0.5
    sums = np.zeros((2, x))
    count_events(old, replaced, sums)
    assert np.array_equal(sums, reference_counts(old, replaced))

    expected = old.copy()
    reference_write_over(expected, new, replaced)
    write_over(old, new, replaced)
    assert np.array_equal(old, expected)


@pytest.mark.parametrize("values", ["mixture", "plateau", "noise", "columns", "sorted"])
@pytest.mark.parametrize("n", [1, 2, 700, 16384, 32000, 32767, 32768])
def test_the_nth_largest_is_that_of_sorting_wherever_the_sample_says_it_is(values: str, n: int) -> None:
    shape, rng = (2, 128, 128), np.random.default_rng(3)
    numbers = {
        "mixture": mixture(Draws(("a",)).per_sample(29)[0], *shape),
        "plateau": np.round(mixture(Draws(("a",)).per_sample(29)[0], *shape), 1),
        "noise": rng.random(shape),
        # What a sample of every ninth number, or of some columns, is wrong about.
        "columns": rng.random(shape) + 10 * (np.arange(2 * 128 * 128) % 9 == 0).reshape(shape),
        "sorted": np.arange(2.0 * 128 * 128).reshape(shape),
    }[values].reshape(-1)
    assert nth_largest(numbers, n) == np.sort(numbers)[-n]
    chosen = np.flatnonzero(largest(numbers, n / len(numbers)))
    assert chosen.tolist() == sorted(np.argsort(-numbers, kind="stable")[:n].tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.bool, torch.uint8, torch.int8,
                                   torch.uint16, torch.uint32, torch.uint64, torch.int64])  # fmt: skip
def test_every_type_is_counted_and_written_over(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    old, new = (torch.from_numpy(rng.integers(0, 2, (3, 2, 4, 5))).to(dtype) for _ in range(2))
    replaced = rng.random((3, 4, 5)) < 0.4
    inside = torch.from_numpy(replaced)[:, None].expand(3, 2, 4, 5)
    assert _part_of_events(old, replaced) == float(old.double()[inside].sum() / old.double().sum())
    expected = torch.where(inside, new.double(), old.double())
    replace(old, new, replaced)
    assert torch.equal(old.double(), expected)


def test_numbers_that_are_none_stay_where_they_are() -> None:
    old, new = torch.tensor([1.0, float("nan")]), torch.tensor([float("inf"), 2.0])
    old, new = old.view(1, 1, 1, 2), new.view(1, 1, 1, 2)
    replace(old, new, np.array([[[True, False]]]))
    assert old.view(-1)[0] == float("inf")
    assert old.view(-1)[1].isnan()
