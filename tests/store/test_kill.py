"""Whatever the moment of a kill -9, the store is refused, and finished by the same calls to the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from neurodata.errors import StoreError
from neurodata.store import StoreReader, committed, finalise, verify
from tests.store.stores import build, contents, frames_of, head_of, layout_of, rows_of, schemes_of, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

N = 5
LAYOUT = layout_of(samples_per_shard=3)
FRAMES = frames_of(N, LAYOUT)

# Forks a child for each chosen moment: the child kills itself before the k-th time that it opens, renames,
# deletes or makes a file below its folder, until one gets through. Prints the number of moments.
KILLER = """
    import os, shutil, signal, sys
    from pathlib import Path
    import neurodata.store._zarr  # once, rather than in every child
    from tests.store.test_kill import *

    root, what, n_moments = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    def work(folder):
        if what == "write_shard":
            write(folder, FRAMES, LAYOUT, 1)
        else:
            finalise(folder, head_of(LAYOUT), 2, schemes_of(N))

    def run(folder, moment):
        passed = 0

        def before(event, arguments):
            nonlocal passed
            if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(folder) in str(arguments[0]):
                if passed == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                passed += 1

        sys.addaudithook(before)
        work(folder)
        return passed

    def forked(moment):
        folder = root / f"{moment}"
        shutil.copytree(root / "start", folder)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.fsync = lambda _: None
            os.write(writing, str(run(folder, moment)).encode())
            os._exit(0)
        os.close(writing)
        status = os.waitpid(child, 0)[1]
        return os.WTERMSIG(status), os.read(reading, 20).decode()

    signal_number, total = forked(-1)
    assert signal_number == 0
    moments = sorted({int(total) * k // n_moments for k in range(n_moments)} | {int(total) - 1, int(total) - 2})
    for moment in moments:
        assert forked(moment) == (signal.SIGKILL, "")
    print(*moments)
"""


def killed(root: Path, what: str, n_moments: int) -> list[Path]:
    """Folders of runs killed at moments spread over the whole work."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLER), str(root), what, str(n_moments)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return [root / moment for moment in run.stdout.split()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("undisturbed"), FRAMES, LAYOUT)


def finish(folder: Path) -> None:
    """What the pipeline does when it is run again."""
    for shard, first in enumerate(range(0, N, 3)):
        if not committed(folder, shard, LAYOUT, rows_of(N)[first : first + 3]):
            write(folder, FRAMES, LAYOUT, shard)
    finalise(folder, head_of(LAYOUT), 2, schemes_of(N))


def test_a_killed_write_shard_is_never_committed_in_part(tmp_path: Path, undisturbed: Path) -> None:
    write(tmp_path / "start", FRAMES, LAYOUT, 0)
    folders = killed(tmp_path, "write_shard", 99)
    assert len(folders) > 6
    for folder in folders:
        with pytest.raises(StoreError, match="not finished"):
            StoreReader(folder)
        assert committed(folder, 0, LAYOUT, rows_of(N)[:3])
        finish(folder)
        assert contents(folder) == contents(undisturbed)


def test_a_killed_rewrite_of_a_finished_store_is_never_served_half_new(tmp_path: Path, undisturbed: Path) -> None:
    old = frames_of(N, LAYOUT, seed=1)
    build(tmp_path / "start", old, LAYOUT)
    for folder in killed(tmp_path, "write_shard", 99):
        try:
            reader = StoreReader(folder)
        except StoreError:
            pass
        else:
            assert all((reader.read(i) == old[i]).all() for i in range(N))
        write(folder, FRAMES, LAYOUT, 0)
        write(folder, FRAMES, LAYOUT, 1)
        finish(folder)
        assert contents(folder) == contents(undisturbed)


def test_a_killed_finalise_leaves_no_manifest_and_is_finished_by_the_next(tmp_path: Path, undisturbed: Path) -> None:
    for shard in range(2):
        write(tmp_path / "start", FRAMES, LAYOUT, shard)
    folders = killed(tmp_path, "finalise", 15)
    assert len(folders) > 14
    # Only a kill between the rename of the manifest and the end finds a finished store.
    finished = [folder for folder in folders if (folder / "manifest.json").exists()]
    assert len(finished) <= 1
    for folder in folders:
        if folder in finished:
            assert verify(folder, deep=True).ok
        else:
            with pytest.raises(StoreError, match="not finished"):
                StoreReader(folder)
        finish(folder)
        assert contents(folder) == contents(undisturbed)
