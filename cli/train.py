"""neurodata train: a reference network on a prepared store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import note, print_json, progress_bars
from .options import (
    BeforeOption,
    CacheOption,
    EncodingOption,
    FormatOption,
    JsonOption,
    LabelsOption,
    LayoutOption,
    PartialOption,
    Prepared,
    RecipeOption,
    SensorOption,
    Settings,
    SourceOption,
    SplitByOption,
    StageLimitOption,
    StageOption,
    StrideOption,
    Target,
    TimeSteps,
    TwinOption,
    TwinSizeOption,
    WindowOption,
)

if TYPE_CHECKING:
    from neurodata.loader import Split
    from neurodata.train import EpochMetrics, TrainResult

TRAINING_PANEL = "How it is trained"


def train(
    target: Target,
    model: Annotated[str, typer.Option(help="A reference network.", rich_help_panel=TRAINING_PANEL)] = "csnn",
    epochs: Annotated[int, typer.Option(min=1, rich_help_panel=TRAINING_PANEL)] = 20,
    batch_size: Annotated[int, typer.Option(min=1, rich_help_panel=TRAINING_PANEL)] = 16,
    learning_rate: Annotated[float, typer.Option(rich_help_panel=TRAINING_PANEL)] = 3e-3,
    val: Annotated[
        str | None,
        typer.Option(help="Validation carved from train: group:0.15 or random:0.1.", rich_help_panel=TRAINING_PANEL),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Fold K (from 0) of N is the test set.", rich_help_panel=TRAINING_PANEL),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=TRAINING_PANEL)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …", rich_help_panel=TRAINING_PANEL)] = "auto",
    run: Annotated[
        str | None, typer.Option(help="Name of the run; the same name goes on.", rich_help_panel=TRAINING_PANEL)
    ] = None,
    T: TimeSteps = None,
    split_by: SplitByOption = None,
    settings: Settings = None,
    recipe: RecipeOption = None,
    encoding: EncodingOption = None,
    layout: LayoutOption = None,
    source: SourceOption = None,
    labels: LabelsOption = None,
    format: FormatOption = None,
    sensor: SensorOption = None,
    window_us: WindowOption = None,
    stride_us: StrideOption = None,
    before_us: BeforeOption = None,
    twin: TwinOption = False,
    twin_size: TwinSizeOption = None,
    partial: PartialOption = False,
    cache: CacheOption = None,
    stage: StageOption = None,
    stage_limit: StageLimitOption = None,
    json: JsonOption = False,
) -> None:
    """Train a small spiking network on a prepared store, and say how well it does.

    Checkpoints, metrics.csv, metrics.jsonl, result.json and a picture go to runs/ in the cache. The same command
    goes on where it was interrupted. Three accuracies are told apart: best-on-test (optimistic),
    validation-selected (needs --val) and last. The recipe's augmentations change training samples only.

    Examples:

    neurodata train dvs-gesture --T 16 --twin

    neurodata train n-mnist --T 10 --val random:0.1 --epochs 30 --run first

    neurodata train s3://lab/neurodata/n-mnist-0123456789ab --stage /local/scratch --stage-limit "20 GB"
    """
    from neurodata import registry
    from neurodata.storage import local_root
    from neurodata.train import TrainOptions, fit

    prepared = Prepared(
        target,
        T,
        split_by,
        settings,
        recipe,
        source,
        twin,
        twin_size,
        partial,
        cache,
        labels,
        format,
        sensor,
        layout,
        encoding,
        stage,
        stage_limit,
        window_us=window_us,
        stride_us=stride_us,
        before_us=before_us,
    )
    folds = _parse_fold(fold)
    splits = {name: prepared.split(name, val=val, fold=folds) for name in ("train", "test")}
    store = splits["train"].store
    # Without --val, the validation part that the dataset has, if it has one.
    if val is not None or (folds is None and len(store.schemes[store.head.default_scheme].validation)):
        splits["validation"] = prepared.split("validation", val=val, fold=folds)
    training = splits["train"]
    note("\n".join(map(repr, splits.values())))
    options = TrainOptions(epochs=epochs, learning_rate=learning_rate, seed=seed, device=device)
    network = registry.models[model](training.spec.shape, len(training.classes), seed=seed)
    loaders = {name: split.loader(batch_size, batch_first=False) for name, split in splits.items() if name != "train"}
    augment = training.augment or ()
    loaders["train"] = training.loader(batch_size, shuffle=True, seed=seed, batch_first=False, augment=augment)
    if augment:
        note(f"augmentations of the recipe: {', '.join(augmentation.name for augmentation in augment)}")
    folder = local_root(cache) / "runs" / (run or _run_name(training, model, val, fold, seed))
    with progress_bars() as progress:
        result = fit(
            network,
            loaders["train"],
            loaders["test"],
            loaders.get("validation"),
            options=options,
            folder=folder,
            about={
                "model": model,
                "store": training.store.path.name,
                "val": val,
                "fold": fold,
                "batch_size": batch_size,
                # Absent without them: runs of earlier releases go on.
                **({"augment": repr(augment)} if augment else {}),
            },
            on_epoch=lambda row: note(_epoch_line(row, epochs)),
            progress=progress,
        )
    _save_picture(result, splits["test"], f"{model} on {training.store.head.dataset}{' (twin)' if twin else ''}")
    _print_result(result, json)


def _parse_fold(fold: str | None) -> tuple[int, int] | None:
    if fold is None:
        return None
    if not (numbers := re.fullmatch(r"(\d+)/(\d+)", fold)):
        raise typer.BadParameter(f"--fold {fold}: expected K/N, such as 0/8")
    k, n = int(numbers[1]), int(numbers[2])
    if not k < n:
        raise typer.BadParameter(f"--fold {fold}: there is no such fold, they are 0/{n} to {n - 1}/{n}")
    return k, n


def _run_name(training: Split, model: str, val: str | None, fold: str | None, seed: int) -> str:
    words = [training.store.path.name, model, f"s{seed}", val and f"val-{val}", fold and f"fold-{fold}"]
    return re.sub(r"[^\w.-]", "-", "-".join(word for word in words if word))


def _epoch_line(row: EpochMetrics, epochs: int) -> str:
    validation = "" if row.validation_accuracy is None else f"  validation {row.validation_accuracy:.3f}"
    return (
        f"epoch {row.epoch:3d}/{epochs}  loss {row.train_loss:.3f}  train {row.train_accuracy:.3f}{validation}"
        f"  test {row.test_accuracy:.3f}"
    )


def _save_picture(result: TrainResult, test: Split, title: str) -> None:
    from neurodata.errors import MissingExtraError
    from neurodata.report import save_training_picture

    path = result.folder / "training.png"
    first_of_class = [int((test.labels == label).argmax()) for label in sorted(set(test.labels.tolist()))[:4]]
    samples = [test.sample(index) for index in first_of_class]
    curves = {"train": [row.train_accuracy for row in result.history]}
    if result.validation_selected is not None:
        curves["validation"] = [row.validation_accuracy or 0.0 for row in result.history]
    curves["test"] = [row.test_accuracy for row in result.history]
    try:
        save_training_picture(
            path,
            title=f"{title}: test accuracy {result.last:.3f} after {len(result.history)} epochs",
            curves=curves,
            confusion=result.confusion,
            classes=test.classes,
            samples=[(test.classes[sample.target].replace("_", " "), sample.frames) for sample in samples],
        )
        note(f"picture: {path}")
    except MissingExtraError as error:
        note(str(error))


def _print_result(result: TrainResult, json: bool) -> None:
    accuracies: dict[str, Any] = {
        "best-on-test": result.best_on_test,
        "validation-selected": result.validation_selected,
        "last": result.last,
    }
    if json:
        print_json(accuracies | {"run": str(result.folder)})
        return
    for name, value in accuracies.items():
        print(f"test accuracy ({name}): {'none, no validation set (--val)' if value is None else f'{value:.4f}'}")
    print(f"run: {result.folder}")
