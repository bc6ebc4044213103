"""What is read and added is encoded or dropped: of signals other than events too."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neurodata

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
