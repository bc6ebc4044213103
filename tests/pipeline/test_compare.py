"""What `neurodata why` says: nothing exactly where the identity is the same, and else the place."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurodata
from neurodata.pipeline import Difference, differences, store_differences, view_differences
from neurodata.recipe import load_recipe
from neurodata.storage import canonical_json
from neurodata.store import StoreReader

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
    plain, three, more = (StoreReader(stores[name]) for name in ("plain", "three", "more"))
    assert store_differences(plain, plain) == []
    assert store_differences(plain, three) == [Difference("event_frame.T", 2, 3)]
    found = {entry.place: (entry.one, entry.other) for entry in store_differences(plain, more)}
    assert found.keys() == {"source_id", "samples", "samples that only one has", "scheme official"}
    assert (found["samples"], found["samples that only one has"]) == ((20, 30), (0, 10))


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
