"""Who goes where: validation parts, folds and classes, as pure functions over labels, groups and keys.

Nothing here depends on the order of the samples in a store or on a seed: names are ordered by their hash.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neurodata.draws import hash_text
from neurodata.errors import LoaderError, UnknownNameError


def carve(val: str, labels: NDArray[np.int64], groups: Sequence[str], keys: Sequence[str]) -> NDArray[np.bool_]:
    """Which training samples go to validation, bool [n].

    Parameters
    ----------
    val
        "group:0.15" takes whole groups, "random:0.1" samples stratified by class.
    labels, groups, keys
        Of the training samples, each of length n.

    Raises
    ------
    LoaderError
        When val cannot be read, or nothing would be left on one of the two sides.
    """
    by, _, amount = val.partition(":") if isinstance(val, str) else ("", "", "")
    try:
        fraction = Fraction(amount)
    except (ValueError, ZeroDivisionError):
        fraction = Fraction(0)
    if by not in ("group", "random") or not 0 < fraction < 1:
        raise LoaderError(
            f'val={val!r}: expected "group:F" (whole groups) or "random:F" (samples, stratified by class) '
            'with 0 < F < 1, such as "group:0.15"'
        )
    taken = carve_groups(groups, fraction) if by == "group" else carve_random(labels, keys, fraction)
    if taken.all() or not taken.any():
        raise LoaderError(
            f"val={val!r} would put {int(taken.sum())} of {len(taken)} training samples "
            f"({len(set(groups))} groups) into validation; "
            'both parts need at least one sample: take another fraction, or "random:F" where the groups are too few'
        )
    return taken


def carve_groups(groups: Sequence[str], fraction: Fraction) -> NDArray[np.bool_]:
    """Whole groups in the order of their hashes until at least that fraction of the samples is reached, bool [n]."""
    sizes = Counter(groups)
    taken: set[str] = set()
    n_taken = 0
    for group in sorted(sizes, key=lambda name: (hash_text(name), name)):
        if n_taken >= fraction * len(groups):
            break
        taken.add(group)
        n_taken += sizes[group]
    return np.array([group in taken for group in groups], dtype=np.bool_)


def carve_random(labels: NDArray[np.int64], keys: Sequence[str], fraction: Fraction) -> NDArray[np.bool_]:
    """That fraction of the samples, rounded to the nearest number, bool [n]; each class gives its share within one."""
    n = len(keys)
    n_taken = int(fraction * n + Fraction(1, 2))
    place = np.arange(n, dtype=np.int64)
    taken = np.empty(n, dtype=np.bool_)
    # Every (n / n_taken)-th of a row in which classes stand together, in integers.
    taken[_by_class_and_hash(labels, keys)] = (place + 1) * n_taken // max(n, 1) > place * n_taken // max(n, 1)
    return taken


def fold_numbers(labels: NDArray[np.int64], keys: Sequence[str], n_folds: int) -> NDArray[np.int64]:
    """The fold of each sample, 0 … n_folds - 1, int64 [n].

    Dealt in turn from a row in which classes stand together, each in hash order: sizes of the folds differ by
    at most one, and so do they within each class.
    """
    folds = np.empty(len(keys), dtype=np.int64)
    folds[_by_class_and_hash(labels, keys)] = np.arange(len(keys)) % n_folds
    return folds


def check_fold(fold: tuple[int, int], n_samples: int) -> tuple[int, int]:
    """The pair (k, n) as two integers.

    Raises
    ------
    LoaderError
        Unless 0 <= k < n and 2 <= n <= n_samples.
    """
    try:
        k, n_folds = (operator.index(number) for number in fold)
    except (TypeError, ValueError):
        k, n_folds = 0, 0
    if not 2 <= n_folds <= n_samples or not 0 <= k < n_folds:
        raise LoaderError(
            f"fold={fold!r}: expected (k, n) with k from 0 to n - 1 and n from 2 to the number of samples, {n_samples}"
        )
    return k, n_folds


def class_indices(wanted: Sequence[str | int], classes: Sequence[str]) -> tuple[int, ...]:
    """Indices of the wanted classes, given by name or index, in the order given.

    Raises
    ------
    UnknownNameError
        When there is no such class; lists those there are.
    LoaderError
        When none is wanted, or one twice.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Sequence | np.ndarray) or not len(wanted):
        raise LoaderError(f"classes={wanted!r}: expected a list of names or indices; there is {_listed(classes)}")
    indices = tuple(_class_index(one, classes) for one in wanted)
    if len(set(indices)) != len(indices):
        raise LoaderError(f"classes={list(wanted)!r}: a class is named twice")
    return indices


def _class_index(wanted: str | int, classes: Sequence[str]) -> int:
    if isinstance(wanted, str) and wanted in classes:
        return classes.index(wanted)
    if isinstance(wanted, int | np.integer) and not isinstance(wanted, bool) and 0 <= wanted < len(classes):
        return int(wanted)
    raise UnknownNameError(f"no class {wanted!r}; there is {_listed(classes)}")


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(f"{index} {name}" for index, name in enumerate(classes)) or "none: the store has no classes"


def _by_class_and_hash(labels: NDArray[np.int64], keys: Sequence[str]) -> NDArray[np.int64]:
    return np.array(
        sorted(range(len(keys)), key=lambda i: (int(labels[i]), hash_text(keys[i]), keys[i])), dtype=np.int64
    )
