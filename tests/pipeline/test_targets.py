"""Preparing targets: what a dataset of one's own declares, and what an interruption leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neurodata
from neurodata.datasets import SampleRef, find_dataset, locate
from neurodata.datasets._folder import Folder
from neurodata.errors import StoreError
from neurodata.pipeline import build_store, make_plan, thread_pool
from neurodata.recipe import load_recipe
from neurodata.signals import Signal
from neurodata.store import StoreReader, verify
from neurodata.targets import TargetSpec
from tests.labelled import HEADERS, index_of, targets_of, write_labelled
from tests.store.stores import contents

RECIPE = """
samples_per_shard = 1
steps = [{ name = "event_frame", T = 4 }]
"""


class Killed(BaseException):
    pass


def kill(stage: str, done: int, total: int | None, unit: str) -> None:
    if stage == "encode" and done >= 3:
        raise Killed


def test_a_killed_run_is_finished_to_the_same_bytes_and_damaged_targets_are_written_again(tmp_path: Path) -> None:
    labels, recipe = write_labelled(tmp_path / "mine"), tmp_path / "small.toml"
    recipe.write_text(RECIPE)

    def prepare(cache: str, **arguments: Any) -> Path:
        store = neurodata.prepare(
            f"folder:{tmp_path / 'mine'}", labels=labels, recipe=recipe, cache=tmp_path / cache, workers=1, **arguments
        )
        return Path(str(store.path))

    whole = prepare("whole")
    with pytest.raises(Killed):
        prepare("killed", progress=kill)
    commits = sorted((tmp_path / "killed").glob("stores/*/*/commits/*.json"))
    assert 3 <= len(commits) < 7
    kept = commits[1].stat().st_ino
    next((tmp_path / "killed").glob("stores/*/*/data.zarr/targets/flow/c/0/0/0/0")).unlink()
    again = prepare("killed")
    assert contents(again) == contents(whole)
    assert commits[1].stat().st_ino == kept
    assert verify(again, deep=True).ok


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    labels = write_labelled(tmp_path / "mine")
    stores = [
        neurodata.prepare(f"folder:{tmp_path / 'mine'}", T=4, labels=labels, cache=tmp_path / str(n), workers=n)
        for n in (1, 3)
    ]
    assert contents(Path(str(stores[0].path))) == contents(Path(str(stores[1].path)))
    for k, key in enumerate(stores[0].table.keys):
        for name in HEADERS:
            np.testing.assert_array_equal(stores[0].read_target(k, name), targets_of(index_of(key))[name])


class Counted(Folder):
    """Every sample's number of events, told by the signal alone."""

    target_specs = (TargetSpec("n", "values", np.dtype(np.int64), (), ()),)
    named = "n"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.target_specs = Counted.target_specs

    def targets(self, root: Path, ref: SampleRef, signal: Signal) -> Mapping[str, NDArray[Any]]:
        return {self.named: np.array(len(signal))}


def build(folder: Path, dataset: Counted) -> Path:
    plan = make_plan(load_recipe(dataset, T=2), locate(dataset, folder / "cache", source=folder / "mine"))
    return build_store(plan, folder / "stores", lambda n: thread_pool(1))


def classed(folder: Path) -> Counted:
    write_labelled(folder / "mine", n=3, names=())
    (folder / "mine" / "x").mkdir()
    for path in (folder / "mine").glob("*.es"):
        path.rename(path.parent / "x" / path.name)
    return Counted(folder / "mine")


def test_a_dataset_makes_targets_of_the_signal_as_read(tmp_path: Path) -> None:
    reader = StoreReader(build(tmp_path, classed(tmp_path)))
    assert [int(reader.read_target(k, "n")) for k in range(3)] == reader.table.n_events.tolist() == [40] * 3
    assert reader.head.recipe["targets"] == [Counted.target_specs[0].to_json()]


def test_a_dataset_that_gives_other_targets_than_it_declares_is_refused(tmp_path: Path) -> None:
    dataset = classed(tmp_path)
    dataset.named = "m"
    with pytest.raises(StoreError, match=r"sample 'x/r\d.es' has the targets \['m'\]; expected \['n'\]"):
        build(tmp_path, dataset)


def test_targets_are_part_of_the_identity_where_there_are_some(tmp_path: Path) -> None:
    dataset = classed(tmp_path)
    recipe = load_recipe(dataset, T=2)
    without = load_recipe(find_dataset(f"folder:{tmp_path / 'mine'}"), T=2)
    assert "targets" not in without.canonical()
    assert recipe.canonical() == without.canonical() | {"targets": [dataset.target_specs[0].to_json()]}
    assert replace(recipe, dataset=dataset).recipe_id != without.recipe_id
