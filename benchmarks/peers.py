"""Other libraries, imported for what they are measured or compared on."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
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
        _without_init("spikingjelly.datasets", [f"{spikingjelly.__path__[0]}/datasets"])
        return import_module("spikingjelly.datasets.utils")


def evlib_formats() -> ModuleType:
    """The readers of `evlib`, without its package, which needs a torchvision built for torch."""
    if (spec := find_spec("evlib")) is None:
        raise ImportError("No module named 'evlib'")
    _without_init("evlib", list(spec.submodule_search_locations or []))
    formats: ModuleType = import_module("evlib._evlib").formats
    return formats


def _without_init(name: str, folders: list[str]) -> None:
    package = ModuleType(name)
    package.__path__ = folders
    sys.modules.setdefault(name, package)


def evlib_rvt_representation() -> Any:
    """`evlib.rvt.representation`, RVT's stacked histogram, without its package, which needs torchvision."""
    spec = find_spec("evlib")
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


def spikingjelly_shd_functions() -> ModuleType:
    """`spikingjelly.datasets.shd`, likewise: what its modules take from torchvision for downloads is not called."""
    spikingjelly_event_functions()
    taken = {"datasets": ["DatasetFolder"], "datasets.utils": ["check_integrity", "download_url", "extract_archive"]}
    for name, parts in taken.items():
        stub = ModuleType(f"torchvision.{name}")
        vars(stub).update(dict.fromkeys(parts, object))
        sys.modules.setdefault(stub.__name__, stub)
    return import_module("spikingjelly.datasets.shd")
