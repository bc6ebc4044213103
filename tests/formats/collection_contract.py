"""What every format of many samples a file must do; its golden file is what is read and damaged."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from neurodata.errors import FormatError, SourceNotFoundError, StorageError
from neurodata.formats import CollectionFormat, detect
from neurodata.signals import EventArray
from tests.formats.mutations import mutations
from tests.formats.outcomes import collection_outcome
from tests.signal_arrays import arrays_of


class CollectionContract:
    @pytest.fixture
    def path(self, format: CollectionFormat, tmp_path: Path) -> Path:
        path = tmp_path / f"samples{format.extensions[0]}"
        path.write_bytes(import_module(f"tests.golden.{format.name}").content())
        return path

    def test_its_golden_file_is_detected_and_tells_its_samples(self, format: CollectionFormat, path: Path) -> None:
        assert detect(path) is format
        collection = format.open(path, None)
        n = len(collection.keys)
        assert (collection.path, collection.format) == (path, format.name)
        assert n == len(set(collection.keys)) > 1
        if collection.labels is not None:
            assert collection.labels.dtype == np.int64
            assert collection.labels.shape == (n,)
            assert 0 <= collection.labels.min() <= collection.labels.max() < len(collection.classes)
        assert collection.groups is None or len(collection.groups) == n
        assert (collection.sensor is not None) == (format.gives is EventArray)

    def test_samples_alone_in_bulk_and_after_pickling_are_the_same(self, format: CollectionFormat, path: Path) -> None:
        collection = pickle.loads(pickle.dumps(format.open(path, None)))
        alone = [collection.read(k) for k in range(len(collection.keys))]
        for first, stop in ((0, None), (1, None), (0, 1), (1, 2)):
            bulk = list(collection.readings(first, stop))
            assert len(bulk) == len(alone[first:stop])
            for one, other in zip(alone[first:stop], bulk, strict=True):
                assert type(one.signal) is format.gives
                assert one.findings == other.findings
                pairs = zip(arrays_of(one.signal), arrays_of(other.signal), strict=True)
                assert all(np.array_equal(a, b) for a, b in pairs)

    def test_a_sample_past_the_end_is_an_index_error(self, format: CollectionFormat, path: Path) -> None:
        collection = format.open(path, None)
        for k in (-1, len(collection.keys)):
            with pytest.raises(IndexError, match=str(k)):
                collection.read(k)

    def test_a_missing_file_and_a_folder_are_errors_that_name_them(
        self, format: CollectionFormat, tmp_path: Path
    ) -> None:
        with pytest.raises(SourceNotFoundError, match=r"nothing\.here: no such file"):
            format.open(tmp_path / "nothing.here", None)
        with pytest.raises(StorageError, match=tmp_path.name):
            format.open(tmp_path, None)

    def test_truncated_and_mutated_files_give_samples_or_a_format_error(
        self, format: CollectionFormat, path: Path
    ) -> None:
        content = path.read_bytes()
        step = max(1, len(content) // 100)
        damaged = [content[:length] for length in range(0, len(content), step)]
        for mutant in [*damaged, *mutations(content, n=100, seed=1)]:
            path.write_bytes(mutant)
            found = collection_outcome(format, path)
            assert not isinstance(found, FormatError) or path.name in str(found)
