"""What an augmentation makes of fixed frames and draws: one hash for each set of parameters and version.

When a hash differs, either the change was not meant, or the version has to be raised. Only those that move whole
numbers are hashed; the last bits of the others are the processor's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import torch

from neurodata import registry
from neurodata.augmentations import Draws
from tests.golden.numbers import golden_numbers

KEYS = tuple(f"rec{k:02d}" for k in range(16))
GOLDEN: dict[tuple[str, int], list[tuple[dict, str]]] = {
    ("crop", 1): [({}, "2ad9705e60eb59da"), ({"padding": 1, "height": 2, "width": 3, "p": 0.5}, "5a460a9207054d4b")],
    ("cutmix", 1): [({"over": "time"}, "3d44d7711db28a52"), ({"per": "sample", "p": 0.5}, "a8d73a0fbd0dffa6")],
    ("cutout", 1): [({}, "8f5efbd81d5d1fee"), ({"size_px": 3, "n_holes": 2, "p": 0.5}, "4eb0a77a6bd1b25c")],
    ("event_mix", 1): [({}, "19d18a6a238425f8")],
    ("flip", 1): [({}, "512befb863de3c5a"), ({"p": 1.0, "axis": "y"}, "61ff2bde3ca6ba7a")],
    ("neuron_mask", 1): [({}, "bb3cdec9e49070e3")],
    ("roll", 1): [({}, "1826acf6c24bd135")],
    ("rotate", 1): [({}, "893ad576a25992ef")],
    ("shear_x", 1): [({}, "8b8688dc329345b7")],
    ("snn_augment", 2): [({}, "e42a11696a49cf0a")],
    ("spec_augment", 1): [({}, "df276bc7b3a5dbdf")],
    ("temporal_delete", 1): [({"T": 2}, "cf43434aa0e207a5")],
    ("time_mask", 1): [({}, "8fb8d672a56e430c")],
    ("translate", 1): [({}, "49cf223c91b569d1")],
}


def digest(frames: torch.Tensor, targets: torch.Tensor) -> str:
    weights = (targets.double() * 1e5).round().to(torch.int64)
    return hashlib.sha256(frames.numpy().tobytes() + weights.numpy().tobytes()).hexdigest()[:16]


def cases() -> Iterator[tuple[str, int, dict, str]]:
    for name in registry.augmentations:
        augmentation = registry.augmentations[name]
        if augmentation(**augmentation.examples[0]).moves_only:
            recorded = GOLDEN.get((name, augmentation.version), [(dict(augmentation.examples[0]), "none recorded")])
            for parameters, expected in recorded:
                yield name, augmentation.version, parameters, expected


@pytest.mark.parametrize(("name", "version", "parameters", "expected"), list(cases()))
def test_an_augmentation_gives_what_its_version_gave(name: str, version: int, parameters: dict, expected: str) -> None:
    augmentation = registry.augmentations[name](**parameters)
    shape = (16, 6, 9) if augmentation.axes == "channels" else (16, 6, 2, 9, 11)
    n = int(torch.Size(shape).numel())
    frames = torch.from_numpy(golden_numbers(n, 1000, 5)).to(torch.int64).view(shape)
    targets = torch.eye(16) if augmentation.mixes else torch.arange(16)
    result = augmentation(frames, targets, Draws(KEYS, seed=11, epoch=2, place=1))
    assert digest(*result) == expected, f"{name} version {version} {parameters}"
