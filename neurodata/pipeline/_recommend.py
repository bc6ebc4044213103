"""Which layout suits a dataset: measured on some of its samples, for a person to choose by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from neurodata.datasets import Located
from neurodata.errors import RecipeError
from neurodata.pipeline._execute import ShardEncoder
from neurodata.pipeline._plan import Plan, ShardTask, layout_of, make_plan
from neurodata.progress import Progress, silent
from neurodata.recipe import SPARSE_DTYPES, LayoutName, Recipe, ViewStep
from neurodata.store import Packets, packed_size

N_SAMPLES = 24


@dataclass(frozen=True, slots=True)
class LayoutSizes:
    """Mean bytes of a sample in each layout, plain and packed (Zstandard of level 1).

    Parameters
    ----------
    n_samples
        Samples that were encoded.
    density
        Share of the frames' numbers that are not zero.
    plain, packed
        Layout to bytes; "sparse" is missing where the frames hold other numbers than counts.
    """

    n_samples: int
    density: float
    plain: dict[LayoutName, float]
    packed: dict[LayoutName, float]

    @property
    def recommended(self) -> LayoutName:
        """The layout that reads fastest for its size: a sparse code that is less than twice as large as packed frames.

        Otherwise dense frames. A store of events is a question of what one wants, not of size.
        """
        return "sparse" if self.plain.get("sparse", np.inf) < 2 * self.packed["dense"] else "dense"


def measure_layouts(recipe: Recipe, located: Located, progress: Progress = silent) -> LayoutSizes:
    """Encode some samples, spread evenly over the dataset, and see how large they are in each layout.

    Raises
    ------
    RecipeError
        When frames differ in length: a dense store cannot hold them.
    NeurodataError
        When a sample cannot be read or encoded.
    """
    if recipe.array().has_variable_steps:
        raise RecipeError(f"{recipe.name}: samples differ in length: choose layout sparse or events")
    transforms, (name, encoding) = recipe.steps[:-1], recipe.steps[-1]
    recipes: dict[LayoutName, Recipe] = {"dense": replace(recipe, layout="dense", augment=())}
    if recipe.array().dtype.name in SPARSE_DTYPES:
        recipes["sparse"] = replace(recipes["dense"], layout="sparse")
    recipes["events"] = replace(recipes["dense"], layout="events", steps=transforms, view=(ViewStep(name, encoding),))
    plan = make_plan(recipe, located, progress)
    sizes = {layout: _sizes(one, plan) for layout, one in recipes.items()}
    return LayoutSizes(
        n_samples=sizes["dense"][0],
        density=sizes["dense"][3],
        plain={layout: plain for layout, (_, plain, _, _) in sizes.items()},
        packed={layout: packed for layout, (_, _, packed, _) in sizes.items()},
    )


def _sizes(recipe: Recipe, plan: Plan) -> tuple[int, float, float, float]:
    """Samples encoded, mean bytes plain and packed, share of the stored numbers that are not zero."""
    refs = plan.refs[:: max(1, len(plan.refs) // N_SAMPLES)][:N_SAMPLES]
    layout = layout_of(recipe)
    task = ShardTask(Path(), 0, plan.root, recipe, layout, refs, frozenset())
    plain = packed = n_numbers = n_filled = 0
    for sample in ShardEncoder(task).samples():
        signals = sample.signal.packets if isinstance(sample.signal, Packets) else [sample.signal]
        for piece in chain.from_iterable(layout.pieces(signal, sample.row.key) for signal in signals):
            plain, packed = plain + piece.nbytes, packed + packed_size(piece)
            n_numbers, n_filled = n_numbers + piece.size, n_filled + int(np.count_nonzero(piece))
    return len(refs), plain / len(refs), packed / len(refs), n_filled / max(1, n_numbers)
