"""Other libraries, imported for what they are measured or compared on."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from types import ModuleType


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


def spikingjelly_shd_functions() -> ModuleType:
    """`spikingjelly.datasets.shd`, likewise: what its modules take from torchvision for downloads is not called."""
    spikingjelly_event_functions()
    taken = {"datasets": ["DatasetFolder"], "datasets.utils": ["check_integrity", "download_url", "extract_archive"]}
    for name, parts in taken.items():
        stub = ModuleType(f"torchvision.{name}")
        vars(stub).update(dict.fromkeys(parts, object))
        sys.modules.setdefault(stub.__name__, stub)
    return import_module("spikingjelly.datasets.shd")
