"""Build the wheel, install it into an empty environment away from the checkout, prepare and train a tiny twin there.

Run by `make wheel-check`; takes a few minutes, most of them for installing torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
EXPECTED = ("neurodata/cli/app.py", "neurodata/recipes/dvs-gesture.toml", "neurodata/py.typed")

SCRIPT = """
import neurodata
assert "site-packages" in neurodata.__file__, neurodata.__file__
train = neurodata.load("dvs-gesture", T=4, twin=True)
frames, targets = next(iter(train.loader(batch_size=4, shuffle=True, seed=0)))
assert frames.shape == (4, 4, 2, 128, 128) and frames.sum() > 0
print("loaded", train)
"""


def run(*words: str | Path, cwd: Path, **environment: str) -> None:
    print("$", *words, flush=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NEURODATA"))}
    subprocess.run([str(word) for word in words], cwd=cwd, env=clean | environment, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        away = Path(temporary)
        pip = (sys.executable, "-m", "pip")
        # A copy without build leftovers: files of an earlier build would find their way into the wheel.
        run("git", "clone", "--quiet", CHECKOUT, away / "clone", cwd=away)
        run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", away, away / "clone", cwd=away)
        (wheel,) = away.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        missing = [name for name in EXPECTED if name not in names]
        stray = [name for name in names if name.startswith(("tests/", "benchmarks/", "cache/", "docs/"))]
        if missing or stray:
            sys.exit(f"{wheel.name}: missing {missing}, not expected {stray}")
        run(sys.executable, "-m", "venv", away / "venv", cwd=away)
        python = away / "venv" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", CHECKOUT / "constraints.txt",
            f"neurodata-pipeline[train] @ {wheel.as_uri()}", cwd=away)  # fmt: skip
        neurodata = away / "venv" / "bin" / "neurodata"
        cache = {"NEURODATA_CACHE": str(away / "cache")}
        twin = ("--T", "4", "--twin", "--twin-size", "33")
        run(neurodata, "prepare", "dvs-gesture", *twin, cwd=away, **cache)
        run(python, "-c", SCRIPT, cwd=away, **cache)
        run(neurodata, "train", "dvs-gesture", *twin, "--epochs", "2", cwd=away, **cache)
    print("wheel-check: the wheel works away from the checkout")


if __name__ == "__main__":
    main()
