"""Every step of a registry with each of its example parameters, by the kind of signal that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from neurodata.registry import Registry
from neurodata.signals import EventArray


def takes_events(step: Any) -> bool:
    return issubclass(EventArray, step.takes)


def names_for_events(steps: Registry) -> list[str]:
    return [name for name in steps if takes_events(steps[name])]


def names_for_others(steps: Registry) -> list[str]:
    return [name for name in steps if not takes_events(steps[name])]


def with_parameters(steps: Registry, names: list[str]) -> Iterator[Any]:
    """(name, parameters) as parameters of pytest."""
    for name in names:
        for k, parameters in enumerate(steps[name].examples):
            yield pytest.param((name, dict(parameters)), id=f"{name}-{k}")
