from __future__ import annotations

import json
import pickle
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurodata import registry
from neurodata.augmentations import Draws
from neurodata.augmentations.flip import Flip
from neurodata.augmentations.mixup import Mixup
from neurodata.augmentations.roll import Roll
from neurodata.errors import LoaderError, RecipeError
from neurodata.loader import Batch, Loader, Split, Store
from neurodata.loader._augment import relabel
from tests.loader.stores import SHAPE, frames_of

# Frames of the store are constant over pixels: cut out and shifted with zeros, each sample still tells its draws.
AUGMENT = [{"name": "translate", "max_x": 3, "max_y": 3}, {"name": "cutout", "size_px": 2, "p": 0.7}]
MAPS = {"flip_x": {0: 1, 1: 0}, "flip_y": {1: 2}}


@pytest.fixture(scope="module")
def train(store: Store) -> Split:
    return store["train"]


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset of the store declares what flips do to its classes."""
    monkeypatch.setattr(registry, "datasets", {"toy": SimpleNamespace(label_maps=MAPS)})


def samples(batches: list[Batch]) -> dict[str, tuple[Tensor, Tensor]]:
    """Frames and target of each sample that counts, by key."""
    return {
        key: (frames, target)
        for batch in batches
        for key, frames, target, valid in zip(batch.keys, batch.frames, batch.targets, batch.valid, strict=True)
        if valid
    }


def assert_same(found: dict[str, tuple[Tensor, Tensor]], expected: dict[str, tuple[Tensor, Tensor]]) -> None:
    assert set(found) == set(expected)
    for key, parts in found.items():
        assert all(torch.equal(a, b) for a, b in zip(parts, expected[key], strict=True)), key


def test_batches_are_what_the_augmentations_make_of_them(train: Split) -> None:
    roll, flip = Roll(max_x=2, max_y=1), Flip(labels="keep")
    [batch] = train.loader(17, seed=5, augment=[roll, flip])
    [plain] = train.loader(17)
    frames, targets = roll(plain.frames, plain.targets, Draws(train.keys, 5, 0, 0))
    frames, targets = flip(frames, targets, Draws(train.keys, 5, 0, 1))
    assert torch.equal(batch.frames, frames)
    assert torch.equal(batch.targets, plain.targets)


@settings(max_examples=15)
@given(st.integers(1, 9), st.sampled_from([1, 2, 3]), st.integers(1, 4), st.booleans())
def test_samples_are_augmented_alike_for_any_ranks_threads_batches_and_order(
    train: Split, batch_size: int, world_size: int, threads: int, shuffle: bool
) -> None:
    expected = samples(list(train.loader(17, seed=5, augment=AUGMENT)))
    ranks = [
        train.loader(batch_size, shuffle, 5, augment=AUGMENT, rank=rank, world_size=world_size, threads=threads)
        for rank in range(world_size)
    ]
    assert_same(samples([batch for loader in ranks for batch in loader]), expected)


def test_every_epoch_draws_anew_and_the_same_again(train: Split) -> None:
    loader = train.loader(4, True, 5, augment=AUGMENT)
    first, second = samples(list(loader)), samples(list(loader))
    assert any(not torch.equal(first[key][0], second[key][0]) for key in first)
    loader.set_epoch(0)
    assert_same(samples(list(loader)), first)
    other = samples(list(train.loader(4, True, 6, augment=AUGMENT)))
    assert any(not torch.equal(first[key][0], other[key][0]) for key in first)


@pytest.mark.parametrize("augment", [AUGMENT, [*AUGMENT, {"name": "mixup", "alpha": 0.5}]])
def test_resuming_in_the_middle_of_an_epoch_gives_the_same_batches(train: Split, augment: list) -> None:
    def make() -> Loader:
        return train.loader(4, True, 5, augment=augment)

    undisturbed = list(make()) + list(_at_epoch(make(), 1))
    loader = make()
    for number, _ in enumerate(loader, start=1):
        if number == 2:
            break
    resumed = make()
    resumed.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    rest = list(resumed) + list(resumed)
    assert len(rest) == len(undisturbed) - 2
    for found, expected in zip(rest, undisturbed[2:], strict=True):
        assert found.keys == expected.keys
        assert torch.equal(found.frames, expected.frames)
        assert torch.equal(found.targets, expected.targets)


def _at_epoch(loader: Loader, epoch: int) -> Loader:
    loader.set_epoch(epoch)
    return loader


def test_mixing_gives_soft_targets_until_its_last_epoch(train: Split) -> None:
    loader = train.loader(4, True, 5, augment=[Mixup(until_epoch=1)], batch_first=False)
    for batch in loader:
        assert batch.targets.shape == (len(batch), 3)
        torch.testing.assert_close(batch.targets.sum(1), torch.ones(len(batch)))
        assert batch.frames.shape[:2] == (SHAPE[0], len(batch))
    for batch in loader:
        assert batch.targets.dtype == torch.int64
        assert torch.equal(batch.frames[0, :, 0, 0, 0], torch.tensor([float(key[3:]) for key in batch.keys]))


def test_shapes_that_augmentations_change_reach_lengths_and_mask(train: Split) -> None:
    batch = next(iter(train.loader(4, seed=0, augment=[{"name": "temporal_delete", "T_remain": 2}])))
    assert batch.frames.shape == (4, 2, *SHAPE[1:])
    assert batch.lengths.tolist() == [2] * 4
    assert batch.mask.shape == (4, 2)
    batch = next(iter(train.loader(4, augment=[{"name": "resize", "height": 2, "width": 6}])))
    assert batch.frames.shape == (4, 3, 2, 2, 6)


def test_stored_integers_are_moved_and_never_interpolated(train: Split) -> None:
    stored = samples(list(train.loader(4, dtype="stored", seed=5, augment=AUGMENT)))
    reals = samples(list(train.loader(4, seed=5, augment=AUGMENT)))
    assert {frames.dtype for frames, _ in stored.values()} == {torch.uint16}
    assert_same({key: (frames.float(), target) for key, (frames, target) in stored.items()}, reals)
    for name in ("mixup", "rotate"):
        more = {"interpolation": "bilinear"} if name == "rotate" else {}
        with pytest.raises(LoaderError, match=rf"augmentation {name} computes new numbers.*torch.uint16"):
            train.loader(4, dtype="stored", augment=[{"name": name, **more}])


def test_random_augmentations_of_a_test_set_need_a_word(store: Store) -> None:
    for partition in (store["test"], store.split("validation", val="random:0.3")):
        with pytest.raises(LoaderError, match=r"roll is random, and this is the (test|validation) split.*augment_test"):
            partition.loader(4, augment=[Roll()])
        assert len(list(partition.loader(4, augment=[Roll()], augment_test=True)))
        assert len(list(partition.loader(4, augment=[{"name": "resize", "height": 2, "width": 2}])))


@pytest.mark.usefixtures("mapped")
def test_labels_follow_a_flip(train: Split) -> None:
    flip = Flip(p=0.5)
    found = samples(list(train.loader(4, True, 5, augment=[flip])))
    happens = dict(zip(train.keys, flip.happens(Draws(train.keys, 5)).tolist(), strict=True))
    labels = dict(zip(train.keys, train.labels.tolist(), strict=True))
    assert len(set(happens.values())) == 2
    for key, (_, target) in found.items():
        assert int(target) == (MAPS["flip_x"].get(labels[key], labels[key]) if happens[key] else labels[key])


@pytest.mark.usefixtures("mapped")
def test_labels_follow_through_a_selection_of_classes(store: Store) -> None:
    split = store.split("train", classes=["roll", "clap", "wave"])
    targets = torch.cat([batch.targets for batch in split.loader(4, seed=5, augment=[Flip(p=1.0)])])
    names = [split.classes[target] for target in targets.tolist()]
    swapped = {"wave": "clap", "clap": "wave", "roll": "roll"}
    assert names == [swapped[split.classes[label]] for label in split.labels]


@pytest.mark.usefixtures("mapped")
def test_soft_labels_follow_by_their_columns(train: Split) -> None:
    mixup = Mixup(per="sample")
    [batch] = train.loader(17, seed=5, augment=[mixup, Flip(p=1.0)])
    [mixed] = train.loader(17, seed=5, augment=[mixup])
    assert torch.equal(batch.targets, mixed.targets[:, [1, 0, 2]])
    [merged] = train.loader(17, seed=5, augment=[mixup, Flip(p=1.0, axis="y")])
    expected = torch.stack([mixed.targets[:, 0], torch.zeros(17), mixed.targets[:, 1] + mixed.targets[:, 2]], dim=1)
    torch.testing.assert_close(merged.targets, expected)


@pytest.mark.usefixtures("mapped")
def test_a_class_that_was_not_selected_is_refused(store: Store) -> None:
    split = store.split("train", classes=["wave", "roll"])
    with pytest.raises(
        LoaderError, match=r"flip makes 'clap' of 'wave' \(flip_x\).*select it, or say labels = \"keep\""
    ):
        split.loader(4, augment=[Flip()])
    assert len(list(split.loader(4, augment=[Flip(labels="keep")])))


def test_a_dataset_that_declares_nothing_is_refused(train: Split) -> None:
    with pytest.raises(LoaderError, match=r'flip can change what a class means \(flip_x\), and toy does not.*"keep"'):
        train.loader(4, augment=[{"name": "flip"}])
    with pytest.raises(LoaderError, match=r"rotate can change what a class means \(rotate\)"):
        train.loader(4, augment=[{"name": "rotate", "max_degrees": 90}])
    assert train.loader(4, augment=[{"name": "rotate"}]).augmenter.random


def test_what_is_no_augmentation_is_refused(train: Split) -> None:
    with pytest.raises(RecipeError, match="augment: expected the name of an augmentation and found 'flop'; there is"):
        train.loader(4, augment=[{"name": "flop"}])
    with pytest.raises(RecipeError, match=r"augment: roll\.max: unknown key; roll takes: .*max_x"):
        train.loader(4, augment=[{"name": "roll", "max": 3}])
    with pytest.raises(RecipeError, match=r"augment: roll\.max_x is 'far'"):
        train.loader(4, augment=[{"name": "roll", "max_x": "far"}])
    with pytest.raises(LoaderError, match="expected an augmentation or a mapping"):
        train.loader(4, augment=["flip"])
    with pytest.raises(LoaderError, match='expected "recipe" or a list'):
        train.loader(4, augment="flip")
    with pytest.raises(LoaderError, match="expected a list of augmentations"):
        train.loader(4, augment=Roll())  # type: ignore[arg-type]


def test_the_recipes_augmentations_come_with_a_split_that_was_loaded_by_it(train: Split) -> None:
    with pytest.raises(LoaderError, match="a store does not hold the augmentations of its recipe"):
        train.loader(4, augment="recipe")
    loaded = pickle.loads(pickle.dumps(train.with_augment((Roll(max_x=1),)))).select(range(5))
    assert loaded.loader(4, augment="recipe").augmenter.augmentations == (Roll(max_x=1),)
    assert loaded.loader(4).augmenter.augmentations == ()
    assert train.augment is None


def test_frames_of_a_batch_transform_are_not_written_over(train: Split) -> None:
    kept = []

    def keep(frames: Tensor, targets: Tensor, rng: object) -> tuple[Tensor, Tensor]:
        kept.append(frames)
        return frames, targets

    for _ in train.loader(17, seed=5, batch_transform=keep, augment=AUGMENT):
        assert torch.equal(kept[0][3], torch.from_numpy(frames_of(3)).float())


def test_relabelling_by_hand() -> None:
    after, changed = torch.tensor([1, 0, 0]), torch.tensor([True, False, True])
    assert relabel(torch.tensor([2, 2, 1]), after, changed).tolist() == [0, 2, 0]
    soft = torch.tensor([[0.5, 0.25, 0.25]]).repeat(3, 1)
    assert relabel(soft, after, changed).tolist() == [[0.5, 0.5, 0], [0.5, 0.25, 0.25], [0.5, 0.5, 0]]


def test_a_split_of_numbers_is_not_mixed(new_store: object) -> None:
    split = new_store(classes=())["train"]  # type: ignore[operator]
    with pytest.raises(LoaderError, match=r"mixup mixes classes, and Split.* has none"):
        split.loader(4, augment=[Mixup()])
