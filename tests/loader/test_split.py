from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from neurodata.loader import LoaderError, Split, Store
from tests.loader.stores import frames_of


@pytest.fixture
def train(store: Store) -> Split:
    return store["train"]


def test_item_is_float32_frames_and_a_python_label(train: Split) -> None:
    frames, label = train[5]
    assert frames.dtype == torch.float32
    assert np.array_equal(frames.numpy(), frames_of(5))
    assert type(label) is int
    assert label == 2


def test_positions_behave_like_those_of_a_sequence(train: Split) -> None:
    assert torch.equal(train[-1][0], train[16][0])
    assert torch.equal(train[np.int64(3)][0], train[3][0])
    for outside in (17, -18):
        with pytest.raises(IndexError, match=f"sample {outside} of Split.*there are 17"):
            train[outside]
    assert len(list(train)) == len(train) == 17


def test_sample_has_the_stored_type_and_what_is_known_of_it(train: Split) -> None:
    sample = train.sample(-1)
    assert sample.frames.dtype == np.uint16
    assert np.array_equal(sample.frames, frames_of(16))
    assert (sample.key, sample.target, sample.group) == ("rec016", 1, "u1")
    assert sample.meta == {"n_events": 160, "duration_us": 16000, "start_us": 0}


def test_labels_groups_and_keys_are_those_of_the_items(train: Split) -> None:
    assert train.labels.dtype == np.int64
    assert train.labels.tolist() == [label for _, label in train]
    assert train.groups == tuple(f"u{i % 5}" for i in range(17))


def test_select_takes_positions_masks_and_functions(train: Split) -> None:
    assert train.select([3, -1, 3]).keys == ("rec003", "rec016", "rec003")
    assert train.select(train.labels == 1).labels.tolist() == [1] * 6
    users = train.select(lambda row: row.group == "u2" and row.meta["n_events"] > 20)
    assert users.keys == ("rec007", "rec012")
    assert users.select([1]).keys == ("rec012",)
    assert train.select([]).keys == ()
    assert "selected from train" in repr(users)


def test_select_keeps_renumbered_classes(store: Store) -> None:
    split = store.split("train", classes=["roll", "wave"]).select([0, 1])
    assert split.classes == ("roll", "wave")
    assert split.labels.tolist() == [1, 0]


def test_select_refuses_what_is_no_choice(train: Split) -> None:
    with pytest.raises(LoaderError, match=r"mask has shape \(3,\); expected \(17,\)"):
        train.select(np.array([True, False, True]))
    with pytest.raises(LoaderError, match="found float64"):
        train.select(np.array([0.0]))
    with pytest.raises(IndexError, match="sample 17"):
        train.select([17])


def test_split_pickles_small_and_gives_the_same_items(train: Split) -> None:
    train.keys  # noqa: B018 (fills the cache, which must not travel)
    pickled = pickle.dumps(train)
    assert len(pickled) < 2000
    copy = pickle.loads(pickled)
    assert copy.keys == train.keys
    assert torch.equal(copy[2][0], train[2][0])
    assert repr(copy) == repr(train)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12+, on fork
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_torch_loader_reads_in_worker_processes(train: Split, context: str) -> None:
    train[0]  # the parent has the file open before it forks
    loader = DataLoader(train, batch_size=6, num_workers=2, multiprocessing_context=context)
    frames, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert np.array_equal(frames.numpy(), np.stack([frames_of(i) for i in range(17)]))
    assert labels.tolist() == train.labels.tolist()


def test_torch_loader_uses_getitems(train: Split) -> None:
    [(frames, labels)] = DataLoader(train.select([4, 2]), batch_size=2)
    assert labels.tolist() == [1, 2]
    assert frames[:, 0, 0, 0, 0].tolist() == [4, 2]


def test_class_weights_are_inverse_to_the_counts_and_one_on_average(store: Store, train: Split) -> None:
    weights = train.select([0, 1, 3, 6, 9, 4]).class_weights()  # 4 of wave, 2 of clap, none of roll
    assert weights.dtype == torch.float32
    assert weights.tolist() == [pytest.approx(2 / 3), pytest.approx(4 / 3), 0]
    assert train.select([2, 1, 0]).class_weights().tolist() == [1, 1, 1]
    assert store.split("train", classes=["roll", "clap"]).class_weights().tolist() == pytest.approx([12 / 11, 10 / 11])
    torch.nn.functional.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 2]), weight=train.class_weights())


def test_class_weights_take_classes_and_samples(train: Split, new_store: Callable[..., Store]) -> None:
    for split in (train.select([]), new_store(classes=())["train"]):
        with pytest.raises(LoaderError, match="has no classes or no samples"):
            split.class_weights()
