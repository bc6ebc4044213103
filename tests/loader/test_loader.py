from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurodata.draws import generator
from neurodata.errors import StoreError
from neurodata.loader import Batch, LoaderError, Split, Store, _dtype
from neurodata.loader._order import epoch_order
from tests.loader.stores import SHAPE, frames_of


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


def counted(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key, valid in zip(batch.keys, batch.valid.tolist(), strict=True) if valid]


def loader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("neurodata-loader")]


def test_batches_hold_the_samples_in_order(train: Split) -> None:
    loader = train.loader(4)
    batches = list(loader)
    assert len(loader) == len(batches) == 5
    assert [len(batch) for batch in batches] == [4, 4, 4, 4, 1]
    assert counted(batches) == list(train.keys)
    assert torch.cat([batch.targets for batch in batches]).tolist() == train.labels.tolist()
    frames = torch.cat([batch.frames for batch in batches])
    assert frames.dtype == torch.float32
    assert np.array_equal(frames.numpy(), np.stack([frames_of(i) for i in range(17)]))


def test_time_first_batches_are_the_same_frames(train: Split) -> None:
    for first, last in zip(train.loader(4), train.loader(4, batch_first=False), strict=True):
        assert last.frames.shape == (SHAPE[0], len(last), *SHAPE[1:])
        assert torch.equal(first.frames, last.frames.transpose(0, 1))


def test_dtype_is_as_asked(train: Split) -> None:
    assert next(iter(train.loader(4, dtype="stored"))).frames.dtype == torch.uint16
    assert next(iter(train.loader(4, dtype=torch.float64))).frames.dtype == torch.float64
    with pytest.raises(LoaderError, match=r"uint8.*stored uint16"):
        train.loader(4, dtype="uint8")


def test_drop_last_leaves_whole_batches(train: Split) -> None:
    batches = list(train.loader(4, drop_last=True))
    assert [len(batch) for batch in batches] == [4] * 4
    with pytest.raises(LoaderError, match=r"17 samples, 18 in a global batch \(18 on each of 1 ranks\)"):
        next(iter(train.loader(18, drop_last=True)))


def test_an_iterator_that_is_never_used_is_no_epoch(train: Split) -> None:
    """Lightning makes one to see whether it can."""
    loader = train.loader(4, shuffle=True, seed=11)
    iter(loader)
    assert counted(list(loader)) == [train.keys[i] for i in epoch_order(17, 11, 0, shuffle=True)]


def test_shuffled_order_is_the_published_function_of_seed_and_epoch(train: Split) -> None:
    loader = train.loader(4, shuffle=True, seed=11)
    for epoch in range(3):
        assert counted(list(loader)) == [train.keys[i] for i in epoch_order(17, 11, epoch, shuffle=True)]
    loader.set_epoch(1)
    assert counted(list(loader)) == [train.keys[i] for i in epoch_order(17, 11, 1, shuffle=True)]
    assert counted(list(loader)) == [train.keys[i] for i in epoch_order(17, 11, 2, shuffle=True)]


@given(st.integers(1, 12), st.sampled_from([1, 2, 3]), st.integers(1, 4), st.booleans())
def test_evaluation_counts_each_sample_once_at_any_world_size(
    train: Split, batch_size: int, world_size: int, threads: int, shuffle: bool
) -> None:
    ranks = [
        list(train.loader(batch_size, shuffle, 5, rank=rank, world_size=world_size, threads=threads))
        for rank in range(world_size)
    ]
    assert len({tuple(len(batch) for batch in batches) for batches in ranks}) == 1
    assert sorted(counted([batch for batches in ranks for batch in batches])) == list(train.keys)


