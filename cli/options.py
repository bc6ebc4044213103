"""Arguments and options that several subcommands share, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from neurodata.datasets import Dataset
    from neurodata.loader import Split
    from neurodata.pipeline import SourceRequest
    from neurodata.recipe import Recipe
    from neurodata.signals import Sensor


class SplitBy(StrEnum):
    """How events are shared out among time steps."""

    COUNT = "count"
    TIME = "time"


class ExecutorKind(StrEnum):
    """What runs the work of `prepare`."""

    PROCESSES = "processes"
    THREADS = "threads"
    DASK = "dask"
    SLURM = "slurm"


class Layout(StrEnum):
    """How a store keeps samples."""

    DENSE = "dense"
    SPARSE = "sparse"
    EVENTS = "events"
    AUTO = "auto"


def _complete_dataset(incomplete: str) -> list[str]:
    from neurodata import registry

    return [name for name in registry.datasets.names() if name.startswith(incomplete)]


RECIPE_PANEL, SOURCE_PANEL = "What is made", "From which files, and where it is kept"
MACHINES_PANEL = "On which machines"

DatasetName = Annotated[
    str,
    typer.Argument(
        help="A dataset: see `neurodata datasets`; folder:DIR for your own recordings; tonic:NAME for one of tonic's.",
        autocompletion=_complete_dataset,
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        help="A dataset (or folder:DIR) that was prepared, or a store's folder or URL.",
        autocompletion=_complete_dataset,
    ),
]
TimeSteps = Annotated[
    int | None, typer.Option("--T", min=1, help="Number of time steps.", rich_help_panel=RECIPE_PANEL)
]
SplitByOption = Annotated[
    SplitBy | None,
    typer.Option("--split-by", help="Equal counts of events a step, or equal times.", rich_help_panel=RECIPE_PANEL),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="STEP.PARAM=VALUE", help="Change a parameter of a step.", rich_help_panel=RECIPE_PANEL
    ),
]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", help="Name or TOML file; the dataset's own if not given.", rich_help_panel=RECIPE_PANEL),
]
LayoutOption = Annotated[
    Layout | None,
    typer.Option(
        "--layout",
        help="dense frames, a sparse code of them, or events that become frames at load; auto measures (--dry-run).",
        rich_help_panel=RECIPE_PANEL,
    ),
]


def _complete_encoding(incomplete: str) -> list[str]:
    from neurodata import registry

    return [name for name in registry.encodings.names() if name.startswith(incomplete)]


EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="An encoding in place of the recipe's, such as voxel_grid; `neurodata info NAME` tells its parameters.",
        autocompletion=_complete_encoding,
        rich_help_panel=RECIPE_PANEL,
    ),
]
SourceOption = Annotated[
    Path | None,
    typer.Option("--source", metavar="DIR", help="Use the files in this folder.", rich_help_panel=SOURCE_PANEL),
]
TwinOption = Annotated[
    bool, typer.Option("--twin", help="Use a small generated look-alike.", rich_help_panel=SOURCE_PANEL)
]
TwinSizeOption = Annotated[
    int | None, typer.Option("--twin-size", min=1, help="Samples of the look-alike.", rich_help_panel=SOURCE_PANEL)
]
PartialOption = Annotated[
    bool, typer.Option("--partial", help="Accept a store of a part of the dataset.", rich_help_panel=SOURCE_PANEL)
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="ROOT",
        help="Root of downloads, stores and runs: a folder; or of stores alone: a URL such as s3://lab/neurodata.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
ExecutorOption = Annotated[
    ExecutorKind,
    typer.Option(
        "--executor",
        help="Processes or threads of this machine, a Dask cluster, or Slurm jobs.",
        rich_help_panel=MACHINES_PANEL,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="How many of them; all cores if not given, and 16 Slurm jobs.",
        rich_help_panel=MACHINES_PANEL,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Of a running Dask cluster, such as tcp://head:8786; workers of this machine if not given.",
        rich_help_panel=MACHINES_PANEL,
    ),
]
SlurmOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm-option",
        metavar="KEY=VALUE",
        help="Of the Slurm jobs, such as partition=cpu, mem_gb=4 or timeout_min=60.",
        rich_help_panel=MACHINES_PANEL,
    ),
]
ShareOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Write the I-th of N shares of the shards, as a job of an array; `neurodata finalise` comes after all.",
        rich_help_panel=MACHINES_PANEL,
    ),
]
StageOption = Annotated[
    Path | None,
    typer.Option(
        "--stage",
        metavar="DIR",
        help="Copy shards to this folder on a local disk before they are read: for URLs and network disks.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
StageLimitOption = Annotated[
    str | None,
    typer.Option(
        "--stage-limit",
        metavar="SIZE",
        help='Of all copies there, such as "20 GB"; a tenth of the disk stays free if not given.',
        rich_help_panel=SOURCE_PANEL,
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE.csv",
        help="Of folder:DIR: path, label and any of start_us, end_us, group, split, item, target.NAME.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Format of recordings; found out from their content if not given.")
]
SensorOption = Annotated[
    str | None, typer.Option("--sensor", metavar="WxH", help="Pixels of the sensor, where the file does not tell.")
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window-us",
        metavar="US",
        min=1,
        help="Of folder:DIR and gen1, 1mpx: samples are windows of this length of each recording.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
StrideOption = Annotated[
    int | None,
    typer.Option(
        "--stride-us",
        metavar="US",
        min=1,
        help="From the start of one window to the next; the length of a window if not given.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
BeforeOption = Annotated[
    int | None,
    typer.Option(
        "--before-us",
        metavar="US",
        min=1,
        help="Of folder:DIR and gen1, 1mpx, dsec: samples are windows of this length that end with a label.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
ItemOption = Annotated[
    str | None, typer.Option("--item", metavar="KEY", help="One sample of a file of many: its key or number.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def parse_sensor(sensor: str | None) -> Sensor | None:
    """`"346x260"` as a sensor."""
    from neurodata.signals import Sensor

    if sensor is None:
        return None
    if not (size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", sensor)):
        raise typer.BadParameter(f"--sensor {sensor}: expected WIDTHxHEIGHT, such as 346x260")
    return Sensor(int(size[1]), int(size[2]))


def parse_item(item: str | None) -> int | str | None:
    """A number as a number, any other key as it is."""
    return int(item) if item is not None and item.isdecimal() else item


def parse_settings(settings: list[str] | None) -> dict[str, dict[str, Any]]:
    """`["event_frame.T=8"]` as overrides; values are read as TOML, and as plain text where that fails."""
    import tomllib

    overrides: dict[str, dict[str, Any]] = {}
    for setting in settings or []:
        place, equals, text = setting.partition("=")
        step, dot, parameter = place.partition(".")
        if not (equals and dot and step and parameter):
            raise typer.BadParameter(f"--set {setting}: expected STEP.PARAM=VALUE, such as event_frame.T=8")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        overrides.setdefault(step, {})[parameter] = value
    return overrides


def parse_slurm_options(options: list[str] | None) -> dict[str, Any]:
    """`["mem_gb=4", "partition=cpu"]` as a dictionary; whole numbers become integers."""
    parsed: dict[str, Any] = {}
    for option in options or []:
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"--slurm-option {option}: expected KEY=VALUE, such as partition=cpu")
        parsed[name.lstrip("-").replace("-", "_")] = int(value) if value.isdecimal() else value
    return parsed


def dataset_of(
    name: str,
    labels: Path | None,
    format: str | None,
    sensor: str | None,
    window_us: int | None = None,
    stride_us: int | None = None,
    before_us: int | None = None,
) -> Dataset:
    """The dataset that the options describe."""
    from neurodata.datasets import find_dataset, make_windows

    windows = make_windows(window_us, stride_us, before_us)
    return find_dataset(name, labels=labels, format=format, sensor=parse_sensor(sensor), windows=windows)


def recipe_of(
    dataset: Dataset,
    recipe: str | None,
    T: int | None,
    split_by: SplitBy | None,
    settings: list[str] | None,
    layout: Layout | None = None,
    encoding: str | None = None,
) -> Recipe:
    """The recipe that the options describe."""
    from neurodata.recipe import load_recipe

    return load_recipe(
        dataset,
        recipe,
        T=T,
        split_by=split_by and split_by.value,
        layout=layout and layout.value,
        encoding=encoding,
        overrides=parse_settings(settings),
    )


def source_of(dataset: Dataset, source: Path | None, twin: bool, twin_size: int | None) -> SourceRequest:
    """The files that the options ask for."""
    from neurodata.pipeline import source_request

    return source_request(dataset, source, twin, twin_size)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The store that a subcommand works on: a folder, or a dataset with the options it was prepared with."""

    target: str
    T: int | None
    split_by: SplitBy | None
    settings: list[str] | None
    recipe: str | None
    source: Path | None
    twin: bool
    twin_size: int | None
    partial: bool
    cache: str | None
    labels: Path | None = None
    format: str | None = None
    sensor: str | None = None
    layout: Layout | None = None
    encoding: str | None = None
    stage: Path | None = None
    stage_limit: str | None = None
    window_us: int | None = None
    stride_us: int | None = None
    before_us: int | None = None

    def split(self, split: str, *, val: str | None = None, fold: tuple[int, int] | None = None) -> Split:
        """A split of the store."""
        import neurodata
        from neurodata.datasets import is_dataset

        if not is_dataset(self.target):
            self._check_place()
            store = neurodata.open_store(self.target, stage=self.stage, stage_limit=self.stage_limit)
            return store.split(split, val=val, fold=fold)
        return neurodata.load(
            self.target,
            T=self.T,
            split_by=self.split_by and self.split_by.value,
            recipe=self.recipe,
            source=self.source,
            twin=self.twin,
            cache=self.cache,
            layout=self.layout and self.layout.value,
            encoding=self.encoding,
            split=split,
            scheme=None,
            classes=None,
            val=val,
            fold=fold,
            labels=self.labels,
            format=self.format,
            sensor=parse_sensor(self.sensor),
            window_us=self.window_us,
            stride_us=self.stride_us,
            before_us=self.before_us,
            twin_size=self.twin_size,
            partial=self.partial,
            stage=self.stage,
            stage_limit=self.stage_limit,
            verify="always",
            **parse_settings(self.settings),
        )

    def _check_place(self) -> None:
        """A store's folder or URL says by itself what it holds."""
        from neurodata import registry
        from neurodata.errors import StoreNotFoundError
        from neurodata.storage import is_url

        kind, place = "URL" if is_url(self.target) else "folder", without_password(self.target)
        if kind == "folder" and not Path(self.target).exists():
            known = ", ".join(registry.datasets)
            raise StoreNotFoundError(f"{self.target}: neither a store's folder nor a dataset ({known})")
        chosen = (
            self.T,
            self.split_by,
            self.settings,
            self.recipe,
            self.source,
            self.twin_size,
            self.labels,
            self.layout,
            self.window_us,
            self.stride_us,
            self.before_us,
        )
        if self.twin or any(value is not None and value != [] for value in chosen):
            raise typer.BadParameter(f"{place} is a store's {kind}; --T and other choices go with a dataset's name")


def without_password(place: str) -> str:
    """A folder or URL to show."""
    from neurodata.storage import is_url, locate

    return str(locate(place)) if is_url(place) else place
