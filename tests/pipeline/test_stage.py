from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata.errors import StorageError


def test_load_copies_shards_to_the_stage_and_gives_the_same_samples(tmp_path: Path) -> None:
    neurodata.prepare("dvs-gesture", T=2, twin=True, twin_size=22)
    plain = neurodata.load("dvs-gesture", T=2, twin=True, twin_size=22)
    staged = neurodata.load("dvs-gesture", T=2, twin=True, twin_size=22, stage=tmp_path, stage_limit="1GB")
    for (frames, label), (expected, target) in zip(staged, plain, strict=True):
        np.testing.assert_array_equal(frames, expected)
        assert label == target
    assert list(tmp_path.rglob("*.shard"))
    with pytest.raises(StorageError, match=r"scratch: no such folder; stage= takes an existing one"):
        neurodata.load("dvs-gesture", T=2, twin=True, twin_size=22, stage=tmp_path / "scratch")
