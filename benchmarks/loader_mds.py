"""MosaicML Streaming in an environment of its own: `benchmarks.loader` starts this file there and asks it by lines.

Commands come on stdin, one word a line (a method of `Candidate`); the answer is a line of JSON on stdout. Nothing of
this project is imported when it is run, and the modules that it does not need of Streaming (transformers, torchvision)
are stubbed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

BATCH = 32
SHAPE = (16, 2, 128, 128)  # [T, C, H, W]
N_CLASSES = 11
UNPACKED = "unpacked"
ENDS_WITHIN_S = 5


class Remote:
    """A candidate in another process, started when it is first asked."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self._server: subprocess.Popen[str] | None = None

    def epoch(self) -> int:
        return int(self._asked("epoch"))

    def first_batch_s(self) -> float:
        return float(self._asked("first_batch_s"))

    def digest(self) -> list[int]:
        return [int(one) for one in self._asked("digest")]

    def process(self) -> int | None:
        return self._started().pid

    def close(self) -> None:
        """End it and its workers, which do not all end by themselves."""
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(ENDS_WITHIN_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def _started(self) -> subprocess.Popen[str]:
        if self._server is None:
            self._server = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            atexit.register(self.close)
        return self._server

    def _asked(self, task: str) -> Any:
        server = self._started()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(task + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of {self.command[1:]} ended")
        return json.loads(answer)


def streaming(module: str) -> Any:
    """A module of Streaming without the packages of its collections, which need torchvision and transformers."""
    if "streaming" not in sys.modules:
        spec = find_spec("streaming")
        assert spec is not None
        package = sys.modules["streaming"] = ModuleType("streaming")
        package.__path__ = list(spec.submodule_search_locations or [])
        for name, part in (("feature_extraction_utils", "BatchFeature"), ("tokenization_utils_base", "BatchEncoding")):
            stub = sys.modules[f"transformers.{name}"] = ModuleType(f"transformers.{name}")
            setattr(stub, part, type(part, (), {}))
        sys.modules["transformers"] = ModuleType("transformers")
    return import_module(module)


def write(folder: str, source: str) -> None:
    frames = np.memmap(source, np.uint8, "r").reshape(-1, *SHAPE)
    columns = {"frames": f"ndarray:uint8:{','.join(map(str, SHAPE))}", "target": "int"}
    with streaming("streaming.base").MDSWriter(out=folder, columns=columns, compression="zstd") as writer:
        for k, one in enumerate(frames):
            writer.write({"frames": np.array(one), "target": k % N_CLASSES})


def serve(folder: str, workers: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is not an answer
    base, data = streaming("streaming.base"), import_module("torch.utils.data")
    # It unpacks shards into a folder of its own, which no other process may share.
    unpacked = tempfile.mkdtemp(prefix=UNPACKED, dir=Path(folder).parent)
    atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    dataset = base.StreamingDataset(remote=folder, local=unpacked, shuffle=True, batch_size=BATCH)
    loader = data.DataLoader(dataset, BATCH, num_workers=workers, persistent_workers=workers > 0)

    def first_batch_s() -> float:
        start = time.perf_counter()
        batches = iter(loader)
        next(batches)
        seconds = time.perf_counter() - start
        for _ in batches:
            pass
        return seconds

    def samples() -> Iterator[Any]:
        return (frame for batch in loader for frame in batch["frames"].numpy())

    def digest() -> list[int]:
        sums = sorted(zlib.crc32(np.ascontiguousarray(one).data) for one in samples())
        return [len(sums), zlib.crc32(json.dumps(sums).encode())]

    tasks = {
        "epoch": lambda: sum(len(batch["frames"]) for batch in loader),
        "first_batch_s": first_batch_s,
        "digest": digest,
    }
    for line in sys.stdin:
        print(json.dumps(tasks[line.strip()]()), file=answers, flush=True)


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task == "write":
        write(str(Path(arguments[0])), arguments[1])
    else:
        serve(arguments[0], int(arguments[1]))