def test_global_order_is_the_same_for_one_two_and_four_ranks(train: Split) -> None:
    def global_batches(world_size: int) -> list[list[str]]:
        loaders = [train.loader(8 // world_size, True, 5, rank=r, world_size=world_size) for r in range(world_size)]
        return [counted(list(parts)) for parts in zip(*loaders, strict=True)]

    assert global_batches(1) == global_batches(2) == global_batches(4)


def test_padding_samples_are_real_but_not_valid(train: Split) -> None:
    *_, last = train.loader(8, rank=0, world_size=2)
    assert last.valid.tolist() == [False]
    assert last.keys == ("rec016",)


def noisy(frames: Tensor, rng: np.random.Generator) -> Tensor:
    return frames.add_(float(rng.integers(1, 2**20)))


def noises(batches: list[Batch]) -> dict[str, int]:
    """What `noisy` added, by sample."""
    return {
        key: int(frames.flatten()[0]) - int(key[3:])
        for batch in batches
        for key, frames in zip(batch.keys, batch.frames, strict=True)
    }


def test_transforms_draw_other_numbers_than_the_stored_steps_did(train: Split) -> None:
    drawn: list[int] = []

    def draw(frames: Tensor, rng: np.random.Generator) -> Tensor:
        drawn.append(int(rng.integers(2**62)))
        return frames

    for _ in train.loader(17, seed=0, transform=draw):
        pass
    # What step 0 of a recipe of seed 0 drew from (Recipe.encode).
    stored = {int(generator(0, 0, key).integers(2**62)) for key in train.keys}
    assert len({*drawn}) == 17
    assert not stored & {*drawn}


def test_transform_draws_by_seed_epoch_and_key_alone(train: Split) -> None:
    alone = noises(list(train.loader(4, True, 3, transform=noisy, threads=1)))
    assert len(set(alone.values())) == 17
    ranks = [train.loader(3, True, 3, transform=noisy, threads=4, rank=r, world_size=2) for r in range(2)]
    assert noises([batch for loader in ranks for batch in loader]) == alone
    assert noises(list(train.loader(5, False, 3, transform=noisy))) == alone
    loader = train.loader(4, False, 3, transform=noisy)
    loader.set_epoch(1)
    assert not set(noises(list(loader)).values()) & set(alone.values())


def test_transform_may_change_the_shape_but_not_sample_by_sample(train: Split) -> None:
    batch = next(iter(train.loader(4, transform=lambda frames, rng: frames[:2, :, :3])))
    assert batch.frames.shape == (4, 2, 2, 3, 4)
    assert batch.lengths.tolist() == [2] * 4
    with pytest.raises(LoaderError, match=r"different shapes or types: float32 \[3, 1, 4, 4\], float32 \[3, 2, 4, 4\]"):
        list(train.loader(4, transform=lambda frames, rng: frames[:, : 1 + int(frames[0, 0, 0, 0]) % 2]))
    batch = next(iter(train.loader(4, transform=lambda frames, rng: frames[: 1 + int(frames[0, 0, 0, 0]) % 2] + 1)))
    assert batch.lengths.tolist() == [1, 2, 1, 2]
    assert batch.mask.tolist() == [[True, False], [True, True]] * 2
    assert batch.frames.amin((2, 3, 4)).bool().tolist() == batch.mask.tolist()
    with pytest.raises(LoaderError, match="transform gave a ndarray; expected a tensor"):
        list(train.loader(4, transform=lambda frames, rng: frames.numpy()))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    "transform",
    [
        lambda frames, rng: frames,
        lambda frames, rng: frames.add_(1),
        lambda frames, rng: frames + 1,
        lambda frames, rng: frames.transpose(2, 3),  # a view of the same shape
        lambda frames, rng: frames.flip(0),
        lambda frames, rng: frames[:, :1].expand(3, 2, 4, 4),
        lambda frames, rng: frames[:2],
        lambda frames, rng: frames.double() / 3,
        lambda frames, rng: frames.view(3, -1),
    ],
)
def test_batches_hold_what_the_transform_gave(
    new_store: Callable[..., Store], transform: Any, batch_first: bool
) -> None:
    split = new_store(n=9, test=0)["train"].select(range(9))
    uneven = torch.arange(96.0).reshape(SHAPE)

    def first_uneven(frames: Tensor, rng: np.random.Generator) -> Tensor:
        assert frames.is_contiguous()
        return transform(frames.mul_(uneven), rng)  # type: ignore[no-any-return]

    expected = [transform(torch.from_numpy(frames_of(i, "float32")) * uneven, None) for i in range(9)]
    batches = list(split.loader(4, threads=2, transform=first_uneven, batch_first=batch_first))
    found = [frames for batch in batches for frames in (batch.frames if batch_first else batch.frames.transpose(0, 1))]
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(found, expected, strict=True))


