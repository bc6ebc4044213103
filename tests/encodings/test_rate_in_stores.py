"""Frozen random spikes: a store's depend on its seed and the keys of its samples only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodata
from neurodata.draws import generator
from neurodata.encodings.rate import Rate
from neurodata.signals import Clip

RECIPE = """
dataset = "folder"
samples_per_shard = {per_shard}
seed = {seed}

[[steps]]
name = "rate"
T = 3
frozen = true
"""


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Five small videos of two classes."""
    pytest.importorskip("av", reason="needs the extra `video`")
    rng = np.random.default_rng(0)
    for k, name in enumerate(["a/0", "a/1", "a/2", "b/3", "b/4"]):
        path = tmp_path / "clips" / f"{name}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        neurodata.write(Clip(rng.integers(0, 256, (4 + k % 2, 16, 16, 3)).astype(np.uint8), 25.0), path)
    return tmp_path / "clips"


def spikes_by_key(clips: Path, cache: Path, workers: int, per_shard: int, seed: int = 7) -> dict[str, np.ndarray]:
    recipe = cache.with_suffix(".toml")
    recipe.write_text(RECIPE.format(per_shard=per_shard, seed=seed))
    store = neurodata.prepare(f"folder:{clips}", recipe=recipe, cache=cache, workers=workers)
    return {key: np.asarray(store.read(k)) for k, key in enumerate(store.table.keys)}


def test_spikes_are_the_same_for_any_number_of_workers_and_shards(clips: Path, tmp_path: Path) -> None:
    one = spikes_by_key(clips, tmp_path / "one", workers=1, per_shard=5)
    many = spikes_by_key(clips, tmp_path / "many", workers=3, per_shard=2)
    assert one.keys() == many.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], many[key])
    key = min(one)
    clip = neurodata.read(clips / key)
    np.testing.assert_array_equal(one[key].astype(bool), Rate(T=3)(clip, generator(7, 0, key)))
    other = spikes_by_key(clips, tmp_path / "other", workers=1, per_shard=5, seed=8)
    assert not np.array_equal(one[key], other[key])
