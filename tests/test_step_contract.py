from __future__ import annotations

from typing import Any

import pytest

from neurodata import registry
from tests.signal_step_contract import SignalStepContract
from tests.step_contract import EncodingContract, TransformContract
from tests.step_examples import names_for_events, names_for_others, with_parameters

OTHERS = [
    *with_parameters(registry.transforms, names_for_others(registry.transforms)),
    *with_parameters(registry.encodings, names_for_others(registry.encodings)),
]


class TestEveryTransformOfEvents(TransformContract):
    @pytest.fixture(params=with_parameters(registry.transforms, names_for_events(registry.transforms)))
    def step(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        return registry.transforms[name](**parameters)


class TestEveryEncodingOfEvents(EncodingContract):
    @pytest.fixture(params=with_parameters(registry.encodings, names_for_events(registry.encodings)))
    def step(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        return registry.encodings[name](**parameters)


class TestEveryStepOnOtherSignals(SignalStepContract):
    @pytest.fixture(params=OTHERS)
    def step(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        steps = registry.encodings if name in registry.encodings else registry.transforms
        return steps[name](**parameters)
