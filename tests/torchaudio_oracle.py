"""torchaudio, which computes spectrograms and rates independently of us, where it can be imported."""

from __future__ import annotations

import warnings
from typing import Any

import pytest


def torchaudio() -> Any:
    """The module; the test is skipped where it is not installed, or was built for another torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torchaudio", exc_type=(ImportError, OSError))  # type: ignore[arg-type]
