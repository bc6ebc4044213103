"""SciPy, which is only imported when a step that needs it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neurodata.errors import MissingExtraError


def scipy_module(name: str, step: str) -> Any:
    """The module `scipy.<name>`.

    Raises
    ------
    MissingExtraError
        When SciPy is not installed.
    """
    try:
        return import_module(f"scipy.{name}")
    except ImportError as error:
        raise MissingExtraError(f'{step}: needs SciPy: pip install "neurodata-pipeline[audio]"') from error
