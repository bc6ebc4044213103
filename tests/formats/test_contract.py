from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.formats import AnyFormat, CollectionFormat, Format, SignalFormat
from tests.formats.collection_contract import CollectionContract
from tests.formats.contract import FormatContract, recorded
from tests.formats.signal_contract import SignalContract


def of_kind(kind: type) -> list[str]:
    return [name for name in registry.formats if isinstance(registry.formats[name], kind)]


@pytest.fixture
def format(request: pytest.FixtureRequest) -> AnyFormat:
    found: AnyFormat = registry.formats[request.param]
    return found


@pytest.mark.parametrize("format", of_kind(CollectionFormat), indirect=True)
class TestEveryCollectionFormat(CollectionContract):
    pass


@pytest.mark.parametrize("format", of_kind(SignalFormat), indirect=True)
class TestEverySignalFormat(SignalContract):
    pass


@pytest.mark.parametrize("format", of_kind(Format), indirect=True)
class TestEveryFormat(FormatContract):
    def test_kernels_stay_inside_their_arrays_on_damaged_files_and_with_wrong_indexes(
        self, format: Format, tmp_path: Path
    ) -> None:
        path = self.write(format, recorded(60), tmp_path)
        environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
        for module, numbers, expected in (
            ("mutations", ("300", "2"), "read 300\n"),
            ("index_mutations", ("300",), "believed some: True all: False\n"),
        ):
            command = [sys.executable, "-m", f"tests.formats.{module}", format.name, str(path), *numbers]
            result = subprocess.run(
                command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
            )
            assert (result.returncode, result.stdout) == (0, expected), result.stderr


@pytest.mark.parametrize("name", list(registry.formats))
def test_a_format_is_named_as_its_file_and_its_extensions_are_lower_case(name: str) -> None:
    format = registry.formats[name]
    assert format.name == name
    assert format.version >= 1
    assert all(extension.startswith(".") and extension.islower() for extension in format.extensions)
