"""Stores to split and load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from neurodata.loader import Store
from tests.loader.stores import write_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """23 samples, 17 of them train, 6 test; three classes, five groups."""
    return Store(write_store(tmp_path_factory.mktemp("stores") / "toy"))


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[..., Store]:
    """Makes a store of other properties."""
    return lambda **properties: Store(write_store(tmp_path / "store", **properties))
