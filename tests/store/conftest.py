from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _nothing_waits_for_the_disk() -> Iterator[None]:
    """What fsync is for, power cuts, cannot be tested; it takes most of the time of a small store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
