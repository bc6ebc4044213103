"""Other libraries as oracles, where they are installed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from benchmarks import peers


def spikingjelly_event_functions() -> ModuleType:
    """`spikingjelly.datasets.utils`; the module that asks is skipped where it is not installed."""
    pytest.importorskip("spikingjelly", reason="needs the extra `test`")
    return peers.spikingjelly_event_functions()


def evlib_rvt_representation() -> Any:
    """`evlib.rvt.representation`; the module that asks is skipped where it is not installed."""
    pytest.importorskip("polars", reason="evlib needs it")
    try:
        return peers.evlib_rvt_representation()
    except ImportError as error:
        pytest.skip(str(error), allow_module_level=True)


def spikingjelly_shd_functions() -> ModuleType:
    """`spikingjelly.datasets.shd`; the module that asks is skipped where it is not installed."""
    pytest.importorskip("spikingjelly", reason="needs the extra `test`")
    return peers.spikingjelly_shd_functions()
