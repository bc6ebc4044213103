"""What is read and added is encoded or dropped: of signals other than events too."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neurodata
from neurodata.signals import Waveform

RECIPE = """
dataset = "folder"
[[steps]]
name = "grid_sample"
voxel = 0.5
[[steps]]
name = "farthest_point"
n = 7
[[steps]]
name = "spike_voxel"
grid = [2, 3, 4]
"""


def test_points_are_accounted_for(tmp_path: Path) -> None:
    for name, n in (("cup", 300), ("chair", 5)):
        points = np.random.default_rng(n).uniform(-1.2, 1.2, (n, 3)).astype(np.float32)
        (tmp_path / "clouds" / name).mkdir(parents=True)
        vertices = "\n".join(" ".join(map(str, point)) for point in points)
        (tmp_path / "clouds" / name / "0.off").write_text(f"OFF\n{n} 0 0\n{vertices}\n")
    recipe = tmp_path / "points.toml"
    recipe.write_text(RECIPE)
    store = neurodata.prepare(f"folder:{tmp_path / 'clouds'}", recipe=recipe, cache=tmp_path / "cache")
    counts = store.counts
    n_added = counts.notes["added: repeated points"]
    assert counts.read == 305
    assert counts.read + n_added == counts.encoded + sum(counts.dropped.values())
    assert 0 < counts.dropped["outside the grid"] < 14
    assert counts.encoded == 14 - counts.dropped["outside the grid"]


CLIPPED = """
dataset = "folder"
[[steps]]
name = "log_mel"
n_mels = 8
n_fft = 256
[[steps]]
name = "rescale"
low = -20.0
high = 0.0
[[steps]]
name = "ttfs"
T = 3
"""


def test_values_that_are_clipped_are_noted_and_nothing_is_missing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        samples = np.random.default_rng(0).normal(0, 0.1, 1600).astype(np.float32)
        neurodata.write(Waveform(samples, 8000.0), tmp_path / "sounds" / name / "0.wav")
    recipe = tmp_path / "clipped.toml"
    recipe.write_text(CLIPPED)
    store = neurodata.prepare(f"folder:{tmp_path / 'sounds'}", recipe=recipe, cache=tmp_path / "cache")
    assert store.counts.notes["noted: clipped values"] > 0
    assert not store.counts.dropped


def test_clouds_without_points_are_told(tmp_path: Path) -> None:
    (tmp_path / "clouds" / "none").mkdir(parents=True)
    (tmp_path / "clouds" / "none" / "0.off").write_text("OFF\n0 0 0\n")
    (tmp_path / "clouds" / "none" / "1.off").write_text("OFF\n1 0 0\n0 0 0\n")
    counts = neurodata.prepare(f"folder:{tmp_path / 'clouds'}", cache=tmp_path / "cache").counts
    assert (counts.read, dict(counts.notes)) == (1, {"samples without points": 1})
