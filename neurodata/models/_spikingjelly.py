"""The one door to SpikingJelly 2.0: only `activation_based`, and a clear error where it is not installed."""

from __future__ import annotations

import logging
from importlib import import_module
from types import ModuleType

from neurodata.errors import MissingExtraError


def spikingjelly(part: str) -> ModuleType:
    """The module `spikingjelly.activation_based.<part>`, such as "neuron", "surrogate" or "functional".

    Raises
    ------
    MissingExtraError
        When SpikingJelly is not installed, or does not import.
    """
    _silence_triton_remark()
    try:
        return import_module(f"spikingjelly.activation_based.{part}")
    except ImportError as error:
        raise MissingExtraError(
            f"spiking networks need SpikingJelly 2.0 ({error}): pip install 'neurodata-pipeline[train]'"
        ) from error


def _silence_triton_remark() -> None:
    # torch logs a warning for every SpikingJelly operator on machines without a GPU compiler; nothing is wrong there.
    logging.getLogger("torch._library.triton").addFilter(_is_worth_saying)


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Triton not available")
