"""Kernels: none is compiled at import, each first call is short, and none reaches outside its arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, time
import numpy as np
from neurodata import registry
from neurodata.errors import EncodingError, MissingExtraError, RecipeError
from neurodata.signals import KINDS, EventArray, Sensor
from tests.signal_step_contract import FORMS, LENGTHS, signal_of
from tests.step_contract import CORNERS
from tests.step_examples import names_for_events, names_for_others

names = names_for_events(registry.encodings)
steps = [registry.encodings[name](**k) for name in names for k in registry.encodings[name].examples]
others = [
    steps_of[name](**k) for steps_of in (registry.encodings, registry.transforms)
    for name in names_for_others(steps_of) for k in steps_of[name].examples
]
kernels = {
    id(value): value
    for name, module in sys.modules.items() if name.startswith(("neurodata.encodings.", "neurodata.transforms."))
    for value in vars(module).values() if hasattr(value, "signatures")
}
assert len(kernels) > 30
print("compiled at import:", sum(len(kernel.signatures) for kernel in kernels.values()))
crowd = CORNERS["equal times"]
slowest_s = 0.0
for step in steps:
    start_s = time.process_time()
    step(crowd)
    slowest_s = max(slowest_s, time.process_time() - start_s)
print("first calls under 3 s:", slowest_s < 3)
rng = np.random.default_rng(0)
n = 500
full = EventArray(
    np.sort(rng.integers(-400, 400, n)), rng.integers(0, 7, n).astype(np.uint16),
    rng.integers(0, 5, n).astype(np.uint16), rng.integers(0, 2, n).astype(bool), Sensor(7, 5),
)
for step in steps:
    for events in (*CORNERS.values(), full):
        try:
            step(events)
        except EncodingError:
            pass
for step in others:
    for form in FORMS:
        if not issubclass(KINDS[type(form)], step.takes):
            continue
        for length in LENGTHS.get(KINDS[type(form)], (1,)):
            for scale in (0.0, 1.0):
                signal = signal_of(form, length, np.random.default_rng(length), scale)
                try:
                    step(signal, np.random.default_rng(0) if step.stochastic else None)
                except (EncodingError, MissingExtraError, RecipeError):
                    pass
print("inside")
"""


def test_kernels_are_compiled_when_called_soon_and_stay_inside_their_arrays(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    expected = "compiled at import: 0\nfirst calls under 3 s: True\ninside\n"
    assert (result.returncode, result.stdout) == (0, expected), result.stderr
