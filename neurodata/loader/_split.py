"""A split: the samples of one partition, as a sequence, and for torch's DataLoader."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurodata.augmentations import Augmentation
from neurodata.errors import LoaderError
from neurodata.loader._augment import Augment
from neurodata.loader._decode import SampleTransform
from neurodata.loader._dtype import check_counts
from neurodata.loader._form import Normalize
from neurodata.loader._loader import BatchTransform, Loader
from neurodata.loader._sampler import BatchSampler
from neurodata.loader._shuffle import ShuffleArgument
from neurodata.loader._source import FrameSource
from neurodata.loader._targets import read_targets
from neurodata.loader._view import View, make_view, random_seed
from neurodata.recipe import ViewStep
from neurodata.signals import EventArray
from neurodata.steps import ArraySpec, Step
from neurodata.store import StoreHead, StoreReader, Texts
from neurodata.targets import CLASS, TargetSpec


@dataclass(frozen=True, slots=True)
class Origin:
    """How a split came about: the words that reports repeat.

    Parameters
    ----------
    partition
        "train", "validation" or "test".
    scheme
        Name of the scheme that drew the line.
    fold
        (k, n) when folds replace the scheme's own partition.
    val
        The rule by which a validation part was carved out of train.
    selected
        True when `Split.select` picked some of the samples.
    """

    partition: str
    scheme: str
    fold: tuple[int, int] | None = None
    val: str | None = None
    selected: bool = False

    def __str__(self) -> str:
        fold = f", fold {self.fold[0]} of {self.fold[1]}" if self.fold else ""
        val = f', val="{self.val}"' if self.val else ""
        return f"{'selected from ' * self.selected}{self.partition}, scheme {self.scheme}{fold}{val}"


@dataclass(frozen=True, slots=True)
class Row:
    """What the sample table says of a sample: a `Sample` without its frames.

    `target` is its class in the split, `group` its speaker, subject or user; `meta` has `n_events`,
    `duration_us`, and `start_us`: the time of its first event on the recording's clock, from which targets may count.
    """

    key: str
    target: int
    group: str
    meta: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One training example as the store holds it: `frames` [T, C, H, W] in the stored type; the rest as in `Row`.

    `targets` are those besides the class, by name.
    """

    key: str
    frames: NDArray[Any]
    target: int
    group: str
    meta: Mapping[str, int]
    targets: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Split(torch.utils.data.Dataset[tuple[Tensor, Any]]):
    """Samples of a store in a fixed order; `split[i]` is (frames, label), or (frames, targets).

    Frames are raw counts, torch.float32 [T, C, H, W]; labels are Python integers that index `classes`. Where the store
    has other targets (`target_specs`), an item has all of them by name: the label as "class", where there are classes,
    and tensors of the shape and type stored. A split holds
    indices, not data: it is cheap to pickle, and workers of a torch DataLoader (fork, spawn or forkserver) open the
    store for themselves. Made by `Store.split`.

    Parameters
    ----------
    store
        The opened store.
    indices
        Which of its samples, int64 [n].
    kept
        Which of its classes, in the order of the labels; the samples have no others. Where the store has no classes
        this is empty and labels are its targets.
    origin
        Partition and scheme.
    augment
        The augmentations of the recipe that it was loaded by, which `loader(augment="recipe")` applies; None where no
        recipe is known.
    view
        How frames are made, of a store of events; None where frames are stored, or where it is not said yet.
    """

    def __init__(
        self,
        store: StoreReader,
        indices: NDArray[np.int64],
        kept: tuple[int, ...],
        origin: Origin,
        augment: tuple[Augmentation, ...] | None = None,
        view: View | None = None,
    ) -> None:
        self.store = store
        self.indices = indices
        self.kept = kept
        self.origin = origin
        self.augment = augment
        self.source = FrameSource(store, view)
        self.classes: tuple[str, ...] = tuple(store.head.classes[index] for index in kept)
        self.labels = _labels(store.table.targets[indices], kept)

    def __reduce__(self) -> tuple[type[Split], tuple[Any, ...]]:
        return Split, (self.store, self.indices, self.kept, self.origin, self.augment, self.source.view)

    @cached_property
    def keys(self) -> Texts:
        """Names of the samples, stable from store to store."""
        return self.store.table.keys.take(self.indices)

    @cached_property
    def groups(self) -> Texts:
        """Speaker, subject or user of each sample."""
        return self.store.table.groups.take(self.indices)

    @property
    def spec(self) -> ArraySpec:
        """Shape, type and axes of a sample's frames.

        Raises
        ------
        StoreError
            When the store holds events, and it is not said how frames are made of them.
        """
        return self.source.spec

    @property
    def target_specs(self) -> tuple[TargetSpec, ...]:
        """What samples have besides a class."""
        return self.store.head.targets

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> tuple[Tensor, Any]:
        position = self._position(i)
        seed = random_seed() if self.source.random else 0
        frames = self.source.read(int(self.indices[position]), seed)
        check_counts(frames, torch.float32, self.keys[position])
        label = self._target(position, seed, 0)
        return torch.from_numpy(frames).to(torch.float32), self._with_others(label, int(self.indices[position]))

    def _with_others(self, label: int, index: int) -> int | dict[str, int | Tensor]:
        if not self.target_specs:
            return label
        others = {name: torch.from_numpy(array) for name, array in read_targets(self.store, index).items()}
        return ({CLASS: label} if self.classes else {}) | others

    def __getitems__(self, positions: Sequence[int]) -> list[tuple[Tensor, Any]]:
        """Several items at once, for torch's DataLoader."""
        with self.source.fetch(self.indices[[self._position(i) for i in positions]]).in_use():
            return [self[i] for i in positions]

    def sample(self, i: int) -> Sample:
        """Sample i in the stored type, with its name, group and what was measured when it was made."""
        row = self.row(i)
        index = int(self.indices[self._position(i)])
        frames, targets = self.source.read(index), read_targets(self.store, index)
        return Sample(row.key, frames, row.target, row.group, row.meta, targets)

    def events(self, i: int, start_us: int | None = None, stop_us: int | None = None) -> EventArray:
        """The events of sample i of a store of events, on the recording's clock: all, or start_us <= t < stop_us.

        No more of a long sample is read than the chunks that the part lies in.

        Raises
        ------
        StoreError
            When the store holds frames, or the sample is damaged.
        """
        return self.store.read_events(int(self.indices[self._position(i)]), start_us, stop_us)

    def row(self, i: int) -> Row:
        """What is known of sample i without reading its frames."""
        position = self._position(i)
        index, table = int(self.indices[position]), self.store.table
        meta = {name: int(getattr(table, name)[index]) for name in ("n_events", "duration_us", "start_us")}
        return Row(self.keys[position], int(self.labels[position]), self.groups[position], meta)

    def select(self, which: Callable[[Row], bool] | Sequence[int] | NDArray[Any]) -> Split:
        """Some of the samples, with the same classes.

        Parameters
        ----------
        which
            Positions in this split (any order, negative ones count from the end, repetitions repeat), a bool mask
            [n], or a function that says for each `Row` whether to keep it.

        Raises
        ------
        LoaderError
            When a mask has another length, or positions are not integers.
        IndexError
            When a position lies outside.
        """
        if callable(which):
            positions = np.array([i for i in range(len(self)) if which(self.row(i))], dtype=np.int64)
        else:
            positions = self._positions(np.asarray(which))
        origin = replace(self.origin, selected=True)
        return self._changed(indices=self.indices[positions], origin=origin)

    def with_augment(self, augment: tuple[Augmentation, ...]) -> Split:
        """The same split, for which `loader(augment="recipe")` means these."""
        return self._changed(augment=augment)

    def with_view(self, steps: Sequence[ViewStep | Step | Mapping[str, Any]]) -> Split:
        """The same split of a store of events, with frames made by these steps.

        Parameters
        ----------
        steps
            Transforms of events, random ones drawn anew in every epoch, and then one encoding; each as such or as a
            table of a recipe: `[{"name": "drop_events", "ratio": 0.1}, {"name": "event_frame", "T": 8}]`. Random ones
            are left out of a split that is not for training, unless they say `"only": "all"`.

        Raises
        ------
        StoreError
            When the store holds frames.
        LoaderError, RecipeError
            When the steps do not fit.
        """
        return self._changed(view=make_view(steps, self.store, self.origin.partition))

    def loader(
        self,
        batch_size: int,
        shuffle: ShuffleArgument = False,
        seed: int | None = None,
        batch_first: bool = True,
        drop_last: bool = False,
        dtype: str | torch.dtype = "float32",
        transform: SampleTransform | None = None,
        batch_transform: BatchTransform | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        threads: int | None = None,
        device: str | torch.device | None = None,
        augment: Augment = (),
        augment_test: bool = False,
        shuffle_window: int | None = None,
        binarize: bool = False,
        normalize: Normalize | None = None,
        resize: tuple[int, int] | None = None,
        pad_to: int | None = None,
        prefetch: int = 2,
        pin_memory: bool | None = None,
        raster: bool | None = None,
    ) -> Loader:
        """Batches of this split; the arguments are those of `Loader`."""
        return Loader(
            self,
            batch_size,
            shuffle=shuffle,
            shuffle_window=shuffle_window,
            seed=seed,
            batch_first=batch_first,
            drop_last=drop_last,
            dtype=dtype,
            transform=transform,
            batch_transform=batch_transform,
            rank=rank,
            world_size=world_size,
            threads=threads,
            device=device,
            augment=augment,
            augment_test=augment_test,
            binarize=binarize,
            normalize=normalize,
            resize=resize,
            pad_to=pad_to,
            prefetch=prefetch,
            pin_memory=pin_memory,
            raster=raster,
        )

    def targets(self, positions: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
        """Labels of these samples, int64 [b], after the steps of a view that change what they mean."""
        labels = self.labels[positions]
        if self.source.view is None or not self.source.view.changes_labels:
            return labels
        return np.array([self._target(int(i), seed, epoch) for i in positions], np.int64)

    def _target(self, i: int, seed: int, epoch: int) -> int:
        label = int(self.labels[i])
        if self.source.view is None or not self.source.view.changes_labels:
            return label
        changed = self.source.view.target(self.kept[label], self.keys[i], seed, epoch)
        if changed not in self.kept:
            raise LoaderError(
                f"sample {self.keys[i]!r} becomes {self.store.head.classes[changed]!r}, which is not among the "
                'selected classes: select it, or say labels = "keep" for the step'
            )
        return self.kept.index(changed)

    def _changed(self, **changed: Any) -> Split:
        """The same split but for some of its properties."""
        names = ("store", "indices", "kept", "origin", "augment")
        return Split(**{name: getattr(self, name) for name in names} | {"view": self.source.view} | changed)

    def sampler(
        self,
        batch_size: int,
        shuffle: ShuffleArgument = False,
        seed: int | None = None,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle_window: int | None = None,
    ) -> BatchSampler:
        """The batches of `loader` for torch's DataLoader, `DataLoader(split, batch_sampler=split.sampler(16))`."""
        return BatchSampler(
            self,
            batch_size,
            shuffle=shuffle,
            shuffle_window=shuffle_window,
            seed=seed,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
        )

    def class_weights(self) -> Tensor:
        """Weights of the classes for a loss, float32 [n_classes]: inverse to the number of samples, their mean is 1.

        A class without samples has weight 0 and is left out of the mean.

        Raises
        ------
        LoaderError
            When the split has no classes or no samples.

        Examples
        --------
        >>> loss = torch.nn.CrossEntropyLoss(weight=split.class_weights())  # doctest: +SKIP
        """
        if not self.classes or not len(self):
            raise LoaderError(f"class_weights: {self!r} has no classes or no samples")
        counts = np.bincount(self.labels, minlength=len(self.classes))
        present = counts > 0
        weights = np.zeros(len(counts))
        weights[present] = 1 / counts[present]
        return torch.from_numpy(weights / weights[present].mean()).float()

    def _position(self, i: int) -> int:
        position = operator.index(i)
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} of {self!r}: there are {len(self)}")
        return position % len(self)

    def _positions(self, which: NDArray[Any]) -> NDArray[np.int64]:
        if which.dtype == np.bool_ and which.shape != (len(self),):
            raise LoaderError(f"mask has shape {which.shape}; expected {(len(self),)}, one entry per sample")
        if which.dtype == np.bool_:
            return np.flatnonzero(which).astype(np.int64)
        if which.ndim != 1 or (which.size and which.dtype.kind not in "ui"):
            raise LoaderError(
                f"select takes positions, a bool mask or a function; found {which.dtype} of shape {which.shape}"
            )
        return np.array([self._position(int(i)) for i in which], dtype=np.int64)

    def __repr__(self) -> str:
        targets = f", targets {', '.join(map(str, self.target_specs))}" if self.target_specs else ""
        return (
            f"Split({title(self.store.head)}: {self.origin}; {len(self)} samples, {len(self.classes)} classes{targets})"
        )


def title(head: StoreHead) -> str:
    """The dataset's name, and in capitals what a result on it must not be taken for."""
    kind = {"published": "", "folder": " FOLDER", "twin": " TWIN"}[head.source_kind]
    return f"{head.dataset}{kind}{' PARTIAL' * head.partial}"


def _labels(targets: NDArray[np.int64], kept: tuple[int, ...]) -> NDArray[np.int64]:
    if not kept:
        return targets
    label_of = np.empty(max(kept) + 1, dtype=np.int64)
    label_of[list(kept)] = np.arange(len(kept))
    return label_of[targets]
