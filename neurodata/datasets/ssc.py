"""Spiking Speech Commands (Cramer et al. 2022): the 35 words of Speech Commands 0.02 as spikes of a cochlea model.

Published form: `ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5`, each in a zip archive: spikes of 700 channels, at
times that are float16 seconds: 0.5 ms apart from 0.5 s on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from neurodata.datasets._contract import Partition
from neurodata.datasets._heidelberg import HeidelbergSpikes, published
from neurodata.datasets.gsc_v2 import WORDS


class SpikingSpeechCommands(HeidelbergSpikes):
    """SSC as published."""

    name = "ssc"
    version = 1
    title = "Spiking Speech Commands: 35 spoken words"
    classes = WORDS
    files: ClassVar[Mapping[Partition, str]] = {
        "train": "ssc_train.h5",
        "validation": "ssc_valid.h5",
        "test": "ssc_test.h5",
    }
    sources = (
        published("ssc_train.h5.zip", "d102be95e7144fcc0553d1f45ba94170"),
        published("ssc_valid.h5.zip", "b4eee3516a4a90dd0c71a6ac23a8ae43"),
        published("ssc_test.h5.zip", "a35ff1e9cffdd02a20eb850c17c37748"),
    )
    published_counts: ClassVar[Mapping[Partition, int]] = {"train": 75_466, "validation": 9_981, "test": 20_382}
    description = "the published files"
    twin_size = 280


DATASET = SpikingSpeechCommands()
