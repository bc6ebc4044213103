"""Training, top to bottom: set up or resume, then for each epoch learn, evaluate, write down, save.

    folder/
      metrics.csv, metrics.jsonl   a row for each epoch
      last.pt                      everything that is needed to go on, after each epoch
      validation-selected.pt       weights of the best epoch on the validation set, where there is one
      result.json                  at the end

A run that was killed goes on after its last finished epoch and ends with the same numbers (on the processor,
with the same number of threads; CUDA's own operators may differ in the last bits).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from neurodata.errors import TrainingError
from neurodata.progress import Progress, silent
from neurodata.storage import exclusive, remove_leftovers, writing
from neurodata.train._checkpoint import Checkpoint, Identity, refuse_other_run
from neurodata.train._contract import Loader, classes_of, unpack
from neurodata.train._evaluate import evaluate, scores_in_time
from neurodata.train._metrics import EpochMetrics, MetricsFiles
from neurodata.train._options import TrainOptions
from neurodata.train._result import TrainResult

WARM_UP = 0.1  # part of all batches


def fit(
    model: nn.Module,
    train_loader: Loader,
    test_loader: Loader,
    validation_loader: Loader | None = None,
    *,
    options: TrainOptions,
    folder: Path,
    about: Mapping[str, str | int | float | bool | None] | None = None,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Train a spiking classifier; goes on where a run in the same folder stopped.

    Parameters
    ----------
    model
        Takes float32 counts [T, B, C, H, W], gives scores [T, B, n_classes]; trained in place.
    train_loader, test_loader, validation_loader
        Batches with time first (`batch_first=False`). The test set is evaluated after every epoch; without a
        validation set the accuracy `validation-selected` is None.
    options
        Everything that changes the numbers.
    folder
        Of this run alone; made where missing.
    about
        Further facts that a resumed run must share and that `result.json` repeats, such as the store and the model.
    on_epoch
        Called after each epoch, once its checkpoint is on disk.
    progress
        Called before each batch, with those done of those of all epochs.

    Returns
    -------
    TrainResult
        Also written to `folder/result.json`. A run that was finished before is not trained again.

    Raises
    ------
    TrainingError
        When the loss is not a number, another process trains in the folder, or the run in it was started differently.
    StorageError
        When a file cannot be written, or the checkpoint is damaged.
    """
    device = options.torch_device()
    cuda = [device] if device.type == "cuda" else []
    checkpoint_path = folder / "last.pt"
    identity: Identity = {
        **(about or {}),
        **asdict(options),
        "batches per epoch": len(train_loader),
        "with validation": validation_loader is not None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    with exclusive(folder / ".lock", f"training in {folder}", _give_up), torch.random.fork_rng(cuda):
        remove_leftovers(folder)
        torch.manual_seed(options.seed)
        model.to(device)
        optimizer = AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
        schedule = LambdaLR(optimizer, _warm_up_then_cosine(options.epochs * len(train_loader)))
        history: tuple[EpochMetrics, ...] = ()
        confusion = np.zeros((0, 0), np.int64)
        if checkpoint_path.exists():
            saved = Checkpoint.load(checkpoint_path)
            refuse_other_run(saved.identity, identity, folder)
            _restore(saved, model, optimizer, schedule, train_loader, device, checkpoint_path)
            history, confusion = saved.history, saved.confusion
        metrics = MetricsFiles(folder, history)

        for epoch in range(len(history), options.epochs):
            train_loader.set_epoch(epoch)
            train_loss, train_accuracy = _learn(
                model, train_loader, optimizer, schedule, options, device, epoch, progress
            )
            test = evaluate(model, test_loader, device)
            validation = None if validation_loader is None else evaluate(model, validation_loader, device)
            row = EpochMetrics(
                epoch=epoch + 1,
                learning_rate=optimizer.param_groups[0]["lr"],
                train_loss=train_loss,
                train_accuracy=train_accuracy,
                validation_loss=None if validation is None else validation.loss,
                validation_accuracy=None if validation is None else validation.accuracy,
                test_loss=test.loss,
                test_accuracy=test.accuracy,
            )
            history, confusion = (*history, row), test.confusion
            metrics.append(row)
            if _is_best_on_validation(history):
                with writing(folder / "validation-selected.pt") as file:
                    torch.save(model.state_dict(), file)
            Checkpoint(
                identity=identity,
                history=history,
                confusion=confusion,
                model=model.state_dict(),
                optimizer=optimizer.state_dict(),
                schedule=schedule.state_dict(),
                loader=train_loader.state_dict(),
                rng=_rng_states(device),
            ).save(checkpoint_path)
            if on_epoch is not None:
                on_epoch(row)

    result = TrainResult(history, confusion, folder)
    result.write(identity)
    return result


def _learn(
    model: nn.Module,
    loader: Loader,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    options: TrainOptions,
    device: torch.device,
    epoch: int,
    progress: Progress,
) -> tuple[float, float]:
    """One epoch of learning: mean loss and accuracy over its valid samples (of a mixture, the larger part counts)."""
    model.train()
    total_loss, n_right, n_samples = 0.0, 0, 0
    n_before, n_in_all = epoch * len(loader), options.epochs * len(loader)
    for number, batch in enumerate(loader):
        progress("train", n_before + number, n_in_all, "batches")
        frames, targets, valid = unpack(batch)
        scores = scores_in_time(model, frames, targets, device)[:, valid.to(device)]  # [T, n, n_classes]
        targets = targets[valid].to(device)
        if not len(targets):
            continue
        loss = _loss(scores, targets, options)
        if not loss.isfinite():
            raise TrainingError(
                f"epoch {epoch + 1}, batch {number + 1}: the loss is {loss.item()}; a lower learning_rate "
                f"(now {options.learning_rate}) or gradient_clip (now {options.gradient_clip}) may help"
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), options.gradient_clip)
        optimizer.step()
        schedule.step()
        total_loss += loss.item() * len(targets)
        n_right += int((scores.mean(dim=0).argmax(dim=1) == classes_of(targets)).sum())
        n_samples += len(targets)
    if not n_samples:
        raise TrainingError("the training loader gives no valid sample; is the split empty?")
    return total_loss / n_samples, n_right / n_samples


