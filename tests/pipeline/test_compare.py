"""What `neurodata why` says: nothing exactly where the identity is the same, and else the place."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.pipeline import (
    Difference,
    StoreFacts,
    differences,
    store_differences,
    store_facts,
    view_differences,
)
from neurodata.pipeline._record import PlanRecord
from neurodata.recipe import load_recipe
from neurodata.signals import EventArray, Sensor
from neurodata.storage import canonical_json
from neurodata.store import StoreReader
from neurodata.store._records import seal

CANONICAL = {
    "store_version": 3,
    "dataset": {"name": "n-mnist", "version": 1},
    "reader": {"name": "atis_bin", "version": 2},
    "steps": [
        {"name": "denoise", "version": 1, "parameters": {"window_us": 1000}},
        {"name": "event_frame", "version": 4, "parameters": {"T": 16, "split_by": "count"}},
    ],
    "layout": "dense",
    "compression": "zstd",
    "samples_per_shard": 64,
}


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    other: Any = copy.deepcopy(CANONICAL)
    entry = other
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    return other  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (("store_version",), 4, Difference("store_version", 3, 4)),
        (("dataset", "version"), 2, Difference("dataset.version", 1, 2)),
        (("reader", "version"), 3, Difference("reader atis_bin", 2, 3)),
        (("steps", 1, "version"), 5, Difference("event_frame version", 4, 5)),
        (("steps", 1, "parameters", "T"), 8, Difference("event_frame.T", 16, 8)),
        (("steps", 1, "parameters", "T"), 16.0, Difference("event_frame.T", 16, 16.0)),
        (("steps", 1, "parameters", "window_us"), 5, Difference("event_frame.window_us", None, 5)),
        (("layout",), "events", Difference("layout", "dense", "events")),
        (("seed",), 7, Difference("seed", None, 7)),
        (("targets",), [{"name": "boxes"}], Difference("target boxes", None, {"name": "boxes"})),
        (("steps",), CANONICAL["steps"][1:], Difference("step denoise", {"window_us": 1000}, None)),  # type: ignore[index]
    ],
)
def test_a_difference_is_told_by_its_place(place: tuple[Any, ...], value: Any, expected: Difference) -> None:
    assert differences(CANONICAL, changed(place, value)) == [expected]


def test_readers_of_a_folder_are_told_by_format() -> None:
    one = changed(("reader",), [{"name": "aedat31", "version": 1}, {"name": "evt3", "version": 1}])
    other = changed(("reader",), [{"name": "aedat31", "version": 2}])
    assert differences(one, other) == [Difference("reader aedat31", 1, 2), Difference("reader evt3", 1, None)]


def test_steps_are_paired_in_their_order() -> None:
    crop = {"name": "crop", "version": 1, "parameters": {"width": 3}}
    one, other = changed(("steps",), [crop, *CANONICAL["steps"]]), changed(("steps", 0), crop)  # type: ignore[misc]
    assert differences(one, other) == [Difference("step denoise", {"window_us": 1000}, None)]


STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from("ab"),
            "version": st.integers(1, 2),
            "parameters": st.dictionaries(st.sampled_from("xy"), st.sampled_from([None, 1, 1.0, True, "1"])),
        }
    ),
    max_size=3,
)
READERS = st.lists(st.fixed_dictionaries({"name": st.sampled_from("ab"), "version": st.integers(1, 2)}), max_size=2)
RECIPES = st.fixed_dictionaries(
    {"steps": STEPS, "reader": READERS}, optional={"seed": st.sampled_from([0, False, None]), "targets": READERS}
)


@given(one=RECIPES, other=RECIPES)
def test_nothing_differs_exactly_where_the_identity_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    is_same = canonical_json(one) == canonical_json(other)
    assert (differences(one, other) == []) == is_same
    assert len(differences(one, other)) == len(differences(other, one))


def test_steps_at_load_are_told_apart_from_what_is_stored() -> None:
    one, other = (load_recipe("dvs-gesture", T=T, layout="events") for T in (16, 8))
    assert differences(one.canonical(), other.canonical()) == []
    assert view_differences(one, other) == [Difference("at load: event_frame.T", 16, 8)]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    cache = tmp_path_factory.mktemp("cache")

    def path(**arguments: Any) -> Path:
        store = neurodata.prepare("n-mnist", twin=True, cache=cache, **arguments).path
        assert isinstance(store, Path)
        return store

    return {
        "plain": path(T=2, twin_size=20),
        "three": path(T=3, twin_size=20),
        "more": path(T=2, twin_size=30),
    }


def test_stores_differ_in_recipe_source_samples_and_schemes(stores: dict[str, Path]) -> None:
    plain, three, more = (store_facts(stores[name]) for name in ("plain", "three", "more"))
    assert store_differences(plain, plain) == []
    assert store_differences(plain, three) == [Difference("event_frame.T", 2, 3)]
    found = {entry.place: (entry.one, entry.other) for entry in store_differences(plain, more)}
    names = {"source_id", "samples", "samples that only one has", "such samples are", "scheme official"}
    assert names <= found.keys()
    assert (found["samples"], found["samples that only one has"]) == ((20, 30), (0, 10))
    assert found["such samples are"][0] == []
    assert set(found["such samples are"][1]) <= set(StoreReader(stores["more"]).table.keys)


def folder_store(folder: Path, cache: Path, other: str = "", n_other: int = 0) -> StoreFacts:
    """A store of three recordings; `other`: the one that is another one, with so many events."""
    for name in ("a", "b", "c"):
        n = n_other if name == other else 30
        pixels = [np.full(n, 1 + (name == other), np.uint16) for _ in "xy"]
        events = EventArray(np.arange(n), *pixels, np.ones(n, np.bool_), Sensor(4, 4))
        neurodata.write(events, folder / name / "0.es")
    recipe = folder / "small.toml"
    recipe.write_text('dataset = "folder"\nsamples_per_shard = 2\n[[steps]]\nname = "event_frame"\nT = 2\n')
    store = neurodata.prepare(f"folder:{folder}", recipe=recipe, sensor=Sensor(4, 4), cache=cache).path
    return store_facts(store)


def test_which_source_files_differ_is_told_by_the_samples(tmp_path: Path) -> None:
    first = folder_store(tmp_path / "one" / "drives", tmp_path / "cache")
    assert store_differences(first, folder_store(tmp_path / "same" / "drives", tmp_path / "cache2")) == []
    shorter = store_differences(first, folder_store(tmp_path / "shorter" / "drives", tmp_path / "cache", "b", 20))
    found = {entry.place: (entry.one, entry.other) for entry in shorter}
    assert found["n_events of 1 samples that both have, such as 'b/0.es'"] == ([30], [20])
    assert found["duration_us of 1 samples that both have, such as 'b/0.es'"] == ([29], [19])
    # As many events at the same times, but elsewhere: the table is the same, and the shard tells.
    elsewhere = store_differences(first, folder_store(tmp_path / "elsewhere" / "drives", tmp_path / "cache", "b", 30))
    assert [entry.place.split(" ")[0] for entry in elsewhere] == ["source_id", "sha256"]
    assert "'b/0.es'" in elsewhere[1].place


def test_a_store_of_another_version_is_compared_by_its_manifest(stores: dict[str, Path], tmp_path: Path) -> None:
    older = shutil.copytree(stores["plain"], tmp_path / "older")
    manifest = json.loads((older / "manifest.json").read_bytes())
    recipe = manifest["recipe"] | {"store_version": 1}
    del manifest["sha256"], manifest["form"]
    (older / "manifest.json").write_bytes(seal(manifest | {"version": 1, "recipe": recipe}, "sha256"))
    done = run(stores["plain"], older)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "store_version")
    assert "format version 1" in done.stderr
    (older / "manifest.json").write_bytes(b"{}" + seal(manifest, "sha256"))
    assert run(stores["plain"], older).returncode == 2


def test_an_unfinished_store_is_compared_by_its_plan(stores: dict[str, Path], tmp_path: Path) -> None:
    unfinished = shutil.copytree(stores["three"], tmp_path / "unfinished")
    (unfinished / "manifest.json").unlink()
    done = run(stores["plain"], unfinished)
    assert (done.returncode, done.stdout) == (1, "event_frame.T\n< 2\n> 3\n")
    assert "not finished" in done.stderr
    record = PlanRecord(StoreReader(stores["three"]).head, {}, [])
    shutil.rmtree(unfinished / "data.zarr")
    assert run(stores["plain"], unfinished).returncode == 2
    (unfinished / ".plan.json").write_bytes(record.to_bytes())
    assert store_differences(store_facts(stores["plain"]), store_facts(unfinished)) == [
        Difference("event_frame.T", 2, 3)
    ]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from neurodata.cli import main; main()", "why", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)


def test_the_command_takes_stores_recipes_and_orders(stores: dict[str, Path], tmp_path: Path) -> None:
    done = run(stores["plain"], stores["three"])
    assert (done.returncode, done.stdout) == (1, "event_frame.T\n< 2\n> 3\n")
    assert run(stores["plain"], "n-mnist --T 2").returncode == 0
    recipe = tmp_path / "mine.toml"
    recipe.write_text('dataset = "n-mnist"\nsamples_per_shard = 500\n[[steps]]\nname = "event_frame"\nT = 5\n')
    found = json.loads(run("n-mnist --T 2", recipe, "--json").stdout)
    assert (found["same"], found["differences"]) == (False, [{"place": "event_frame.T", "one": 2, "other": 5}])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("/nowhere", "/nowhere: neither a store's folder, nor a recipe, nor a dataset"),
        ("n-mnist --bogus", "No such option: --bogus"),
        ("n-mnist --help", "No such option: --help"),
        ("n-mnist --T many", "--T"),
        ("folder", "folder:DIR --recipe folder"),
        ("", "nothing to compare"),
        ("x" * 5000, "neither a store's folder"),
        ("n-mnist 'unfinished", "No closing quotation"),
    ],
)
def test_the_command_says_what_it_cannot_compare(other: str, message: str) -> None:
    done = run("n-mnist", other)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