def test_a_transform_may_give_another_type_than_it_got(train: Split) -> None:
    halves = list(train.loader(4, dtype="stored", transform=lambda frames, rng: frames.float() / 2))
    assert torch.equal(halves[0].frames[3], torch.from_numpy(frames_of(3, "float32")) / 2)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("shorten", [False, True])
def test_batches_are_padded_to_as_many_steps_as_are_asked_for(train: Split, batch_first: bool, shorten: bool) -> None:
    def cut(frames: Tensor, rng: np.random.Generator) -> Tensor:
        return frames[: 1 + int(frames[0, 0, 0, 0]) % 3]

    arguments: dict[str, Any] = {"batch_first": batch_first} | ({"transform": cut} if shorten else {})
    for pad_to in (3, 5):
        for batch in train.loader(4, pad_to=pad_to, **arguments):
            numbers = [int(key[3:]) for key in batch.keys]
            assert batch.lengths.tolist() == [1 + number % 3 if shorten else 3 for number in numbers]
            assert batch.mask.shape == (len(batch), pad_to)
            assert batch.mask.sum(1).tolist() == batch.lengths.tolist()
            frames = batch.frames if batch_first else batch.frames.transpose(0, 1)
            for number, n_steps, found in zip(numbers, batch.lengths.tolist(), frames, strict=True):
                assert torch.equal(found[:n_steps], torch.from_numpy(frames_of(number, "float32"))[:n_steps])
                assert not found[n_steps:].any()


def test_a_sample_that_is_longer_than_batches_are_padded_to_is_named_at_its_place(train: Split) -> None:
    with pytest.raises(LoaderError, match="pad_to=2: sample 'rec000' has 3 time steps"):
        list(train.loader(4, pad_to=2))
    assert len(list(train.loader(4, pad_to=2, transform=lambda frames, rng: frames[1:]))) == 5
    iteration = iter(train.loader(4, pad_to=2, transform=lambda f, rng: f[1:] if f[0, 0, 0, 0] < 9 else f))
    assert [len(next(iteration)) for _ in range(2)] == [4, 4]
    with pytest.raises(LoaderError, match="sample 'rec009' has 3"):
        next(iteration)


def test_batch_transform_sees_batch_first_frames_and_draws_by_batch(train: Split) -> None:
    seen: list[tuple[torch.Size, int]] = []

    def mix(frames: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        seen.append((frames.shape, int(rng.integers(2**40))))
        assert frames.is_contiguous()
        return frames * 2, targets + 1

    batches = list(train.loader(8, batch_first=False, batch_transform=mix, seed=0))
    assert [shape[0] for shape, _ in seen] == [8, 8, 1]
    assert batches[0].frames[0, 3, 0, 0, 0] == 6
    assert batches[0].targets[:3].tolist() == [1, 2, 3]
    first = list(seen)
    seen.clear()
    list(train.loader(8, batch_transform=mix, seed=0, threads=1))
    assert seen == first
    assert len({draw for _, draw in seen}) == 3


def test_error_in_a_transform_names_the_sample_and_ends_the_threads(train: Split) -> None:
    def fails(frames: Tensor, rng: np.random.Generator) -> Tensor:
        if frames[0, 0, 0, 0] == 9:
            raise ZeroDivisionError("by design")
        return frames

    with pytest.raises(ZeroDivisionError, match=r"by design\n.*'rec009'"):
        list(train.loader(4, transform=fails))
    assert not loader_threads()


def test_damaged_sample_is_named(new_store: Callable[..., Store]) -> None:
    store = new_store()
    file = store.path / "data.zarr/frames/c/1/0/0/0/0"
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match="rec008"):
        list(store["train"].loader(4))
    assert not loader_threads()