def _loss(scores: Tensor, targets: Tensor, options: TrainOptions) -> Tensor:
    """Cross-entropy of the mean over time, mixed with that of each time step where the options say so."""
    smoothing = options.label_smoothing
    loss = cross_entropy(scores.mean(dim=0), targets, label_smoothing=smoothing)
    if options.every_step:
        n_steps = len(scores)
        each = cross_entropy(scores.flatten(0, 1), torch.cat([targets] * n_steps), label_smoothing=smoothing)
        loss = torch.lerp(loss, each, options.every_step)
    return loss


def _warm_up_then_cosine(n_batches: int) -> Callable[[int], float]:
    n_warm_up = max(1, round(WARM_UP * n_batches))

    def factor(batch: int) -> float:
        if batch < n_warm_up:
            return (batch + 1) / n_warm_up
        return 0.5 * (1 + math.cos(math.pi * (batch - n_warm_up) / max(1, n_batches - n_warm_up)))

    return factor


def _is_best_on_validation(history: tuple[EpochMetrics, ...]) -> bool:
    accuracies = [row.validation_accuracy for row in history if row.validation_accuracy is not None]
    return bool(accuracies) and all(accuracies[-1] > earlier for earlier in accuracies[:-1])


def _rng_states(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _restore(
    saved: Checkpoint,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    loader: Loader,
    device: torch.device,
    path: Path,
) -> None:
    try:
        model.load_state_dict(saved.model)
        optimizer.load_state_dict(saved.optimizer)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{path}: holds another network: {str(error).splitlines()[0]} Choose another folder, or delete this one"
        ) from error
    schedule.load_state_dict(saved.schedule)
    loader.load_state_dict(saved.loader)
    torch.set_rng_state(saved.rng["cpu"])
    if device.type == "cuda" and "cuda" in saved.rng:
        torch.cuda.set_rng_state(saved.rng["cuda"], device)


def _give_up(sentence: str) -> None:
    raise TrainingError(f"two runs cannot share a folder; not {sentence}: choose another folder, or run this later")
