from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from neurodata.errors import UnknownNameError
from neurodata.loader import LoaderError, Store


def test_partitions_are_those_of_the_scheme_in_its_order(store: Store) -> None:
    assert store["train"].keys == tuple(f"rec{i:03d}" for i in range(17))
    assert store.split("test").keys == tuple(f"rec{i:03d}" for i in range(17, 23))
    assert len(store.split("train", scheme="all-train")) == 23


def test_official_is_the_default_scheme(store: Store) -> None:
    assert next(iter(store.schemes)) == "all-train"
    assert store["train"].origin.scheme == "official"


def test_val_is_short_for_validation(new_store: Callable[..., Store]) -> None:
    assert new_store(validation=4)["val"].keys == ("rec013", "rec014", "rec015", "rec016")


def test_unknown_names_list_what_there_is(store: Store) -> None:
    with pytest.raises(UnknownNameError, match="'dev'; there is train, validation, test"):
        store["dev"]
    with pytest.raises(UnknownNameError, match="'first-100'; there is all-train, official"):
        store.split("train", scheme="first-100")
    with pytest.raises(UnknownNameError, match="0 wave, 1 clap, 2 roll"):
        store.split("train", classes=["jump"])


def test_missing_validation_part_says_how_to_make_one(store: Store) -> None:
    with pytest.raises(LoaderError, match=r'toy: no samples in validation, scheme official; .*val="group:0.15"'):
        store["validation"]
    with pytest.raises(LoaderError, match="no samples in test, scheme all-train"):
        store.split("test", scheme="all-train")


@pytest.mark.parametrize("val", ["group:0.2", "random:0.2"])
def test_carved_validation_and_rest_make_up_the_training_part(store: Store, val: str) -> None:
    rest, carved = store.split("train", val=val), store.split("validation", val=val)
    assert sorted([*rest.keys, *carved.keys]) == list(store["train"].keys)
    assert 0.2 * 17 - 1 < len(carved) < 0.5 * 17
    assert store.split("test", val=val).keys == store["test"].keys
    if val.startswith("group"):
        assert not set(rest.groups) & set(carved.groups)


def test_val_beside_a_validation_part_is_refused(new_store: Callable[..., Store]) -> None:
    with pytest.raises(LoaderError, match="scheme official has a validation part of 4 samples; leave val out"):
        new_store(validation=4).split("train", val="random:0.2")


def test_every_sample_is_in_the_test_part_of_one_fold(store: Store) -> None:
    tests = [store.split("test", fold=(k, 4)) for k in range(4)]
    assert sorted(key for test in tests for key in test.keys) == [f"rec{i:03d}" for i in range(23)]
    for k, test in enumerate(tests):
        train = store.split("train", fold=(k, 4))
        assert sorted([*train.keys, *test.keys]) == [f"rec{i:03d}" for i in range(23)]
    sizes = np.array([np.bincount(test.labels, minlength=3) for test in tests])
    assert (sizes.max(axis=0) - sizes.min(axis=0) <= 1).all()


def test_validation_can_be_carved_out_of_a_fold(store: Store) -> None:
    parts = [store.split(part, fold=(1, 4), val="random:0.25").keys for part in ("train", "validation", "test")]
    assert sorted([key for part in parts for key in part]) == [f"rec{i:03d}" for i in range(23)]
    with pytest.raises(LoaderError, match=r"validation, scheme official, fold 1 of 4; carve"):
        store.split("validation", fold=(1, 4))


def test_bad_fold_is_refused(store: Store) -> None:
    with pytest.raises(LoaderError, match=r"fold=\(4, 4\)"):
        store.split("test", fold=(4, 4))


def test_classes_are_kept_and_renumbered_in_the_order_given(store: Store) -> None:
    split = store.split("train", classes=["roll", 0])
    assert split.classes == ("roll", "wave")
    assert set(split.keys) == {f"rec{i:03d}" for i in range(17) if i % 3 in (0, 2)}
    assert split.labels.tolist() == [0 if int(key[3:]) % 3 == 2 else 1 for key in split.keys]


def test_classes_do_not_move_samples_between_parts(store: Store) -> None:
    whole = store.split("validation", val="random:0.3")
    some = store.split("validation", val="random:0.3", classes=["clap"])
    assert set(some.keys) <= set(whole.keys)


def test_store_without_classes_gives_its_targets(new_store: Callable[..., Store]) -> None:
    split = new_store(classes=())["train"]
    assert split.labels.tolist() == [i % 3 for i in range(17)]
    assert split.classes == ()
    with pytest.raises(UnknownNameError, match="the store has no classes"):
        new_store(classes=()).split("train", classes=["wave"])


def test_repr_is_loud_about_twins_and_parts(new_store: Callable[..., Store], store: Store) -> None:
    marked = new_store(kind="twin", partial=True)
    assert repr(marked).startswith("Store(toy TWIN PARTIAL: 23 samples, uint16 [3, 2, 4, 4]")
    assert repr(store["test"]) == "Split(toy: test, scheme official; 6 samples, 3 classes)"
    split = marked.split("train", val="group:0.2", fold=(0, 3), classes=[1])
    assert repr(split).startswith('Split(toy TWIN PARTIAL: train, scheme official, fold 0 of 3, val="group:0.2"; ')


def test_store_pickles_as_its_path(store: Store) -> None:
    copy = pickle.loads(pickle.dumps(store))
    assert type(copy) is Store
    assert copy.path == store.path
    assert len(pickle.dumps(store)) < 1000
