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


SOUND_RECIPE = """
dataset = "folder"
[[steps]]
name = "fit_length"
n_samples = 1600
[[steps]]
name = "log_mel"
n_mels = 4
hop = 200
[[steps]]
name = "rescale"
low = 0.0
high = 1.0
[[steps]]
name = "direct"
"""


def test_values_that_are_clipped_are_told_and_are_no_events_that_are_lost(tmp_path: Path) -> None:
    (tmp_path / "words" / "one").mkdir(parents=True)
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 1600).astype(np.float32)
    neurodata.write(Waveform(sound, 16_000), tmp_path / "words" / "one" / "0.wav")
    recipe = tmp_path / "sound.toml"
    recipe.write_text(SOUND_RECIPE)
    counts = neurodata.prepare(f"folder:{tmp_path / 'words'}", recipe=recipe, cache=tmp_path / "cache").counts
    assert 0 < counts.notes["changed: clipped"] <= 9 * 4
    assert (counts.read, counts.encoded, dict(counts.dropped)) == (0, 0, {})


def test_clouds_without_points_are_told(tmp_path: Path) -> None:
    (tmp_path / "clouds" / "none").mkdir(parents=True)
    (tmp_path / "clouds" / "none" / "0.off").write_text("OFF\n0 0 0\n")
    (tmp_path / "clouds" / "none" / "1.off").write_text("OFF\n1 0 0\n0 0 0\n")
    counts = neurodata.prepare(f"folder:{tmp_path / 'clouds'}", cache=tmp_path / "cache").counts
    assert (counts.read, dict(counts.notes)) == (1, {"samples without points": 1})
