"""Source files and a recipe that the tests of preparation share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gestures import write_gestures

SMALL_SHARDS = """
dataset = "dvs-gesture"
samples_per_shard = 1
[[steps]]
name = "event_frame"
T = 4
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A DVS Gesture tree of three recordings with 33 gestures."""
    return write_gestures(tmp_path / "DvsGesture")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with a shard for each sample: many small units of work."""
    path = tmp_path / "small-shards.toml"
    path.write_text(SMALL_SHARDS)
    return path
