"""Prepare neuromorphic datasets once, train spiking networks on them at memory speed.

    neurodata.prepare("dvs-gesture", T=16)
    train = neurodata.load("dvs-gesture", T=16, split="train")
    for frames, targets in train.loader(batch_size=16, shuffle=True, seed=0): ...

Names are resolved when first used: importing the package loads no torch, numba or zarr.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurodata import registry as registry
    from neurodata.api import finalise as finalise
    from neurodata.api import load as load
    from neurodata.api import open_store as open_store
    from neurodata.api import prepare as prepare
    from neurodata.api import prepare_share as prepare_share
    from neurodata.errors import NeurodataError as NeurodataError
    from neurodata.formats import Entry as Entry
    from neurodata.formats import open_collection as open_collection
    from neurodata.formats import open_recording as open_recording
    from neurodata.formats import read as read
    from neurodata.formats import write as write
    from neurodata.loader import Loader as Loader
    from neurodata.loader import Split as Split
    from neurodata.loader import Store as Store
    from neurodata.signals import EventArray as EventArray
    from neurodata.signals import Sensor as Sensor

_HOMES = {
    "neurodata.api": ("finalise", "load", "open_store", "prepare", "prepare_share"),
    "neurodata.errors": ("NeurodataError",),
    "neurodata.formats": ("Entry", "open_collection", "open_recording", "read", "write"),
    "neurodata.loader": ("Loader", "Split", "Store"),
    "neurodata.signals": ("EventArray", "Sensor"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["registry", *_HOME_OF]
__version__ = version("neurodata-pipeline")


def __getattr__(name: str) -> Any:
    if name == "registry":
        return import_module("neurodata.registry")
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'neurodata' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
