from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodata.errors import UnknownNameError
from neurodata.loader import LoaderError
from neurodata.loader._select import carve, carve_groups, carve_random, check_fold, class_indices, fold_numbers

labels_of = st.lists(st.integers(0, 4), min_size=2, max_size=60).map(lambda labels: np.array(labels, dtype=np.int64))
fractions = st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50)


def keys_of(labels: Sequence[int]) -> list[str]:
    return [f"rec{i}" for i in range(len(labels))]


@given(labels_of, st.integers(2, 9))
def test_folds_cover_everything_and_differ_by_at_most_one_in_every_class(labels: np.ndarray, n_folds: int) -> None:
    folds = fold_numbers(labels, keys_of(labels), n_folds)
    assert set(folds.tolist()) <= set(range(n_folds))
    for chosen in [np.ones(len(labels), bool), *(labels == label for label in range(5))]:
        sizes = np.bincount(folds[chosen], minlength=n_folds)
        assert sizes.max() - sizes.min() <= 1


@given(labels_of, st.randoms(use_true_random=False))
def test_folds_and_carving_follow_the_key_not_the_place(labels: np.ndarray, random: object) -> None:
    keys = keys_of(labels)
    order = list(range(len(keys)))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved_labels, moved_keys = labels[order], [keys[i] for i in order]
    assert (fold_numbers(labels, keys, 3)[order] == fold_numbers(moved_labels, moved_keys, 3)).all()
    half = Fraction(1, 2)
    assert (carve_random(labels, keys, half)[order] == carve_random(moved_labels, moved_keys, half)).all()


@given(labels_of, fractions)
def test_random_carving_takes_the_fraction_of_all_and_of_every_class(labels: np.ndarray, fraction: Fraction) -> None:
    taken = carve_random(labels, keys_of(labels), fraction)
    n_taken = int(taken.sum())
    assert abs(n_taken - fraction * len(labels)) <= Fraction(1, 2)
    for label in range(5):
        share = Fraction(int((labels == label).sum()) * n_taken, len(labels))
        assert abs(int(taken[labels == label].sum()) - share) < 1


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=60), fractions)
def test_group_carving_takes_whole_groups_and_no_more_than_needed(groups: list[str], fraction: Fraction) -> None:
    taken = carve_groups(groups, fraction)
    inside = {group for group, is_taken in zip(groups, taken, strict=True) if is_taken}
    outside = {group for group, is_taken in zip(groups, taken, strict=True) if not is_taken}
    assert not inside & outside
    sizes = Counter(groups)
    assert taken.sum() >= fraction * len(groups)
    # Without the group taken last it would not have been enough.
    assert any(taken.sum() - sizes[group] < fraction * len(groups) for group in inside)


def test_group_carving_goes_by_the_hash_of_the_name() -> None:
    # sha256sum begins with 9dc0…84, bb82…ba, 6ca2…ff and 011e…f4: read little-endian, u0 < u1 < u3 < u2.
    groups = ["u0", "u1", "u2", "u3"]
    assert carve_groups(groups, Fraction(1, 4)).tolist() == [True, False, False, False]
    assert carve_groups(groups, Fraction(51, 100)).tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    "val",
    [
        "",
        "group",
        "group:",
        "group:0",
        "group:1",
        "group:-0.1",
        "group:nan",
        "group:1/0",
        "user:0.1",
        "0.1",
        "random:x",
    ],
)
def test_unreadable_val_says_what_is_expected(val: str) -> None:
    with pytest.raises(LoaderError, match=r'"group:F".*"random:F".*0 < F < 1'):
        carve(val, np.zeros(4, np.int64), list("aabb"), list("wxyz"))


def test_val_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(LoaderError, match=r"4 of 4 training samples \(1 groups\)"):
        carve("group:0.1", np.zeros(4, np.int64), ["u0"] * 4, list("wxyz"))
    with pytest.raises(LoaderError, match="0 of 4 training samples"):
        carve("random:0.1", np.zeros(4, np.int64), ["u0"] * 4, list("wxyz"))


@pytest.mark.parametrize("fold", [(2, 2), (-1, 2), (0, 1), (0, 5), (0.5, 2), (0,), (0, 1, 2), 3])
def test_fold_outside_its_number_is_refused(fold: tuple[int, int]) -> None:
    with pytest.raises(LoaderError, match=r"k from 0 to n - 1 and n from 2 to the number of samples, 4"):
        check_fold(fold, 4)


def test_classes_are_found_by_name_and_index() -> None:
    assert class_indices(["c", 0, np.int64(1)], ("a", "b", "c")) == (2, 0, 1)


@pytest.mark.parametrize("wanted", ["d", 3, -1, True, 0.0, None])
def test_unknown_class_lists_those_there_are(wanted: str | int) -> None:
    with pytest.raises(UnknownNameError, match="0 a, 1 b, 2 c"):
        class_indices([wanted], ("a", "b", "c"))


@pytest.mark.parametrize("wanted", [[], "ab", ["a", 0]])
def test_no_class_one_text_or_one_class_twice_is_refused(wanted: list[str | int]) -> None:
    with pytest.raises(LoaderError, match=r"twice|expected a list"):
        class_indices(wanted, ("a", "b", "c"))
