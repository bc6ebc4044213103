"""Published files that are small, and a server that publishes them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from neurodata import registry
from neurodata.storage import file_digest
from tests.loopback import Loopback, serve

N_MNIST = registry.datasets["n-mnist"]
EVENT = bytes([3, 4, 0x80, 0, 5])  # x=3, y=4, ON, 5 us


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        for name in names:
            members.writestr(name, EVENT * 3)
    return file.getvalue()


@pytest.fixture
def published(server: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """N-MNIST as three small recordings on a server of our own, with the checksums that fit."""
    contents = {
        "train.zip": archive("Train/1/00001.bin", "Train/2/00002.bin"),
        "test.zip": archive("Test/3/00001.bin"),
    }
    files = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        files.append(f"{tmp_path / name}={server.url(name, serve(content))}")
    publish(files, lambda name, value: monkeypatch.setattr(type(N_MNIST), name, value))
    return contents


def publish(files: Sequence[str], set_attribute: Callable[[str, object], None]) -> None:
    """Let N-MNIST be other files: "<a file with the bytes>=<address>" for each."""
    sources = []
    for source, (path, _, url) in zip(N_MNIST.sources, (file.partition("=") for file in files), strict=True):
        checksum = f"md5:{file_digest(Path(path), 'md5')}"
        sources.append(replace(source, checksum=checksum, urls=(url,), size_bytes=None))
    set_attribute("sources", tuple(sources))
    set_attribute("published_counts", {"train": 2, "validation": 0, "test": 1})
