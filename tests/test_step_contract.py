from __future__ import annotations

from typing import Any

import pytest

from neurodata import registry
from neurodata.registry import Registry
from tests.step_contract import EncodingContract, TransformContract


def examples(steps: Registry) -> list[Any]:
    """Every step with each of its example parameters."""
    return [
        pytest.param((name, dict(parameters)), id=f"{name}-{k}")
        for name in steps
        for k, parameters in enumerate(steps[name].examples)
    ]


class TestEveryTransform(TransformContract):
    @pytest.fixture(params=examples(registry.transforms))
    def step(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        return registry.transforms[name](**parameters)


class TestEveryEncoding(EncodingContract):
    @pytest.fixture(params=examples(registry.encodings))
    def step(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        return registry.encodings[name](**parameters)
