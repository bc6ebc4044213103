from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.formats import Format
from tests.formats.contract import FormatContract, recorded


class TestEveryFormat(FormatContract):
    @pytest.fixture(params=list(registry.formats))
    def format(self, request: pytest.FixtureRequest) -> Format:
        found: Format = registry.formats[request.param]
        return found

    def test_its_name_is_its_file_name_and_its_extensions_are_lower_case(self, format: Format) -> None:
        assert registry.formats[format.name] is format
        assert format.version >= 1
        assert all(extension.startswith(".") and extension.islower() for extension in format.extensions)

    def test_kernels_stay_inside_their_arrays_on_damaged_files(self, format: Format, tmp_path: Path) -> None:
        path = self.write(format, recorded(60), tmp_path)
        environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
        command = [sys.executable, "-m", "tests.formats.mutations", format.name, str(path), "300"]
        result = subprocess.run(
            command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
        )
        assert (result.returncode, result.stdout) == (0, "read 300\n"), result.stderr
