"""The command line, put together from the subcommands; imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from .bench import bench
from .cache import cache
from .convert import convert
from .datasets import datasets
from .export import export
from .fetch import fetch
from .finalise import finalise
from .formats import formats
from .import_ import import_
from .info import info
from .prepare import prepare
from .repair import repair
from .train import train
from .verify import verify
from .view import view
from .why import why

app = typer.Typer(
    name="neurodata",
    help="Prepare neuromorphic datasets once, train spiking networks on them at memory speed.",
    epilog="Try: neurodata prepare dvs-gesture --T 16 --twin, then neurodata train dvs-gesture --T 16 --twin",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import neurodata

        print(f"neurodata {neurodata.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _unwrapped(command: Callable[..., None]) -> str:
    """A command's docstring with a line for each paragraph: the terminal wraps them, and would keep other breaks."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


COMMANDS = (
    *(datasets, formats, info, fetch),
    *(prepare, finalise, verify, repair, why),
    *(view, train, bench),
    *(convert, export, import_),
)
for command in COMMANDS:
    # "import" is a word of Python.
    app.command(
        name=command.__name__.rstrip("_"),
        help=_unwrapped(command),
        no_args_is_help=command not in (datasets, formats),
    )(command)
app.add_typer(cache, name="cache")
