"""The picture of a training run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neurodata.errors import MissingExtraError
from neurodata.report import save_training_picture

PICTURE: dict[str, Any] = {
    "title": "csnn on a toy",
    "curves": {"train": [0.5, 0.75], "test": [0.25, 0.5]},
    "confusion": np.array([[3, 1], [0, 0]]),
    "classes": ["left_wave", "right_wave"],
    "samples": [("left", np.ones((12, 2, 8, 8), "uint16")), ("right", np.ones((1, 2, 8, 8), "float32"))],
}


def test_a_training_picture_is_written_whole(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    save_training_picture(tmp_path / "training.png", **PICTURE)
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.width > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["training.png"]


def test_no_figure_stays_open(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    save_training_picture(tmp_path / "training.png", **PICTURE)
    assert pyplot.get_fignums() == []


def test_the_users_own_backend_is_left_alone(tmp_path: Path) -> None:
    mpl = pytest.importorskip("matplotlib")
    before = mpl.get_backend()
    mpl.use("svg")
    try:
        save_training_picture(tmp_path / "training.png", **PICTURE)
        assert mpl.get_backend() == "svg"
    finally:
        mpl.use(before)


def test_without_matplotlib_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"neurodata-pipeline\[report\]"):
        save_training_picture(tmp_path / "training.png", **PICTURE)
    assert list(tmp_path.iterdir()) == []
