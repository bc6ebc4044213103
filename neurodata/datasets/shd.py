"""Spiking Heidelberg Digits (Cramer et al. 2022): German and English digits as spikes of a cochlea model.

Published form: `shd_train.h5` and `shd_test.h5`, each in a zip archive: spikes of 700 channels, at times that are
float16 seconds: 0.5 ms apart from 0.5 s on, and 1 ms from 1 s on. The files hold 8,156 samples for training and 2,264
for testing; descriptions that say 8,332 and 2,088 do not fit them. There is no validation set: most results choose the
epoch by the test set. Two of the twelve speakers, 4 and 5, are in the test set alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from neurodata.datasets._contract import Partition
from neurodata.datasets._heidelberg import HeidelbergSpikes, published


class SpikingHeidelbergDigits(HeidelbergSpikes):
    """SHD as published."""

    name = "shd"
    version = 1
    title = "Spiking Heidelberg Digits: German and English digits, 12 speakers"
    classes = (
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
        "null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun",
    )  # fmt: skip
    files: ClassVar[Mapping[Partition, str]] = {"train": "shd_train.h5", "test": "shd_test.h5"}
    sources = (
        published("shd_train.h5.zip", "f3252aeb598ac776c1b526422d90eecb"),
        published("shd_test.h5.zip", "1503a5064faa34311c398fb0a1ed0a6f"),
    )
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 8_156, "validation": 0, "test": 2_264}
    description = "the published files; no validation set, speakers 4 and 5 in the test set alone"
    twin_size = 240


DATASET = SpikingHeidelbergDigits()
