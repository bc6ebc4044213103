"""Is the spiking network better than a linear read-out of the event counts? Fold by fold, with an interval.

    python -m benchmarks.against_linear n-mnist --T 10 --source DIR [--folds 8] [--only K ...] [--epochs 20]

Both see the same training and test samples. The read-out is multinomial logistic regression on the counts of each
pixel and polarity, summed over time, square root taken, weight decay chosen on a tenth of the training samples. The
network's accuracy is that after the last epoch (not the best one). The interval is Student's t over the folds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy

import neurodata
from benchmarks.timing import write_report
from neurodata import registry
from neurodata.loader import Split
from neurodata.train import TrainOptions, fit

WEIGHT_DECAYS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


def summed_counts(split: Split) -> tuple[Tensor, Tensor]:
    """Features [n, C * H * W] and targets [n]."""
    frames = torch.stack([split[i][0].sum(dim=0).flatten() for i in range(len(split))])
    return frames.sqrt(), torch.from_numpy(split.labels.copy())


def fit_linear(features: Tensor, targets: Tensor, n_classes: int, decay: float) -> tuple[Tensor, Tensor]:
    """Weights [F, n_classes] and bias of logistic regression with this weight decay, by L-BFGS."""
    weights = torch.zeros(features.shape[1], n_classes, requires_grad=True)
    bias = torch.zeros(n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = cross_entropy(features @ weights + bias, targets) + decay * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach(), bias.detach()


def linear_accuracy(train: Split, test: Split, n_classes: int) -> float:
    """Test accuracy of the read-out with the weight decay that does best on every tenth training sample."""
    (x, y), (x_test, y_test) = summed_counts(train), summed_counts(test)
    mean, scale = x.mean(), x.std()
    x, x_test = (x - mean) / scale, (x_test - mean) / scale
    held_out = torch.arange(len(x)) % 10 == 0

    def accuracy(weights: Tensor, bias: Tensor, features: Tensor, targets: Tensor) -> float:
        return float(((features @ weights + bias).argmax(dim=1) == targets).float().mean())

    chosen = max(
        WEIGHT_DECAYS,
        key=lambda decay: accuracy(*fit_linear(x[~held_out], y[~held_out], n_classes, decay), x[held_out], y[held_out]),
    )
    return accuracy(*fit_linear(x, y, n_classes, chosen), x_test, y_test)


def spiking_accuracy(train: Split, test: Split, n_classes: int, epochs: int, folder: Path) -> float:
    """Test accuracy of the reference network after the last epoch."""
    network = registry.models["csnn"](train.spec.shape, n_classes, seed=0)
    train_loader = train.loader(16, shuffle=True, seed=0, batch_first=False)
    test_loader = test.loader(64, batch_first=False)
    return fit(network, train_loader, test_loader, options=TrainOptions(epochs=epochs), folder=folder).last


def interval(differences: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """95 % confidence interval of the mean."""
    low, high = stats.t.interval(0.95, len(differences) - 1, loc=differences.mean(), scale=stats.sem(differences))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--T", type=int)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--twin", action="store_true")
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--only", type=int, nargs="+", help="these folds, counted from 0")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    store = neurodata.prepare(options.dataset, T=options.T, source=options.source, twin=options.twin)
    n_classes = len(store.head.classes)
    rows: list[dict[str, Any]] = []
    print(f"{'fold':>4}{'train':>7}{'test':>6}{'linear':>9}{'spiking':>9}{'seconds':>9}")
    for k in options.only or range(options.folds):
        train, test = (store.split(part, fold=(k, options.folds)) for part in ("train", "test"))
        linear = linear_accuracy(train, test, n_classes)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            spiking = spiking_accuracy(train, test, n_classes, options.epochs, Path(folder))
        seconds = time.perf_counter() - start
        rows.append({"fold": k, "train": len(train), "test": len(test), "linear": linear, "spiking": spiking})
        print(f"{k:4d}{len(train):7d}{len(test):6d}{linear:9.4f}{spiking:9.4f}{seconds:9.1f}", flush=True)
    by_linear, by_spiking = (np.array([row[name] for row in rows], np.float64) for name in ("linear", "spiking"))
    gains = by_spiking - by_linear
    low, high = interval(gains)
    print(f"mean: linear {by_linear.mean():.4f}, spiking {by_spiking.mean():.4f}")
    print(f"difference: {gains.mean():+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}] over {len(rows)} folds")
    if options.json:
        write_report(options.json, rows, dataset=options.dataset, epochs=options.epochs, interval=[low, high])


if __name__ == "__main__":
    main()
