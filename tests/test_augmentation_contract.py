from __future__ import annotations

from typing import Any

import pytest

from neurodata import registry
from tests.augmentation_contract import AugmentationContract

EXAMPLES = [
    pytest.param((name, dict(parameters)), id=f"{name}-{k}")
    for name in registry.augmentations
    for k, parameters in enumerate(registry.augmentations[name].examples)
]


class TestEveryAugmentation(AugmentationContract):
    @pytest.fixture(params=EXAMPLES)
    def augmentation(self, request: pytest.FixtureRequest) -> Any:
        name, parameters = request.param
        return registry.augmentations[name](**parameters)


@pytest.mark.parametrize("name", registry.augmentations.names())
def test_it_is_named_like_its_file(name: str) -> None:
    augmentation = registry.augmentations[name]
    assert augmentation(**augmentation.examples[0]).name == name
