"""Arguments of another type are our errors, which name the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodata.errors import LoaderError, UnknownNameError
from neurodata.loader import Store
from neurodata.loader._check import check_integer
from tests.loader.stores import write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write_store(tmp_path_factory.mktemp("toy") / "store"))


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_all_kinds_become_pythons(value: Any) -> None:
    assert type(check_integer("n", value, 1)) is int


@pytest.mark.parametrize("value", [0, 5, True, 3.0, "3", None, np.float32(3)])
def test_anything_else_names_the_argument(value: Any) -> None:
    with pytest.raises(LoaderError, match=r"n=.*: expected an integer from 1 to 4"):
        check_integer("n", value, 1, 5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": "4"}, {"batch_size": 2.5}, {"batch_size": True}, {"batch_size": -1}, {"seed": 1.5},
        {"seed": "x"}, {"seed": 2**64}, {"threads": 1.5}, {"threads": 0}, {"world_size": 2, "rank": "a"},
        {"rank": 0, "world_size": 0}, {"device": "nowhere"}, {"transform": 3}, {"batch_transform": "x"},
    ],
)  # fmt: skip
def test_a_loader_refuses_what_it_cannot_use(store: Store, arguments: dict[str, Any]) -> None:
    name = list(arguments)[-1]  # the wrong one
    with pytest.raises(LoaderError, match=f"{name}="):
        store["train"].loader(**{"batch_size": 4, **arguments})


@pytest.mark.parametrize("epoch", [1.5, "x", -1, True, 10**30])
def test_an_epoch_is_an_integer_from_0_on(store: Store, epoch: Any) -> None:
    with pytest.raises(LoaderError, match="epoch="):
        store["train"].loader(4).set_epoch(epoch)


def test_numpy_integers_give_the_order_of_pythons(store: Store) -> None:
    def keys(seed: Any, epoch: Any) -> list[tuple[str, ...]]:
        loader = store["train"].loader(np.int64(4), shuffle=True, seed=seed)
        loader.set_epoch(epoch)
        return [batch.keys for batch in loader]

    assert keys(np.int64(7), np.int64(3)) == keys(7, 3)


@pytest.mark.parametrize("state", [[], None, {}, {"seed": 1}])
def test_a_state_that_is_none_is_refused(store: Store, state: Any) -> None:
    with pytest.raises(LoaderError, match="loader state: "):
        store["train"].loader(4).load_state_dict(state)


@pytest.mark.parametrize(
    "arguments", [{"classes": 3}, {"val": 0.2}, {"val": True}, {"fold": 8}, {"fold": (8, 8)}, {"classes": [True]}]
)
def test_a_split_refuses_what_it_cannot_use(store: Store, arguments: dict[str, Any]) -> None:
    with pytest.raises((LoaderError, UnknownNameError)):
        store.split("train", **arguments)


def test_classes_may_be_an_array(store: Store) -> None:
    assert store.split("train", classes=np.array([2, 0])).classes == ("roll", "wave")


def test_a_scheme_that_is_no_name_is_unknown(store: Store) -> None:
    with pytest.raises(UnknownNameError, match="no scheme"):
        store.split("train", scheme=["official"])  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="no scheme ''"):
        store.split("train", scheme="")
