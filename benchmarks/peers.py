"""Other libraries, imported for what they are measured or compared on."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any


def spikingjelly_event_functions() -> ModuleType:
    """`spikingjelly.datasets.utils`, without its package, which needs a torchvision and torchaudio built for torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spikingjelly = import_module("spikingjelly")
        for name in ("torchvision", "torchvision.transforms"):
            sys.modules.setdefault(name, ModuleType(name))
        vars(sys.modules["torchvision"])["transforms"] = sys.modules["torchvision.transforms"]
        package = ModuleType("spikingjelly.datasets")
        package.__path__ = [f"{spikingjelly.__path__[0]}/datasets"]
        sys.modules.setdefault("spikingjelly.datasets", package)
        return import_module("spikingjelly.datasets.utils")


def evlib_rvt_representation() -> Any:
    """`evlib.rvt.representation`, RVT's stacked histogram, without its package, which needs torchvision."""
    spec = util.find_spec("evlib")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("No module named 'evlib'")
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "evlib"}
    try:
        for name in ("evlib", "evlib.rvt"):
            package = sys.modules[name] = ModuleType(name)
            package.__path__ = [str(Path(spec.submodule_search_locations[0], *name.split(".")[1:]))]
        return import_module("evlib.rvt.representation")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "evlib"]:
            del sys.modules[name]
        sys.modules.update(before)
