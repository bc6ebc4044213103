"""Other libraries as oracles: imported where installed, with stand-ins for what they do not need."""

from __future__ import annotations

import importlib
import sys
import types
import warnings

import pytest


def spikingjelly_event_functions() -> types.ModuleType:
    """`spikingjelly.datasets.utils`, imported without the package that pulls in torchvision and torchaudio."""
    spikingjelly = pytest.importorskip("spikingjelly", reason="needs the extra `test`")
    for name in ("torchvision", "torchvision.transforms"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    package = types.ModuleType("spikingjelly.datasets")
    package.__path__ = [f"{spikingjelly.__path__[0]}/datasets"]
    sys.modules.setdefault("spikingjelly.datasets", package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("spikingjelly.datasets.utils")
