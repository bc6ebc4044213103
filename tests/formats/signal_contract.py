"""What every format of one signal a file must do (`SignalFormat`); its golden file is what is read and damaged."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from neurodata.errors import FormatError, SourceNotFoundError, StorageError
from neurodata.formats import Reading, SignalFormat, detect
from tests.formats.mutations import mutations
from tests.formats.outcomes import signal_outcome


class SignalContract:
    @pytest.fixture
    def path(self, format: SignalFormat, tmp_path: Path) -> Path:
        path = tmp_path / f"signal{format.extensions[0]}"
        path.write_bytes(import_module(f"tests.golden.{format.name}").content())
        return path

    def test_its_golden_file_is_detected_described_and_read(self, format: SignalFormat, path: Path) -> None:
        assert detect(path) is format
        found = signal_outcome(format, path)
        assert isinstance(found, Reading)
        assert type(found.signal) is format.gives

    def test_a_missing_file_and_a_folder_are_errors_that_name_them(self, format: SignalFormat, tmp_path: Path) -> None:
        for verb in (format.describe, lambda path: format.read(path, None, None)):
            with pytest.raises(SourceNotFoundError, match=r"nothing\.here: no such file"):
                verb(tmp_path / "nothing.here")
            with pytest.raises(StorageError, match=tmp_path.name):
                verb(tmp_path)

    def test_truncated_and_mutated_files_give_a_signal_or_a_format_error(
        self, format: SignalFormat, path: Path
    ) -> None:
        content = path.read_bytes()
        step = max(1, len(content) // 100)
        damaged = [content[:length] for length in range(0, len(content), step)]
        for mutant in [*damaged, *mutations(content, n=100, seed=1)]:
            path.write_bytes(mutant)
            found = signal_outcome(format, path)
            assert not isinstance(found, FormatError) or path.name in str(found)
