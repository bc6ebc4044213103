"""A loader's augmentations: made from names, checked against the split, and done to each batch with its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from neurodata import registry
from neurodata.augmentations import Augmentation, Draws
from neurodata.errors import LoaderError
from neurodata.recipe import parse_augmentation
from neurodata.targets import parted_by

if TYPE_CHECKING:
    from neurodata.loader._split import Split

# "recipe", or a list of augmentations, each as such or as {"name": "flip", "p": 0.5}.
Augment: TypeAlias = str | Sequence[Augmentation | Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Augmenter:
    """Augmentations in the order of application, for the batches of one split.

    Parameters
    ----------
    augmentations
        Those to apply.
    classes_after
        For each of them, what becomes of the class of a changed sample, int64 [n_classes]; None: it stays.
    n_classes
        Length of soft targets.
    """

    augmentations: tuple[Augmentation, ...]
    classes_after: tuple[Tensor | None, ...]
    n_classes: int

    @property
    def random(self) -> bool:
        """Whether any of them draws."""
        return any(augmentation.random for augmentation in self.augmentations)

    def apply(
        self, frames: Tensor, targets: Tensor, keys: tuple[str, ...], seed: int, epoch: int
    ) -> tuple[Tensor, Tensor]:
        """The augmented batch; frames [B, T, ...] are written over.

        Targets are int64 [B] still, or float32 [B, n_classes] where one that mixes is active in this epoch.
        """
        for place, augmentation in enumerate(self.augmentations):
            if not augmentation.active(epoch):
                continue
            draws = Draws(keys, seed, epoch, place)
            if augmentation.mixes and not targets.is_floating_point():
                targets = one_hot(targets, self.n_classes).float()
            frames, targets = augmentation.update(frames, targets, draws)
            if (after := self.classes_after[place]) is not None:
                changed = torch.from_numpy(augmentation.happens(draws)).to(targets.device)
                targets = relabel(targets, after.to(targets.device), changed)
        return frames, targets


def make_augmenter(augment: Augment, split: Split, dtype: torch.dtype, augment_test: bool) -> Augmenter:
    """The augmentations that a caller asks for, or that the recipe holds.

    Raises
    ------
    RecipeError
        When a mapping names no augmentation, or a parameter that does not fit.
    LoaderError
        When one does not fit the split: random on a test set, labels that it does not know, numbers that are no reals.
    """
    augmentations = _augmentations(augment, split)
    partition = split.origin.partition
    for augmentation in augmentations:
        augmentation.check_type(dtype)
        if augmentation.random and partition != "train" and not augment_test:
            raise LoaderError(
                f"augment: {augmentation.name} is random, and this is the {partition} split: results on it would not "
                "be those of its samples. Leave it out, or say augment_test=True"
            )
        if augmentation.mixes and not split.classes:
            raise LoaderError(f"augment: {augmentation.name} mixes classes, and {split!r} has none")
        if augmentation.mixes and split.target_specs:
            raise LoaderError(
                f"augment: {augmentation.name} mixes samples, and the target {split.target_specs[0]} is not mixed with "
                "them: leave it out"
            )
        if why := parted_by(split.target_specs, augmentation.moves, augmentation.label_change is not None):
            raise LoaderError(f"augment: {augmentation.name}: {why}")
    after = tuple(_classes_after(augmentation, split) for augmentation in augmentations)
    return Augmenter(augmentations, after, len(split.classes))


def relabel(targets: Tensor, after: Tensor, changed: Tensor) -> Tensor:
    """Targets, int64 [B] or soft [B, n_classes], with `after`, int64 [n_classes], applied where `changed`, bool [B]."""
    if not targets.is_floating_point():
        return torch.where(changed, after[targets], targets)
    moved = torch.zeros_like(targets).index_add_(1, after, targets)
    return torch.where(changed[:, None], moved, targets)


def _augmentations(augment: Augment, split: Split) -> tuple[Augmentation, ...]:
    if isinstance(augment, str):
        if augment != "recipe":
            raise LoaderError(f'augment={augment!r}: expected "recipe" or a list, such as [{{"name": "flip"}}]')
        if split.augment is None:
            raise LoaderError(
                'augment="recipe": a store does not hold the augmentations of its recipe; load the split by '
                "neurodata.load, or give a list"
            )
        return split.augment
    if not isinstance(augment, Sequence):
        raise LoaderError(f"augment={augment!r}: expected a list of augmentations")
    made = []
    for entry in augment:
        if isinstance(entry, Mapping):
            entry = parse_augmentation("augment", entry)
        if not isinstance(entry, Augmentation):
            raise LoaderError(f'augment: found {entry!r}; expected an augmentation or a mapping, {{"name": "flip"}}')
        made.append(entry)
    return tuple(made)


def _classes_after(augmentation: Augmentation, split: Split) -> Tensor | None:
    """What becomes of each class of the split, int64 [n_classes], when a sample is changed; None: it stays."""
    change = augmentation.label_change
    if change is None:
        return None
    name, classes = split.store.head.dataset, split.store.head.classes
    maps = registry.datasets[name].label_maps if name in registry.datasets else {}
    way_out = f'say labels = "keep" for {augmentation.name} if classes stay what they are'
    if change not in maps:
        raise LoaderError(
            f"augment: {augmentation.name} can change what a class means ({change}), and {name} does not declare what "
            f"becomes of its classes: {way_out}"
        )
    after: NDArray[np.int64] = np.arange(len(split.kept))
    for label, kept in enumerate(split.kept):
        becomes = maps[change].get(kept, kept)
        if becomes not in split.kept:
            raise LoaderError(
                f"augment: {augmentation.name} makes {classes[becomes]!r} of {classes[kept]!r} ({change}), which is "
                f"not among the selected classes: select it, or {way_out}"
            )
        after[label] = split.kept.index(becomes)
    return torch.from_numpy(after)