def test_counts_that_float32_would_round_are_refused(
    new_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dtype, "_FLOAT32_EXACT_TO", 210)
    split = new_store(dtype="uint32")["train"]
    with pytest.raises(LoaderError, match=r"rec011.*this one has 211"):
        list(split.loader(4))
    with pytest.raises(LoaderError, match="rec011"):
        split[11]
    assert len(list(split.loader(4, dtype="stored"))) == 5


def test_leaving_early_ends_the_threads(train: Split) -> None:
    for _ in train.loader(2, threads=3):
        assert loader_threads()
        break
    assert not loader_threads()
    iterator = iter(train.loader(2, threads=3))
    next(iterator)
    iterator.close()
    assert not loader_threads()


def test_error_in_the_loop_ends_the_threads(train: Split) -> None:
    def stumble() -> None:
        for _ in train.loader(2, threads=3):
            raise KeyError("in the loop")

    with pytest.raises(KeyError, match="in the loop"):
        stumble()
    assert not loader_threads()


def test_finished_iteration_leaves_no_threads(train: Split) -> None:
    list(train.loader(4, threads=3))
    assert not loader_threads()


def test_only_a_few_batches_are_read_ahead(train: Split) -> None:
    read: list[int] = []

    def watch(frames: Tensor, rng: np.random.Generator) -> Tensor:
        read.append(int(frames[0, 0, 0, 0]))
        return frames

    iterator = iter(train.loader(1, threads=2, transform=watch))
    next(iterator)
    iterator.close()
    assert set(read) <= {0, 1, 2}


def test_two_iterations_side_by_side_are_two_epochs(train: Split) -> None:
    loader = train.loader(4, shuffle=True, seed=2)
    pairs = list(zip(loader, loader, strict=True))
    for epoch in range(2):
        order = epoch_order(17, 2, epoch, shuffle=True)
        assert counted([pair[epoch] for pair in pairs]) == [train.keys[i] for i in order]
    assert loader.state_dict()["epoch"] == 2


def test_batches_of_an_epoch_share_no_memory(train: Split) -> None:
    for dtype in ("stored", "float32"):
        batches = list(train.loader(4, dtype=dtype))
        assert len({batch.frames.data_ptr() for batch in batches}) == 5


def test_device_moves_every_batch(train: Split) -> None:
    assert next(iter(train.loader(4, device="meta"))).frames.device.type == "meta"


def test_seed_none_takes_torchs_and_records_it(train: Split) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(77)
        loader = train.loader(4, shuffle=True)
        keys = counted(list(loader))
        torch.manual_seed(78)
        assert loader.seed == 77
    assert keys == counted(list(train.loader(4, shuffle=True, seed=77)))
    assert loader.state_dict()["seed"] == 77


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 1, "threads": 0}, "threads=0"),
        ({"batch_size": 1, "seed": -1}, r"seed=-1: expected an integer from 0 to 18446744073709551615"),
        ({"batch_size": 1, "seed": 2**64}, "seed="),
        ({"batch_size": 1, "rank": 0}, "expected both"),
        ({"batch_size": 1, "rank": 2, "world_size": 2}, "rank=2: expected an integer from 0 to 1"),
    ],
)
def test_arguments_out_of_range_are_refused(train: Split, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(LoaderError, match=message):
        train.loader(**arguments)


def test_empty_split_has_nothing_to_load(train: Split) -> None:
    with pytest.raises(LoaderError, match="no samples to load"):
        train.select([]).loader(4)


def test_an_open_iterator_does_not_keep_python_from_ending(store: Store, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from neurodata.loader import Store\n"
        f"batches = iter(Store({str(store.path)!r})['train'].loader(2))\n"
        "print(next(batches).keys)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "('rec000', 'rec001')\n", "")
