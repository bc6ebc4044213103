"""Disks that are really full, and a source that is really read-only: small file systems in a namespace of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import neurodata
from tests.pipeline.test_prepare import tree

PREPARE = (
    f"{sys.executable} -c 'from neurodata.cli import main; main()' prepare dvs-gesture --recipe $1 --source $2 "
    "--executor threads --workers 2"
)

# In a folder of its own: a disk of 64 kB that is given more room after the first run.
FULL_STORE = f"""
mount -t tmpfs -o size=64k none $3
mount --bind $2 $2 && mount -o remount,ro,bind $2
! touch $2/new 2>/dev/null || exit 9
{PREPARE} --cache $3/cache
echo "exit $?"
find $3 -name manifest.json -o -name '*.tmp'
mount -o remount,size=64m $3
{PREPARE} --cache $3/cache && cp -r $3/cache $4
"""

# Room for eight pages is left in $TMPDIR: it is found to be writable, and then takes no shard.
FULL_TMPDIR = f"""
mount -t tmpfs -o size=256k none $3
head -c 229376 /dev/zero > $3/filler
export TMPDIR=$3
{PREPARE} --cache memory://full --layout dense
echo "exit $?"
rm $3/filler
ls -A $3
"""


def in_namespace(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount; skips where the system does not allow that."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` here to make a small file system with")
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    probe = subprocess.run(
        [*namespace, "mount -t tmpfs none /tmp"], capture_output=True, text=True, check=False
    )  # gone with the namespace
    if probe.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {probe.stderr.strip()}")
    return subprocess.run(
        [*namespace, script, "sh", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_full_disk_names_the_file_and_the_run_goes_on_when_there_is_room(
    source: Path, recipe: Path, tmp_path: Path
) -> None:
    """From a source that cannot be written to."""
    (disk := tmp_path / "disk").mkdir()
    done = in_namespace(FULL_STORE, recipe, source, disk, tmp_path / "copy")
    assert "/disk/cache/stores/dvs-gesture/" in done.stderr
    assert "cannot write: the disk is full; free some space" in done.stderr
    assert "Traceback" not in done.stderr
    first, *others = done.stdout.splitlines()
    assert (first, len(others), done.returncode) == ("exit 1", 1, 0), (done.stdout, done.stderr)
    expected = neurodata.prepare("dvs-gesture", recipe=recipe, source=source, cache=tmp_path / "whole")
    (store,) = (tmp_path / "copy").glob("stores/dvs-gesture/small-shards-*")
    assert tree(store) == tree(expected.path)


def test_a_full_tmpdir_of_a_store_behind_an_address_is_an_error_that_says_so(
    source: Path, recipe: Path, tmp_path: Path
) -> None:
    pytest.importorskip("fsspec")
    (disk := tmp_path / "disk").mkdir()
    (large := tmp_path / "large.toml").write_text(
        recipe.read_text().replace("samples_per_shard = 1", 'samples_per_shard = 64\ncompression = "none"')
    )
    done = in_namespace(FULL_TMPDIR, large, source, disk)
    assert done.stdout == "exit 1\n", done.stderr  # and nothing is left
    assert "memory://full/stores/dvs-gesture/large-" in done.stderr
    assert "set TMPDIR to another disk" in done.stderr
    assert "Traceback" not in done.stderr
