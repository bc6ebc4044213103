"""An opened store that can be split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodata.datasets import PARTITIONS
from neurodata.errors import LoaderError, UnknownNameError
from neurodata.loader._select import carve, check_fold, class_indices, fold_numbers
from neurodata.loader._split import Origin, Split, title
from neurodata.store import StoreReader


class Store(StoreReader):
    """A finished store; `store["train"]` is a split by its default scheme."""

    def __repr__(self) -> str:
        schemes = ", ".join(self.schemes)
        return f"Store({title(self.head)}: {len(self)} samples, {self.contents}, schemes {schemes}; {self.path})"

    def __getitem__(self, partition: str) -> Split:
        return self.split(partition)

    def split(
        self,
        partition: str,
        scheme: str | None = None,
        val: str | None = None,
        fold: tuple[int, int] | None = None,
        classes: Sequence[str | int] | None = None,
    ) -> Split:
        """The samples of one partition.

        Parameters
        ----------
        partition
            "train", "validation" (or "val") or "test".
        scheme
            A name from `schemes`; by default the dataset's own.
        val
            Carves a validation part out of train, the same one in every run. "group:0.15" takes whole groups (users),
            in the order of the hashes of their names, until at least that fraction of the training samples is
            reached, so the part is usually larger than asked. "random:0.1" takes that fraction of the samples,
            stratified by class. Whoever asks for "train" gets what is left only with the same `val`.
        fold
            (k, n), k from 0 to n - 1: replaces the scheme's own line. All its samples, test included, are dealt into
            n folds, stratified by class, in the order of the hashes of their keys; fold k is test, the others are
            train. Groups are not kept together.
        classes
            Names or indices of the classes to keep; labels are renumbered in this order. Applied last: it does not
            change which partition a sample is in.

        Raises
        ------
        UnknownNameError
            When there is no such partition, scheme or class; lists those there are.
        LoaderError
            When val or fold cannot be used, or the partition holds no sample.
        """
        partition = "validation" if partition == "val" else partition
        if partition not in PARTITIONS:
            raise UnknownNameError(f"no partition {partition!r}; there is {', '.join(PARTITIONS)}")
        scheme = self._scheme_name(scheme)
        indices = self._partitions(scheme, fold, val)[partition]
        origin = Origin(partition, scheme, fold, val)
        kept = tuple(range(len(self.head.classes)))
        if classes is not None:
            kept = class_indices(classes, self.head.classes)
            indices = indices[np.isin(self.table.targets[indices], kept)]
        if not len(indices):
            raise LoaderError(self._nothing_in(origin, classes))
        return Split(self, indices, kept, origin)

    def _scheme_name(self, scheme: str | None) -> str:
        scheme = self.head.default_scheme if scheme is None else scheme
        if scheme not in tuple(self.schemes):
            raise UnknownNameError(f"{self.path}: no scheme {scheme!r}; there is {', '.join(self.schemes) or 'none'}")
        return scheme

    def _partitions(self, scheme: str, fold: tuple[int, int] | None, val: str | None) -> dict[str, NDArray[np.int64]]:
        index = self.schemes[scheme]
        parts = {"train": index.train, "validation": index.validation, "test": index.test}
        if fold is not None:
            samples = np.concatenate(list(parts.values()))
            k, n_folds = check_fold(fold, len(samples))
            in_test = fold_numbers(self.table.targets[samples], self._named(self.table.keys, samples), n_folds) == k
            parts = {"train": samples[~in_test], "validation": samples[:0], "test": samples[in_test]}
        if val is not None:
            if len(parts["validation"]):
                raise LoaderError(
                    f"val={val!r}: scheme {scheme} has a validation part of {len(parts['validation'])} samples; "
                    "leave val out to use it"
                )
            train = parts["train"]
            groups, keys = self._named(self.table.groups, train), self._named(self.table.keys, train)
            taken = carve(val, self.table.targets[train], groups, keys)
            parts |= {"train": train[~taken], "validation": train[taken]}
        return parts

    def _named(self, column: Sequence[str], indices: NDArray[np.int64]) -> list[str]:
        return [column[index] for index in indices]

    def _nothing_in(self, origin: Origin, classes: Sequence[str | int] | None) -> str:
        message = f"{self.head.dataset}: no samples in {origin}"
        if classes is not None:
            message += f" with the classes {list(classes)!r}"
        if origin.partition == "validation" and origin.val is None:
            message += '; carve a part out of train with val="group:0.15" (whole groups) or val="random:0.1"'
        if origin.partition == "test" and origin.fold is None:
            message += "; a cross-validation makes one: fold=(0, 5) (--fold 0/5) is part 0 of 5"
        if self.head.partial:
            message += "; the store is partial"
        return message
