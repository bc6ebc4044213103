"""One picture of a training run: what the network saw, how it learned, what it confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodata.errors import MissingExtraError
from neurodata.report._frames import paint
from neurodata.storage import writing

STEPS_SHOWN = 8


def save_training_picture(
    path: Path,
    *,
    title: str,
    curves: Mapping[str, Sequence[float]],
    confusion: NDArray[np.int64],
    classes: Sequence[str],
    samples: Sequence[tuple[str, NDArray[Any]]],
) -> None:
    """Write a PNG.

    Parameters
    ----------
    title
        Above everything.
    curves
        Name to accuracy (0 to 1) after each epoch.
    confusion
        Samples of class i (row) taken for class j (column), [n_classes, n_classes].
    classes
        Names of the classes.
    samples
        (caption, frames [T, C, H, W]) of a few samples.

    Raises
    ------
    MissingExtraError
        When matplotlib is not installed.
    StorageError
        When the file cannot be written.
    """
    figure = _figure_class()(figsize=(12, 5.2 + 1.25 * len(samples)), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subfigures(2, 1, height_ratios=[1.25 * len(samples), 4.6])
    rows = above.subplots(len(samples), 1, squeeze=False)[:, 0]
    for axes, (caption, frames) in zip(rows, samples, strict=True):
        _draw_sample(axes, caption, frames)
    left, right = below.subplots(1, 2, width_ratios=[1, 1.2])
    _draw_curves(left, curves)
    _draw_confusion(right, confusion, classes)
    with writing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _figure_class() -> type[Any]:
    """Matplotlib's figure, drawn without pyplot: that would change the caller's backend and keep figures open."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "pictures of training need matplotlib: pip install 'neurodata-pipeline[report]'"
        ) from None
    figure_class: type[Any] = Figure
    return figure_class


def _draw_sample(axes: Any, caption: str, frames: NDArray[Any]) -> None:
    shown = np.linspace(0, len(frames) - 1, min(STEPS_SHOWN, len(frames))).round().astype(int)
    pictures = paint(frames)[shown]  # [n, H, W, 3]
    pictures = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=225)
    axes.imshow(np.concatenate(list(pictures), axis=1), interpolation="nearest")
    axes.set_ylabel(caption, rotation=0, ha="right", va="center", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _draw_curves(axes: Any, curves: Mapping[str, Sequence[float]]) -> None:
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, label=name)
    axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)


def _draw_confusion(axes: Any, confusion: NDArray[np.int64], classes: Sequence[str]) -> None:
    rates = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(rates, cmap="Blues", vmin=0, vmax=1)
    names = [name.replace("_", " ") for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="taken for", ylabel="class", title="test samples after the last epoch")
    axes.title.set_fontsize(10)
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            colour = "white" if rates[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
